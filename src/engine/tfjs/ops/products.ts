/** Matrix products. */
import { floatAttribute, intAttribute, sizeOf, stringAttribute, type Tensor } from '../../../ir/index.js';
import { broadcastPlaces, hostBinary, pick, places, stridesOf } from '../host.js';
import { maths } from '../maths.js';
import { permuted, Value } from '../value.js';
import { einsum, equationOf, hostEinsum } from './einsum.js';
import { broadcast, fail, made, type OpTable, required, show } from './op.js';
import { product } from './product.js';

function floats(inputs: readonly (Value | undefined)[], count: number): Value[] {
  return Array.from({ length: count }, (_, i) => {
    const value = required(inputs, i);
    return value.type === 'float32' ? value : fail(`TensorFlow.js does not compute it in ${value.type}`);
  });
}

/** a b of matrices in double precision, in the caller's memory: stacks of them under numpy's rules. */
function hostProduct(a: Tensor, b: Tensor): Tensor {
  const [left, right] = [a.dims.length > 1 ? a.dims : [1, ...a.dims], b.dims.length > 1 ? b.dims : [...b.dims, 1]];
  const [m = 1, k = 1] = left.slice(-2);
  const [inner = 1, n = 1] = right.slice(-2);
  if (k !== inner) fail(`${show(a.dims)} and ${show(b.dims)} do not multiply: ${k} columns meet ${inner} rows`);
  const stack = broadcast(left.slice(0, -2), right.slice(0, -2));
  const [fromA, fromB] = [broadcastPlaces(left.slice(0, -2), stack), broadcastPlaces(right.slice(0, -2), stack)];
  const [x, y] = [a.data as Float64Array, b.data as Float64Array];
  const data = new Float64Array(fromA.length * m * n);
  fromA.forEach((atA, s) => {
    const atB = fromB[s] as number;
    for (let i = 0; i < m; i++) {
      for (let p = 0; p < k; p++) {
        const factor = x[(atA * m + i) * k + p] as number;
        for (let j = 0; j < n; j++) {
          const at = (s * m + i) * n + j;
          data[at] = (data[at] as number) + factor * (y[(atB * k + p) * n + j] as number);
        }
      }
    }
  });
  const dims = [...stack, ...(a.dims.length > 1 ? [m] : []), ...(b.dims.length > 1 ? [n] : [])];
  return { type: 'float64', dims, data };
}

const isDouble = (value: Value | undefined) => value?.type === 'float64';

export const products: OpTable = {
  MatMul:
    ({ device }) =>
    (inputs) => {
      if (isDouble(inputs[0]) && isDouble(inputs[1])) {
        return Value.ofHost(device, hostProduct(required(inputs, 0).host(), required(inputs, 1).host()));
      }
      const [a, b] = floats(inputs, 2) as [Value, Value];
      const result = product(device, a.tensor(), b.tensor());
      return made(device, result, result.shape);
    },
  Gemm: ({ device, node }) => {
    const m = maths(device);
    const [ta, tb] = ['transA', 'transB'].map((name) => intAttribute(node, name, 0) === 1) as [boolean, boolean];
    const [alpha, beta] = ['alpha', 'beta'].map((name) => floatAttribute(node, name, 1)) as [number, number];
    const hostGemm = (values: readonly Tensor[]): Tensor => {
      const turned = (x: Tensor, isTurned: boolean) =>
        isTurned
          ? pick(x, permuted(x.dims, [1, 0]), places(permuted(x.dims, [1, 0]), permuted(stridesOf(x.dims), [1, 0])))
          : x;
      const number = (v: number): Tensor => ({ type: 'float64', dims: [], data: Float64Array.of(v) });
      const [a, b, bias] = values as [Tensor, Tensor, Tensor?];
      const scaled = hostBinary('Mul', hostProduct(turned(a, ta), turned(b, tb)), number(alpha)) as Tensor;
      return bias ? (hostBinary('Add', scaled, hostBinary('Mul', bias, number(beta)) as Tensor) as Tensor) : scaled;
    };
    return (inputs) => {
      const given = inputs.filter((v) => v !== undefined);
      if (given.every(isDouble)) return Value.ofHost(device, hostGemm(given.map((v) => v.host())));
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
    const equation = equationOf(stringAttribute(node, 'equation', ''));
    return (inputs) => {
      if (inputs.every(isDouble)) {
        return Value.ofHost(
          device,
          hostEinsum(
            equation,
            inputs.map((_, i) => required(inputs, i).host()),
          ),
        );
      }
      const tensors = floats(inputs, inputs.length).map((v) => v.tensor());
      const result = einsum(device, equation, tensors);
      return made(device, result, result.shape);
    };
  },
};
