/** Matrix products. */
import { floatAttribute, intAttribute, sizeOf, stringAttribute } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { maths } from '../maths.js';
import type { Value } from '../value.js';
import { broadcast, expanded, fail, made, type OpTable, required, show } from './op.js';

/** a b of stacks of matrices, under numpy's rules. */
export function product(device: Device, a: Tf, b: Tf, transposeA = false, transposeB = false): Tf {
  const matrix = (x: Tf, isLeft: boolean) =>
    x.shape.length > 1 ? x : device.reshape(x, isLeft ? [1, x.size] : [x.size, 1]);
  const [left, right] = [matrix(a, true), matrix(b, false)];
  const size = (x: Tf, transposed: boolean) => {
    const [rows = 1, columns = 1] = x.shape.slice(-2);
    return transposed ? [columns, rows] : [rows, columns];
  };
  const [m = 1, k = 1] = size(left, transposeA);
  const [inner = 1, n = 1] = size(right, transposeB);
  if (k !== inner) fail(`${show(a.shape)} and ${show(b.shape)} do not multiply: ${k} columns meet ${inner} rows`);
  const [stackA, stackB] = [left.shape.slice(0, -2), right.shape.slice(0, -2)];
  const stack = broadcast(stackA, stackB);
  const dims = [...stack, ...(a.shape.length > 1 ? [m] : []), ...(b.shape.length > 1 ? [n] : [])];
  if (sizeOf(dims) === 0 || k === 0) {
    return device.upload(new Float32Array(sizeOf(dims)), dims, 'float32');
  }
  const three = (x: Tf, count: number) => device.reshape(x, [count, ...x.shape.slice(-2)]);
  let [x, y] = [left, right];
  if (sizeOf(stackB) === 1) {
    // One matrix on the right: all rows on the left are one matrix too.
    x = transposeA ? three(left, sizeOf(stack)) : device.reshape(left, [1, sizeOf(stack) * m, k]);
    y = three(right, 1);
  } else {
    const whole = (t: Tf, own: readonly number[]) =>
      sizeOf(own) === 1 || sizeOf(own) === sizeOf(stack)
        ? three(t, sizeOf(own))
        : three(expanded(device, t, [...stack, ...t.shape.slice(-2)]), sizeOf(stack));
    x = whole(left, stackA);
    y = whole(right, stackB);
  }
  return device.reshape(device.call('BatchMatMul', { a: x, b: y }, { transposeA, transposeB }), dims);
}

function floats(inputs: readonly (Value | undefined)[], count: number): Value[] {
  return Array.from({ length: count }, (_, i) => {
    const value = required(inputs, i);
    return value.type === 'float32' ? value : fail(`TensorFlow.js does not compute it in ${value.type}`);
  });
}

export const products: OpTable = {
  MatMul:
    ({ device }) =>
    (inputs) => {
      const [a, b] = floats(inputs, 2) as [Value, Value];
      const result = product(device, a.tensor(), b.tensor());
      return made(device, result, result.shape);
    },
  Gemm: ({ device, node }) => {
    const m = maths(device);
    const [ta, tb] = ['transA', 'transB'].map((name) => intAttribute(node, name, 0) === 1) as [boolean, boolean];
    const [alpha, beta] = ['alpha', 'beta'].map((name) => floatAttribute(node, name, 1)) as [number, number];
    return (inputs) => {
      const [a, b] = floats(inputs, 2) as [Value, Value];
      let result = product(device, a.tensor(), b.tensor(), ta, tb);
      if (alpha !== 1) result = m.mul(result, alpha);
      const bias = inputs[2];
      if (bias) {
        const dims = broadcast(result.shape, bias.dims);
        if (dims.length !== 2 || sizeOf(dims) !== result.size) fail(`a bias of ${show(bias.dims)} does not fit`);
        result = m.add(result, beta === 1 ? bias.tensor() : m.mul(bias.tensor(), beta));
      }
      return made(device, result, result.shape);
    };
  },
  Einsum: ({ device, node }) => {
    const equation = stringAttribute(node, 'equation', '').replaceAll(' ', '');
    return (inputs) => {
      const values = floats(inputs, inputs.length);
      const terms = equation.split('->')[0]?.split(',') ?? [];
      const isPlain = terms.every((t) => !t.includes('.') && new Set(t).size === t.length);
      if (!isPlain || !equation.includes('->') || values.length > 2) {
        fail(`TensorFlow.js does not take the equation '${equation}'`);
      }
      const tensors = values.map((v) => v.tensor());
      const result = device.call('Einsum', Object.assign(tensors, { ...tensors }) as never, { equation });
      return made(device, result, result.shape);
    };
  },
};
