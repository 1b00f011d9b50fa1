/** Engine over onnxruntime-node. */
import { availableParallelism } from 'node:os';
import type * as Ort from 'onnxruntime-node';
import { messageOf, UserError } from '../../base/index.js';
import { type DataType, type Graph, type NumericArray, type Tensor, writeModel } from '../../ir/index.js';
import type { CompileOptions, Device, Engine, EngineOptions, Program, Tensors } from '../engine.js';
import { engineDefaults } from '../engine.js';

const missingDevice: Record<Device, string> = {
  cpu: 'reinstall the package: npm ci',
  cuda: 'run npx --no onnxruntime-node-install cuda12 as README, section CUDA, shows, or use --device cpu',
  webgpu: 'it needs a GPU driver with Vulkan, Metal or Direct3D 12; use --device cpu',
  coreml: 'it exists on macOS only; use --device cpu',
  dml: 'it exists on Windows only; use --device cpu',
};

/** @throws UserError when the device is not there, naming the fix. */
export async function createOnnxRuntime(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const { device, threads } = { ...engineDefaults, ...options };
  const loaded = (await import('onnxruntime-node')) as typeof Ort & { default?: typeof Ort };
  const ort = loaded.default ?? loaded;
  const backends = ort.listSupportedBackends?.().map((b) => b.name) ?? ['cpu'];
  if (!backends.includes(device)) {
    throw new UserError(`device '${device}' is not available here: ${missingDevice[device]}`);
  }
  const count = threads || availableParallelism();
  return {
    name: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    device,
    threads: count,
    compile: (graph, compileOptions) => compile(ort, graph, device, count, compileOptions ?? {}),
  };
}

async function compile(
  ort: typeof Ort,
  graph: Graph,
  device: Device,
  threads: number,
  { optimize = 'all' }: CompileOptions,
): Promise<Program> {
  const bytes = writeModel(graph);
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      graphOptimizationLevel: optimize === 'all' ? 'all' : 'disabled',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      enableCpuMemArena: true,
      logSeverityLevel: 3,
      // Spinning worker threads steal the cores from each other and from image decoding.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw explain(error);
  }
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds: Tensors, fetches?: readonly string[], into?: Tensors) {
      const request: Record<string, Ort.Tensor | null> = {};
      for (const name of fetches ?? (into ? [] : session.outputNames)) request[name] = null;
      for (const [name, tensor] of Object.entries(into ?? {})) request[name] = toOrt(ort, tensor);
      const inputs: Record<string, Ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) inputs[name] = toOrt(ort, tensor);
      const results = await session.run(inputs, request);
      const outputs: Record<string, Tensor> = {};
      for (const [name, value] of Object.entries(results)) outputs[name] = into?.[name] ?? fromOrt(value as Ort.Tensor);
      return outputs;
    },
    dispose: () => session.release(),
  };
}

function toOrt(ort: typeof Ort, tensor: Tensor): Ort.Tensor {
  return new ort.Tensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims);
}

function fromOrt(tensor: Ort.Tensor): Tensor {
  return { type: tensor.type as DataType, dims: tensor.dims, data: tensor.data as NumericArray };
}

/** The runtime's message without its source locations, as one sentence. */
function explain(error: unknown): Error {
  const message = messageOf(error).split('\n')[0] ?? '';
  const missing = /(?:is not a registered function\/op|Could not find an implementation for)/.test(message);
  if (missing) {
    const op = /implementation for (\S+?)\((\d+)\) node with name '(.*?)'/.exec(message);
    const where = op ? `operator ${op[1]} (set ${op[2]}) of node '${op[3]}'` : message;
    return new UserError(`the engine has no ${where}; export the model with standard ONNX operators`);
  }
  return new Error(message);
}
