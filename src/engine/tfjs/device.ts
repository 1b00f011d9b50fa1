/** Kernels of one backend of TensorFlow.js, called by name; what a step leaves over is disposed of after it. */
import type * as Core from '@tensorflow/tfjs-core';
import type { NumericArray } from '../../ir/index.js';
import { Refusal } from '../refusal.js';

export type Tf = Core.Tensor;
type Info = Core.TensorInfo;
type Attributes = Readonly<Record<string, unknown>>;
export type DeviceType = 'float32' | 'int32' | 'bool';

/** Axes of a permutation that follow each other in both orders. */
function runs(perm: readonly number[]): number[][] {
  const found: number[][] = [];
  for (const axis of perm) {
    const run = found.at(-1);
    if (run && axis === (run.at(-1) as number) + 1) run.push(axis);
    else found.push([axis]);
  }
  return found;
}

export class Device {
  /** Tensors of the running step that no value holds. */
  readonly #loose = new Set<Tf>();
  readonly #kernels = new Map<string, (inputs: Readonly<Record<string, Info>>, attributes: Attributes) => Tf[]>();

  constructor(
    private readonly core: typeof Core,
    /** As TensorFlow.js calls it: wasm, cpu, tensorflow. */
    readonly backend: string,
  ) {}

  /** Whether windows may be padded by other widths than those that give the output the size of the input. */
  get padsWindows(): boolean {
    return this.backend !== 'tensorflow';
  }

  /** @throws Refusal when neither the backend nor plain JavaScript has the kernel */
  call(name: string, inputs: Readonly<Record<string, Info>>, attributes: Attributes = {}): Tf {
    return this.calls(name, inputs, attributes)[0] as Tf;
  }

  /** All outputs of a kernel. */
  calls(name: string, inputs: Readonly<Record<string, Info>>, attributes: Attributes = {}): Tf[] {
    let kernel = this.#kernels.get(name);
    if (!kernel) {
      kernel = this.#find(name);
      this.#kernels.set(name, kernel);
    }
    const outputs = kernel(inputs, attributes);
    for (const output of outputs) this.#loose.add(output);
    return outputs;
  }

  #find(name: string) {
    const { core } = this;
    const backendName = core.getKernel(name, this.backend) ? this.backend : 'cpu';
    const kernel = core.getKernel(name, backendName);
    if (!kernel) {
      throw new Refusal('graph', `TensorFlow.js has no kernel ${name} for its backend '${this.backend}'`);
    }
    const engine = core.engine();
    return (inputs: Readonly<Record<string, Info>>, attributes: Attributes): Tf[] => {
      // As the library's runKernel does, for a backend that is not the one of all the process.
      let outputs: Tf[] = [];
      engine.startScope(name);
      try {
        const backend = engine.findBackend(backendName);
        const made = kernel.kernelFunc({
          inputs: inputs as Core.NamedTensorInfoMap,
          attrs: attributes as Core.NamedAttrMap,
          backend,
        });
        const infos = Array.isArray(made) ? made : [made];
        outputs = infos.map((info) => ('rank' in info ? (info as Tf) : engine.makeTensorFromTensorInfo(info, backend)));
      } finally {
        engine.endScope(outputs);
      }
      return outputs;
    };
  }

  /** A tensor from the caller's memory. */
  upload(values: NumericArray, shape: readonly number[], type: DeviceType): Tf {
    const engine = this.core.engine();
    const tensor = engine.makeTensor(values as Float32Array, [...shape], type, engine.findBackend(this.backend)) as Tf;
    this.#loose.add(tensor);
    return tensor;
  }

  /** The same elements under another shape; nothing is copied. */
  reshape(x: Tf, shape: readonly number[]): Tf {
    return this.call('Reshape', { x }, { shape: [...shape] });
  }

  /** In several moves where more than four axes change places: kernels are slow on these. */
  transpose(x: Tf, perm: readonly number[]): Tf {
    const groups = runs(perm);
    if (groups.length <= 4) return this.call('Transpose', { x }, { perm: [...perm] });
    // Axes that stay beside each other are one.
    const now = [...groups].sort((a, b) => (a[0] as number) - (b[0] as number));
    const size = (of: readonly number[][]) => of.flat().reduce((n, axis) => n * (x.shape[axis] as number), 1);
    let result = x;
    groups.forEach((group, to) => {
      const from = now.indexOf(group);
      if (from === to) return;
      const four = [now.slice(0, to), now.slice(to, from), [group], now.slice(from + 1)].map(size);
      result = this.call('Transpose', { x: this.reshape(result, four) }, { perm: [0, 2, 1, 3] });
      now.splice(to, 0, ...now.splice(from, 1));
    });
    return this.reshape(
      result,
      perm.map((axis) => x.shape[axis] as number),
    );
  }

  cast(x: Tf, dtype: DeviceType): Tf {
    return x.dtype === dtype ? x : this.call('Cast', { x }, { dtype });
  }

  /** A tensor's elements, where they are if the backend shows them; to be read before the next kernel runs. */
  read(x: Tf): NumericArray {
    const backend = this.core.engine().findBackend(this.backend) as { typedArrayFromHeap?: (x: Info) => NumericArray };
    // A kernel of plain JavaScript may have taken the elements to its own memory.
    const isHere = this.core.engine().state.tensorInfo.get(x.dataId)?.backend === (backend as unknown);
    return isHere && backend.typedArrayFromHeap ? backend.typedArrayFromHeap(x) : (x.dataSync() as NumericArray);
  }

  scalar(value: number): Tf {
    return this.upload(Float32Array.of(value), [], 'float32');
  }

  /** Somebody holds the tensor beyond the step. */
  claim(tensor: Tf): Tf {
    this.#loose.delete(tensor);
    return tensor;
  }

  /** The end of a step. */
  sweep(): void {
    for (const tensor of this.#loose) tensor.dispose();
    this.#loose.clear();
  }
}
