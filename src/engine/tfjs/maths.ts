/** Arithmetic on the device's tensors, where an operator is made of several kernels. */
import type { Device, Tf } from './device.js';

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
    sum: (x: Tf, axis: readonly number[], keepDims = true) => device.call('Sum', { x }, { axis: [...axis], keepDims }),
    mean: (x: Tf, axis: readonly number[], keepDims = true) =>
      device.call('Mean', { x }, { axis: [...axis], keepDims }),
    largest: (x: Tf, axis: readonly number[], keepDims = true) =>
      device.call('Max', { x }, { reductionIndices: [...axis], keepDims }),
  };
}
export type Maths = ReturnType<typeof maths>;
