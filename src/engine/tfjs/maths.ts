/** Arithmetic on the device's tensors, where an operator is made of several kernels. */
import type { Device, Tf } from './device.js';

/** Terms from which on a running sum in single precision loses more than its terms' rounding. */
const longSum = 1024;

/** The divisor of n nearest to its root. */
function divisor(n: number): number {
  for (let d = Math.floor(Math.sqrt(n)); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

/**
 * Sum or mean over axes. The WebAssembly kernels add one number after the other in single precision, which over a batch
 * of images loses three digits; they are given one axis at a time, and a long axis in two.
 */
function totalled(device: Device, kernel: 'Sum' | 'Mean', x: Tf, axes: readonly number[], keepDims: boolean): Tf {
  const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
  const call = (t: Tf, axis: readonly number[], keep: boolean) =>
    device.call(kernel, { x: t }, { axis: [...axis], keepDims: keep });
  if (device.backend !== 'wasm' || count < longSum) return call(x, axes, keepDims);
  let result = x;
  for (const axis of [...axes].sort((a, b) => b - a)) {
    const size = result.shape[axis] as number;
    const part = size < longSum ? 1 : divisor(size);
    if (part > 1) {
      const [before, after] = [result.shape.slice(0, axis), result.shape.slice(axis + 1)];
      const split = device.reshape(result, [...before, size / part, part, ...after]);
      result = call(split, [axis + 1], false);
    }
    result = call(result, [axis], keepDims);
  }
  return result;
}

export function maths(device: Device) {
  const unary = (kernel: string) => (x: Tf) => device.call(kernel, { x });
  const binary = (kernel: string) => (a: Tf, b: Tf | number) =>
    device.call(kernel, { a, b: typeof b === 'number' ? device.scalar(b) : b });
  return {
    add: binary('Add'),
    sub: binary('Sub'),
    mul: binary('Multiply'),
    div: binary('RealDiv'),
    max: binary('Maximum'),
    min: binary('Minimum'),
    greater: binary('Greater'),
    less: binary('Less'),
    pow: binary('Pow'),
    abs: unary('Abs'),
    exp: unary('Exp'),
    expm1: unary('Expm1'),
    log: unary('Log'),
    neg: unary('Neg'),
    relu: unary('Relu'),
    sign: unary('Sign'),
    sqrt: unary('Sqrt'),
    rsqrt: unary('Rsqrt'),
    square: unary('Square'),
    tanh: unary('Tanh'),
    erf: unary('Erf'),
    sigmoid: unary('Sigmoid'),
    softplus: unary('Softplus'),
    clip: (x: Tf, clipValueMin: number, clipValueMax: number) =>
      device.call('ClipByValue', { x }, { clipValueMin, clipValueMax }),
    float: (x: Tf) => device.cast(x, 'float32'),
    sum: (x: Tf, axes: readonly number[], keep = true) => totalled(device, 'Sum', x, axes, keep),
    mean: (x: Tf, axes: readonly number[], keep = true) => totalled(device, 'Mean', x, axes, keep),
    largest: (x: Tf, axis: readonly number[], keepDims = true) =>
      device.call('Max', { x }, { reductionIndices: [...axis], keepDims }),
  };
}
export type Maths = ReturnType<typeof maths>;
