/** Engine over onnxruntime-node. */
import { given, messageOf, UserError } from '../../base/index.js';
import { GraphBuilder, writeModelParts } from '../../ir/index.js';
import type { DeviceOptions, Engine, EngineKind } from '../engine.js';
import { machineTopology } from '../topology.js';
import { blockWidthOf } from './block-width.js';
import { missingCuda } from './cuda.js';
import { withoutDeadly } from './deadly.js';
import { type Device, devices } from './device.js';
import { explainCompile } from './explain.js';
import { nameOfPlace, type Place, sessionOptions, workerPlaces } from './places.js';
import { onDevice, programOf } from './program.js';
import { createSession, loadRuntime, type Runtime } from './session.js';
import { turnOffTelemetry } from './telemetry.js';
import { createWorkerSession } from './workers.js';

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
  numbered: ['cuda'],
  /** Name and version of the library, which is loaded for it. */
  library: async () => nameOf(await load()),
  /** An engine on a device of this machine. */
  create: (options: DeviceOptions<Device>) => createOnnxRuntime(options),
} as const satisfies EngineKind<string, Device>;

/** @throws UserError when a device is not there, naming the fix. */
export async function createOnnxRuntime(options: Partial<DeviceOptions<Device>> = {}): Promise<Engine> {
  const { device = 'cpu', ordinals = [], threads = 0 } = options;
  const ort = await load();
  const count = threads || machineTopology().processors;
  const places: readonly Place[] =
    ordinals.length > 0 ? ordinals.map((ordinal) => ({ device, ordinal })) : [{ device }];
  if (device !== 'cpu') for (const place of places) await tryDevice(ort, place);
  const compile: Engine['compile'] = async (graph, options = {}) => {
    const { optimize = 'all', planMemory = true, workers = 0, processors = [] } = options;
    const own = { optimize, planMemory, threads: options.threads ?? (workers > 0 ? 1 : count) };
    const starts = workerPlaces(places, workers).map((place, i) => ({
      options: sessionOptions(place, own),
      ...given({ processors: processors[i], device: places.length > 1 ? nameOfPlace(place) : undefined }),
    }));
    const safe = withoutDeadly(graph);
    try {
      const parts = writeModelParts(safe);
      const session =
        workers > 0
          ? createWorkerSession(parts, starts)
          : createSession(ort, parts, sessionOptions(places[0] as Place, own));
      return programOf(await session, graph.inputs);
    } catch (error) {
      throw onDevice(explainCompile(error, graph), error);
    }
  };
  let width: Promise<number> | undefined;
  return {
    name: nameOf(ort),
    device,
    accelerators: device === 'cpu' ? [] : places.map(nameOfPlace),
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
async function tryDevice(ort: Runtime, place: Place): Promise<void> {
  const { device } = place;
  const missing = (error?: string) =>
    new UserError(`device '${nameOfPlace(place)}' is not available here: ${missingDevice[device](error)}`);
  const built = ort.listSupportedBackends?.().map((backend) => backend.name) ?? [];
  if (!built.includes(device)) throw missing();
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [1])]), 'y');
  try {
    const options = sessionOptions(place, { threads: 1, optimize: 'none', planMemory: true });
    await (await createSession(ort, writeModelParts(b.build()), options)).release();
  } catch (error) {
    throw missing(messageOf(error));
  }
}
