/** One matrix product on the device. */
import { sizeOf } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { broadcast, expanded, fail, show } from './op.js';

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
  return device.reshape(stacked(device, x, y, transposeA, transposeB), dims);
}

/** Multiplications of one matrix from which on matrices are multiplied one by one. */
const ownKernel = 2 ** 14;

/** Stacks of as many matrices, or of one. WebAssembly's kernel is fast for single ones only. */
function stacked(device: Device, a: Tf, b: Tf, transposeA: boolean, transposeB: boolean): Tf {
  const multiply = (x: Tf, y: Tf) => device.call('BatchMatMul', { a: x, b: y }, { transposeA, transposeB });
  const count = Math.max(a.shape[0] as number, b.shape[0] as number);
  const work = (a.size / (a.shape[0] as number)) * (b.shape[transposeB ? 1 : 2] as number);
  if (device.backend !== 'wasm' || count === 1 || work < ownKernel) return multiply(a, b);
  const one = (x: Tf, i: number) => {
    if (x.shape[0] === 1) return x;
    return device.call('Slice', { x }, { begin: [i, 0, 0], size: [1, ...x.shape.slice(1)] });
  };
  const parts = Array.from({ length: count }, (_, i) => multiply(one(a, i), one(b, i)));
  return device.call('Concat', Object.assign(parts, { ...parts }) as never, { axis: 0 });
}
