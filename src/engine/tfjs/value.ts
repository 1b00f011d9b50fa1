/**
 * A value of a graph while it runs. The device holds float32 and bool; all other types stay in the caller's memory,
 * where arithmetic on them is exact. Images (N, C, H, W) may lie on the device channels-last, which is the order that its
 * kernels want; a value is rearranged when somebody asks for the other order, once.
 */
import { type DataType, sizeOf, type Tensor, toNumbers } from '../../ir/index.js';
import { Refusal } from '../refusal.js';
import type { Device, Tf } from './device.js';
import type { Window } from './window.js';

/** As the graph says it, or with the channels of four dimensions last. */
export type Layout = 'plain' | 'last';

export const toLast = [0, 2, 3, 1] as const;
export const toPlain = [0, 3, 1, 2] as const;

export function permuted<T>(of: readonly T[], perm: readonly number[]): T[] {
  return perm.map((axis) => of[axis] as T);
}

export class Value {
  #host: Tensor | undefined;
  #plain: Tf | undefined;
  #last: Tf | undefined;
  #prepared: Map<string, Tf> | undefined;
  /** Names that mean this value; at none it is disposed of. */
  holders = 0;
  /** Where elements are found when they are asked for (places of maxima, which hardly anybody reads). */
  #lazy: (() => Tensor) | undefined;
  /** Of what a value was made, where a later step can use that instead. */
  origin: Origin | undefined;

  private constructor(
    readonly device: Device,
    readonly type: DataType,
    readonly dims: readonly number[],
  ) {}

  static ofHost(device: Device, tensor: Tensor): Value {
    const value = new Value(device, tensor.type, tensor.dims);
    value.#host = tensor;
    return value;
  }

  static lazy(device: Device, type: DataType, dims: readonly number[], make: () => Tensor): Value {
    const value = new Value(device, type, dims);
    value.#lazy = make;
    return value;
  }

  /** @param dims as the graph says them; `tensor` has them in the order of `layout` */
  static ofDevice(device: Device, tensor: Tf, dims: readonly number[] = tensor.shape, layout: Layout = 'plain'): Value {
    const value = new Value(device, tensor.dtype === 'bool' ? 'bool' : 'float32', dims);
    device.claim(tensor);
    if (layout === 'plain') value.#plain = tensor;
    else value.#last = tensor;
    return value;
  }

  get size(): number {
    return sizeOf(this.dims);
  }

  /** Whether its elements are of a type that the device computes with. */
  get onDevice(): boolean {
    return this.type === 'float32' || this.type === 'bool';
  }

  /** Whether it lies channels-last, and not as the graph says it. */
  get prefersLast(): boolean {
    return this.#last !== undefined && this.#plain === undefined;
  }

  get hasLast(): boolean {
    return this.#last !== undefined;
  }

  /** Whether its elements are in the caller's memory. */
  get hasHost(): boolean {
    return this.#host !== undefined;
  }

  /** The tensor on the device, held by this value. */
  tensor(layout: Layout = 'plain'): Tf {
    if (layout === 'last' && this.dims.length === 4) {
      if (!this.#last) {
        const plain = this.tensor();
        const [n, c, h, w] = this.dims as [number, number, number, number];
        const isSame = c === 1 || h * w === 1;
        this.#last = this.device.claim(
          isSame ? this.device.reshape(plain, [n, h, w, c]) : this.device.transpose(plain, toLast),
        );
      }
      return this.#last;
    }
    if (!this.#plain) {
      if (this.#last) {
        const [, c, h, w] = this.dims as [number, number, number, number];
        const isSame = c === 1 || h * w === 1;
        const last = this.#last;
        this.#plain = this.device.claim(
          isSame ? this.device.reshape(last, this.dims) : this.device.transpose(last, toPlain),
        );
      } else this.#plain = this.device.claim(this.#upload());
    }
    return this.#plain;
  }

  #upload(): Tf {
    const { type, data } = this.host();
    if (type === 'float32') return this.device.upload(data as Float32Array, this.dims, 'float32');
    if (type === 'bool') return this.device.upload(data as Uint8Array, this.dims, 'bool');
    throw new Refusal('graph', `TensorFlow.js does not compute in ${type}`);
  }

  /** The elements in the caller's memory; not to be written to. */
  host(): Tensor {
    if (!this.#host && this.#lazy) this.#host = this.#lazy();
    this.#host ??= { type: this.type, dims: this.dims, data: read(this.tensor(), this.type) };
    return this.#host;
  }

  /** The elements as numbers: axes, sizes, places. */
  numbers(): number[] {
    return toNumbers(this.host());
  }

  /** A tensor that a kernel wants in a form of its own, made once. */
  prepared(key: string, make: () => Tf): Tf {
    this.#prepared ??= new Map();
    let found = this.#prepared.get(key);
    if (!found) {
      const had = this.#plain;
      found = this.device.claim(make());
      this.#prepared.set(key, found);
      // A constant's own form would be held beside it for nothing.
      if (!had && this.#host && this.#plain && this.#plain !== found) {
        this.#plain.dispose();
        this.#plain = undefined;
      }
    }
    return found;
  }

  hold(): this {
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders > 0) return;
    this.#plain?.dispose();
    this.#last?.dispose();
    for (const tensor of this.#prepared?.values() ?? []) tensor.dispose();
    this.origin?.input.release();
    this.origin = undefined;
    this.#plain = undefined;
    this.#last = undefined;
    this.#prepared = undefined;
    this.#host = undefined;
  }
}

/** The maxima whose places a value holds. */
export interface Origin {
  readonly input: Value;
  readonly window: Window;
}

/** A copy of a tensor's elements. */
function read(tensor: Tf, type: DataType): Float32Array | Uint8Array {
  const data = tensor.dataSync();
  return type === 'bool' ? Uint8Array.from(data) : Float32Array.from(data);
}
