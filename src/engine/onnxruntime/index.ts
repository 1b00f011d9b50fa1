/** Engine over onnxruntime-node. */
import { availableParallelism } from 'node:os';
import type * as Ort from 'onnxruntime-node';
import { messageOf, UserError } from '../../base/index.js';
import { GraphBuilder, writeModelParts } from '../../ir/index.js';
import type { CompileOptions, DeviceOptions, Engine, EngineKind } from '../engine.js';
import { blockWidthOf } from './block-width.js';
import { missingCuda } from './cuda.js';
import { withoutDeadly } from './deadly.js';
import { explainCompile } from './explain.js';
import { programOf } from './program.js';
import { createSession, loadRuntime, type Runtime } from './session.js';
import { turnOffTelemetry } from './telemetry.js';
import { createWorkerSession } from './workers.js';

const devices = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const;
type Device = (typeof devices)[number];

const missingDevice: Record<Device, (error?: string) => string> = {
  cpu: () => 'reinstall the package: npm ci',
  cuda: missingCuda,
  webgpu: () => 'it needs a GPU driver with Vulkan, Metal or Direct3D 12; use --device cpu',
  coreml: () => 'it exists on macOS only; use --device cpu',
  dml: () => 'it exists on Windows only; use --device cpu',
};

/** Loads the library, after its telemetry is off. @throws UserError when no package of it is installed */
async function load(): Promise<Runtime> {
  await turnOffTelemetry();
  return loadRuntime().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes('toehold-runtime-')) throw error;
    throw new UserError(
      `onnxruntime is not installed for ${process.platform} ${process.arch}: npm install onnxruntime-node, or use --engine tfjs`,
    );
  });
}

const nameOf = ({ env }: Runtime) => `onnxruntime-node ${env.versions.node ?? env.versions.common}`;

export const onnxruntime = {
  name: 'onnxruntime',
  devices,
  /** Name and version of the library, which is loaded for it. */
  library: async () => nameOf(await load()),
  /** An engine on a device of this machine. */
  create: (options: DeviceOptions<Device>) => createOnnxRuntime(options),
} as const satisfies EngineKind<string, Device>;

/** @throws UserError when the device is not there, naming the fix. */
export async function createOnnxRuntime(options: Partial<DeviceOptions<Device>> = {}): Promise<Engine> {
  const { device = 'cpu', threads = 0 } = options;
  const ort = await load();
  const count = threads || availableParallelism();
  if (device !== 'cpu') await tryDevice(ort, device);
  const compile: Engine['compile'] = async (graph, { optimize = 'all', planMemory = true, workers = 0 } = {}) => {
    const each = sessionOptions(device, Math.max(1, Math.floor(count / Math.max(1, workers))), {
      optimize,
      planMemory,
    });
    const safe = withoutDeadly(graph);
    try {
      const parts = writeModelParts(safe);
      const session = workers > 0 ? createWorkerSession(parts, each, workers) : createSession(ort, parts, each);
      return programOf(await session, graph.inputs);
    } catch (error) {
      throw explainCompile(error, graph);
    }
  };
  let width: Promise<number> | undefined;
  return {
    name: nameOf(ort),
    device,
    threads: count,
    domains: ['com.microsoft'],
    blockWidth() {
      width ??= device === 'cpu' ? blockWidthOf(compile) : Promise.resolve(0);
      return width;
    },
    compile,
  };
}

/** The runtime lists devices that it was built for; whether drivers and libraries are there shows on first use. */
async function tryDevice(ort: Runtime, device: Device): Promise<void> {
  const missing = (error?: string) =>
    new UserError(`device '${device}' is not available here: ${missingDevice[device](error)}`);
  const built = ort.listSupportedBackends?.().map((backend) => backend.name) ?? [];
  if (!built.includes(device)) throw missing();
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [1])]), 'y');
  try {
    const options = sessionOptions(device, 1, { optimize: 'none', planMemory: true });
    await (await createSession(ort, writeModelParts(b.build()), options)).release();
  } catch (error) {
    throw missing(messageOf(error));
  }
}

function sessionOptions(
  device: Device,
  threads: number,
  { optimize, planMemory }: Pick<Required<CompileOptions>, 'optimize' | 'planMemory'>,
): Ort.InferenceSession.SessionOptions {
  return {
    executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
    graphOptimizationLevel: optimize === 'all' ? 'all' : 'disabled',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: true,
    enableMemPattern: planMemory,
    // Errors come back as exceptions; the log would say them twice.
    logSeverityLevel: 4,
    extra: {
      session: {
        // Workers spin within a run, where nodes follow each other in microseconds, and not after it, when the cores
        // belong to image decoding and to other programs.
        intra_op: { allow_spinning: '1' },
        force_spinning_stop: '1',
      },
      // A Gemm copies its bias into every row on one thread before it multiplies; MatMul and Add take half the time. And
      // 1.30 fuses a Pad with zeros into a MaxPool, which pads with minus infinity: wrong values (mended in 1.32).
      optimization: { disable_specified_optimizers: 'MatMulAddFusion;Pad_Fusion' },
    },
  };
}
