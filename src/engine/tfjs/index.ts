/** Engine over TensorFlow.js. */
import { messageOf, UserError, WorkError } from '../../base/index.js';
import type { Graph, Tensor, ValueInfo } from '../../ir/index.js';
import { checkFeeds, checkFetches } from '../check.js';
import type { DeviceOptions, Engine, EngineKind, Program, Tensors } from '../engine.js';
import { machineTopology } from '../topology.js';
import { Device } from './device.js';
import { findNative, type Library, loadNative, loadPortable } from './library.js';
import { type Plan, planOf, runPlan, Scope } from './plan.js';
import { Value } from './value.js';

/**
 * `cpu`: the fastest of what is here: a native build that the user has installed, or WebAssembly. `cuda` wants the native
 * build for GPUs; `wasm` and `javascript` are those parts of TensorFlow.js whatever else is installed.
 */
const devices = ['cpu', 'cuda', 'wasm', 'javascript'] as const;
type TfjsDevice = (typeof devices)[number];

async function libraryOf(device: TfjsDevice): Promise<Library> {
  if (device === 'wasm') return loadPortable('wasm');
  if (device === 'javascript') return loadPortable('cpu');
  if (device === 'cpu') {
    const native = findNative();
    return native ? loadNative(native) : loadPortable('wasm');
  }
  const missing = (fix: string) => new UserError(`device 'cuda' is not available here: ${fix}`);
  const gpu = findNative(['@tensorflow/tfjs-node-gpu']);
  if (!gpu) {
    throw missing(
      'npm install @tensorflow/tfjs-node-gpu (Linux or Windows, CUDA 11.2 and cuDNN 8.1), or use --device cpu',
    );
  }
  try {
    const library = await loadNative(gpu);
    if (library.isGpu) return library;
  } catch (error) {
    throw missing(messageOf(error));
  }
  throw missing('TensorFlow finds no GPU: it wants the driver, CUDA 11.2 and cuDNN 8.1 in LD_LIBRARY_PATH');
}

export const tfjs = {
  name: 'tfjs',
  devices,
  /** Name and version of the library, which is loaded for it. */
  library: async () => (await libraryOf('cpu')).name,
  /** An engine on a device of this machine. */
  create: (options: DeviceOptions<TfjsDevice>) => createTfjs(options),
} as const satisfies EngineKind<string, TfjsDevice>;

/** @throws UserError when the device is not there, naming the fix. */
export async function createTfjs(options: Partial<DeviceOptions<TfjsDevice>> = {}): Promise<Engine> {
  const { device = 'cpu', threads = 0 } = options;
  const library = await libraryOf(device);
  return {
    name: library.name,
    device: library.isGpu ? 'cuda' : device,
    accelerators: library.isGpu ? ['cuda'] : [],
    threads: threads || machineTopology().processors,
    domains: [],
    blockWidth: async () => 0,
    async compile(graph, { optimize = 'all' } = {}) {
      const target = new Device(library.core, library.backend);
      return programOf(target, graph, planOf(target, graph, optimize === 'all'));
    },
  };
}

function programOf(device: Device, graph: Graph, plan: Plan): Program {
  const { inputs, outputs } = plan;
  const constants = new Map([...plan.constants].map(([name, tensor]) => [name, Value.ofHost(device, tensor).hold()]));
  let disposed = false;
  return {
    inputs,
    outputs,
    outputInfo: graph.outputs.map(({ name }): ValueInfo => ({ name })),
    async run(feeds: Tensors, fetches?: readonly string[], into?: Tensors) {
      if (disposed) throw new WorkError('the program was disposed of and cannot run');
      const wanted = fetches ?? (into ? [] : outputs);
      checkFeeds(graph.inputs, feeds);
      checkFetches(outputs, [...wanted, ...Object.keys(into ?? {})]);
      const scope = new Scope();
      try {
        for (const [name, value] of constants) scope.set(name, value);
        for (const [name, tensor] of Object.entries(feeds)) scope.set(name, Value.ofHost(device, tensor));
        runPlan(device, plan, scope);
        const results: Record<string, Tensor> = {};
        for (const name of [...new Set([...wanted, ...Object.keys(into ?? {})])]) {
          results[name] = taken(name, (scope.get(name) as Value).host(), into?.[name]);
        }
        return results;
      } finally {
        device.sweep();
        scope.clear();
      }
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      for (const value of constants.values()) value.release();
    },
  };
}

/** A result that the caller owns: in its tensor, or a copy, since it may be a feed or a constant under another name. */
function taken(name: string, tensor: Tensor, into: Tensor | undefined): Tensor {
  if (!into) return { type: tensor.type, dims: [...tensor.dims], data: tensor.data.slice() as Tensor['data'] };
  if (into.dims.join() !== tensor.dims.join() || into.type !== tensor.type) {
    throw new WorkError(`output '${name}' has other dims than the tensor to write it into`);
  }
  (into.data as Float32Array).set(tensor.data as Float32Array);
  return into;
}
