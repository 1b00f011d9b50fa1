/** Engine over onnxruntime-node. */
import { availableParallelism } from 'node:os';
import type * as Ort from 'onnxruntime-node';
import { UserError, WorkError } from '../../base/index.js';
import {
  type DataType,
  type Graph,
  GraphBuilder,
  type NumericArray,
  type Tensor,
  type ValueInfo,
  writeModel,
} from '../../ir/index.js';
import { checkFeeds, checkFetches } from '../check.js';
import type { CompileOptions, Device, Engine, EngineOptions, Program, Tensors } from '../engine.js';
import { engineDefaults } from '../engine.js';
import { explainCompile, explainRun } from './explain.js';

const missingDevice: Record<Device, string> = {
  cpu: 'reinstall the package: npm ci',
  cuda: 'fetch its libraries with ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node (CUDA 12 and cuDNN 9 must be installed), or use --device cpu',
  webgpu: 'it needs a GPU driver with Vulkan, Metal or Direct3D 12; use --device cpu',
  coreml: 'it exists on macOS only; use --device cpu',
  dml: 'it exists on Windows only; use --device cpu',
};

/** @throws UserError when the device is not there, naming the fix. */
export async function createOnnxRuntime(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const { device, threads } = { ...engineDefaults, ...options };
  const loaded = (await import('onnxruntime-node')) as typeof Ort & { default?: typeof Ort };
  const ort = loaded.default ?? loaded;
  ort.env.logLevel = 'fatal';
  const count = threads || availableParallelism();
  if (device !== 'cpu') await tryDevice(ort, device);
  return {
    name: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    device,
    threads: count,
    compile: async (graph, { optimize = 'all', planMemory = true } = {}) => {
      let session: Ort.InferenceSession;
      try {
        session = await createSession(ort, graph, device, count, { optimize, planMemory });
      } catch (error) {
        throw explainCompile(error, graph);
      }
      return programOf(ort, session, graph.inputs);
    },
  };
}

/** The runtime lists devices that it was built for; whether drivers and libraries are there shows on first use. */
async function tryDevice(ort: typeof Ort, device: Device): Promise<void> {
  const missing = new UserError(`device '${device}' is not available here: ${missingDevice[device]}`);
  const built = ort.listSupportedBackends?.().map((backend) => backend.name) ?? [];
  if (!built.includes(device)) throw missing;
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [1])]), 'y');
  try {
    await (await createSession(ort, b.build(), device, 1, { optimize: 'none', planMemory: true })).release();
  } catch {
    throw missing;
  }
}

function createSession(
  ort: typeof Ort,
  graph: Graph,
  device: Device,
  threads: number,
  { optimize, planMemory }: Required<CompileOptions>,
): Promise<Ort.InferenceSession> {
  return ort.InferenceSession.create(writeModel(graph), {
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
      // A Gemm copies its bias into every row on one thread before it multiplies; MatMul and Add take half the time.
      optimization: { disable_specified_optimizers: 'MatMulAddFusion' },
    },
  });
}

function programOf(ort: typeof Ort, session: Ort.InferenceSession, declared: readonly ValueInfo[]): Program {
  let disposed = false;
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    outputInfo: session.outputMetadata.map((o) =>
      o.isTensor ? { name: o.name, type: o.type as DataType, shape: o.shape } : { name: o.name },
    ),
    async run(feeds: Tensors, fetches?: readonly string[], into?: Tensors) {
      if (disposed) throw new WorkError('the program was disposed of and cannot run');
      const wanted = fetches ?? (into ? [] : session.outputNames);
      checkFeeds(declared, feeds);
      checkFetches(session.outputNames, [...wanted, ...Object.keys(into ?? {})]);
      const request: Record<string, Ort.Tensor | null> = {};
      for (const name of wanted) request[name] = null;
      for (const [name, tensor] of Object.entries(into ?? {})) request[name] = toOrt(ort, tensor);
      const inputs: Record<string, Ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) inputs[name] = toOrt(ort, tensor);
      let results: Ort.InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(inputs, request);
      } catch (error) {
        throw explainRun(error);
      }
      const outputs: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(results)) outputs[name] = into?.[name] ?? fromOrt(value as Ort.Tensor);
      return outputs;
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}

function toOrt(ort: typeof Ort, tensor: Tensor): Ort.Tensor {
  const made = new ort.Tensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims);
  // Where Node has a class for 16-bit floats the package makes one, which its own binding cannot read.
  if (tensor.type === 'float16') Object.assign(made, { cpuData: tensor.data });
  return made;
}

function fromOrt(tensor: Ort.Tensor): Tensor {
  let data = tensor.data as NumericArray;
  // Newer Node versions have a class for 16-bit floats; the graph's data are bits everywhere.
  if (tensor.type === 'float16') data = new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
  return { type: tensor.type as DataType, dims: tensor.dims, data };
}
