/** What an operator of the graph is to this engine: a function of its node, made once, that runs on values. */
import type { Node } from '../../../ir/index.js';
import { Refusal } from '../../refusal.js';
import type { Device, Tf } from '../device.js';
import { type Layout, toLast, Value } from '../value.js';

export type Inputs = readonly (Value | undefined)[];
/** Runs once; outputs in the node's order. */
export type Step = (inputs: Inputs) => Value | readonly Value[];

export interface Site {
  readonly device: Device;
  readonly node: Node;
  /** The operator set that the node is written in. */
  readonly opset: number;
}

export type Op = (site: Site) => Step;
export type OpTable = Readonly<Record<string, Op>>;

/** @throws Refusal that the plan completes with the node's name */
export function fail(message: string): never {
  throw new Refusal('shape', message);
}

/** @throws Refusal when the node has no such input */
export function required(inputs: Inputs, at: number): Value {
  return inputs[at] ?? fail(`input ${at} is missing`);
}

/** The axis counted from the front. */
export function positive(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) fail(`there is no axis ${axis} among ${rank}`);
  return at;
}

export const show = (dims: readonly number[]) => `[${dims.join(', ')}]`;

/** Dims of values that are combined element by element, under numpy's broadcasting. */
export function broadcast(...all: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...all.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = all.map((dims) => dims[i - rank + dims.length] ?? 1);
    const size = sizes.find((d) => d !== 1) ?? 1;
    if (sizes.some((d) => d !== 1 && d !== size)) fail(`shapes ${all.map(show).join(' and ')} do not fit each other`);
    return size;
  });
}

export interface Aligned {
  readonly tensors: readonly Tf[];
  readonly dims: readonly number[];
  readonly layout: Layout;
}

/** Values that are combined element by element, in one layout: channels-last where an image among them lies so. */
export function aligned(device: Device, values: readonly Value[]): Aligned {
  const dims = broadcast(...values.map((v) => v.dims));
  const layout = dims.length === 4 && values.some((v) => v.dims.length === 4 && v.prefersLast) ? 'last' : 'plain';
  return { tensors: values.map((v) => (layout === 'last' ? lastOf(device, v) : v.tensor())), dims, layout };
}

/** Something that broadcasts to an image, channels-last. */
function lastOf(device: Device, value: Value): Tf {
  if (value.dims.length === 4) return value.tensor('last');
  if (value.size === 1) return value.tensor();
  return value.prepared('last', () => {
    const padded = [...Array<number>(4 - value.dims.length).fill(1), ...value.dims];
    return device.transpose(device.reshape(value.tensor(), padded), toLast);
  });
}

/** The shape of an image's elements in memory. */
export function physical(dims: readonly number[], layout: Layout): number[] {
  return layout === 'last' ? toLast.map((axis) => dims[axis] as number) : [...dims];
}

export function made(device: Device, tensor: Tf, dims: readonly number[], layout: Layout = 'plain'): Value {
  return Value.ofDevice(device, tensor, dims, layout);
}

/** Repeated along axes of one element until it has `dims`. */
export function expanded(device: Device, x: Tf, dims: readonly number[]): Tf {
  if (x.shape.length === dims.length && dims.every((d, i) => d === x.shape[i])) return x;
  const padded = [...Array<number>(dims.length - x.shape.length).fill(1), ...x.shape];
  const reps = dims.map((d, i) => (padded[i] === d ? 1 : d));
  const wide = device.reshape(x, padded);
  return reps.every((r) => r === 1) ? wide : device.call('Tile', { x: wide }, { reps });
}
