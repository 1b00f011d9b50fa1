/** Operators that work element by element, and casts. */
import { floatAttribute, intAttribute, stringAttribute, type Tensor, typeOfNumber } from '../../../ir/index.js';
import type { Tf } from '../device.js';
import { broadcastPlaces, hostBinary, hostCast, hostUnary, pick } from '../host.js';
import { type Maths, maths } from '../maths.js';
import { Value } from '../value.js';
import {
  aligned,
  broadcast,
  expanded,
  fail,
  made,
  type Op,
  type OpTable,
  physical,
  required,
  type Site,
} from './op.js';

const lacks = (type: string): never => fail(`TensorFlow.js does not compute it in ${type}`);

/** f of each element; other types than float32 in the caller's memory. */
function unary({ device, node }: Site, f: (x: Tf, m: Maths) => Tf) {
  const m = maths(device);
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    if (x.type !== 'float32') return Value.ofHost(device, hostUnary(node.op, x.host()) ?? lacks(x.type));
    const { tensors, dims, layout } = aligned(device, [x]);
    return made(device, f(tensors[0] as Tf, m), dims, layout);
  };
}

const kernel =
  (name: string): Op =>
  (site) =>
    unary(site, (x) => site.device.call(name, { x }));

/** f with the node's attributes. */
const formula =
  (f: (x: Tf, m: Maths, attribute: (name: string, fallback: number) => number, site: Site) => Tf): Op =>
  (site) =>
    unary(site, (x, m) => f(x, m, (name, fallback) => floatAttribute(site.node, name, fallback), site));

/** x where it is below zero, and what is above. */
const below = (x: Tf, m: Maths) => m.min(x, 0);

const unaries: OpTable = {
  ...Object.fromEntries(
    [
      ...[
        'Abs',
        'Acos',
        'Acosh',
        'Asin',
        'Asinh',
        'Atan',
        'Atanh',
        'Ceil',
        'Cos',
        'Cosh',
        'Erf',
        'Exp',
        'Floor',
        'Log',
      ],
      ...['Neg', 'Reciprocal', 'Relu', 'Round', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Softplus', 'Sqrt', 'Tan', 'Tanh'],
    ].map((name) => [name, kernel(name)]),
  ),
  HardSigmoid: formula((x, m, a) => m.clip(m.add(m.mul(x, a('alpha', 0.2)), a('beta', 0.5)), 0, 1)),
  HardSwish: formula((x, m) => m.mul(x, m.clip(m.add(m.mul(x, 1 / 6), 0.5), 0, 1))),
  LeakyRelu: formula((x, m, a) => m.add(m.relu(x), m.mul(below(x, m), a('alpha', 0.01)))),
  Elu: formula((x, m, a) => m.add(m.relu(x), m.mul(m.expm1(below(x, m)), a('alpha', 1)))),
  Celu: formula((x, m, a) => m.add(m.relu(x), m.mul(m.expm1(m.div(below(x, m), a('alpha', 1))), a('alpha', 1)))),
  Selu: formula((x, m, a) =>
    m.mul(
      m.add(m.relu(x), m.mul(m.expm1(below(x, m)), a('alpha', 1.6732632423543772))),
      a('gamma', 1.0507009873554805),
    ),
  ),
  Softsign: formula((x, m) => m.div(x, m.add(m.abs(x), 1))),
  ThresholdedRelu: formula((x, m, a) => m.mul(x, m.float(m.greater(x, a('alpha', 1))))),
  Shrink: formula((x, m, a) => {
    const [lambda, bias] = [a('lambd', 0.5), a('bias', 0)];
    const high = m.mul(m.sub(x, bias), m.float(m.greater(x, lambda)));
    return m.add(high, m.mul(m.add(x, bias), m.float(m.less(x, -lambda))));
  }),
  Mish: formula((x, m) => m.mul(x, m.tanh(m.softplus(x)))),
  Swish: formula((x, m, a) => m.mul(x, m.sigmoid(m.mul(x, a('alpha', 1))))),
  Gelu: formula((x, m, _, { node }) => {
    if (stringAttribute(node, 'approximate', 'none') === 'tanh') {
      const inner = m.mul(m.add(x, m.mul(m.mul(m.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
      return m.mul(m.mul(x, 0.5), m.add(m.tanh(inner), 1));
    }
    return m.mul(m.mul(x, 0.5), m.add(m.erf(m.mul(x, Math.SQRT1_2)), 1));
  }),
  IsNaN: kernel('IsNan'),
  Not:
    ({ device }) =>
    (inputs) => {
      const x = required(inputs, 0);
      if (x.hasHost) return Value.ofHost(device, hostUnary('Not', x.host()) ?? lacks(x.type));
      const { tensors, dims, layout } = aligned(device, [x]);
      return made(device, device.call('LogicalNot', { x: tensors[0] as Tf }), dims, layout);
    },
};

/** The operator's kernel on two values at a time. */
const pairs =
  (kernelName: string, finish?: (sum: Tf, count: number, m: Maths) => Tf): Op =>
  ({ device, node }) => {
    const m = maths(device);
    const fmod = intAttribute(node, 'fmod', 0) === 1;
    const hostOp = node.op === 'Sum' ? 'Add' : node.op;
    return (inputs) => {
      const values = inputs.map((_, i) => required(inputs, i));
      if (values.some((v) => v.type !== 'float32')) {
        const types = new Set(values.map((v) => v.type));
        const isFloat = values[0]?.type === 'float32' && node.op === 'Pow';
        if (!isFloat) {
          return Value.ofHost(
            device,
            values
              .map((v) => v.host())
              .reduce((a, b) => hostBinary(hostOp, a, b, fmod) ?? lacks([...types].join(' and '))),
          );
        }
      }
      const floats = values.map((v) =>
        v.type === 'float32' ? v : Value.ofHost(device, hostCast(v.host(), 'float32') ?? lacks(v.type)),
      );
      const { tensors, dims, layout } = aligned(device, floats);
      let result = tensors[0] as Tf;
      for (const b of tensors.slice(1)) result = device.call(kernelName, { a: result, b });
      if (finish) result = finish(result, tensors.length, m);
      // One value alone is itself, under another name.
      if (tensors.length === 1 && !finish) return values[0] as Value;
      for (const extra of floats) if (!values.includes(extra)) extra.hold().release();
      return made(device, result, dims, layout);
    };
  };

/** Of two values: yes or no. Booleans are compared as numbers. */
const comparison =
  (kernelName: string): Op =>
  ({ device, node }) =>
  (inputs) => {
    const [a, b] = [required(inputs, 0), required(inputs, 1)];
    const isLogical = ['And', 'Or', 'Xor'].includes(node.op);
    if (!a.onDevice || !b.onDevice || (a.hasHost && b.hasHost)) {
      return Value.ofHost(device, hostBinary(node.op, a.host(), b.host()) ?? lacks(a.type));
    }
    const { tensors, dims, layout } = aligned(device, [a, b]);
    const [x, y] = tensors.map((t) => (isLogical ? t : device.cast(t, 'float32'))) as [Tf, Tf];
    return made(device, device.call(kernelName, { a: x, b: y }), dims, layout);
  };

const binaries: OpTable = {
  Add: pairs('Add'),
  Sub: pairs('Sub'),
  Mul: pairs('Multiply'),
  Div: pairs('RealDiv'),
  Mod: pairs('Mod'),
  Max: pairs('Maximum'),
  Min: pairs('Minimum'),
  Sum: pairs('Add'),
  Mean: pairs('Add', (sum, count, m) => m.div(sum, count)),
  Pow: pairs('Pow'),
  Equal: comparison('Equal'),
  Greater: comparison('Greater'),
  GreaterOrEqual: comparison('GreaterEqual'),
  Less: comparison('Less'),
  LessOrEqual: comparison('LessEqual'),
  And: comparison('LogicalAnd'),
  Or: comparison('LogicalOr'),
  Xor: comparison('NotEqual'),
};

export const elementwise: OpTable = {
  ...unaries,
  ...binaries,
  PRelu: ({ device }) => {
    const m = maths(device);
    return (inputs) => {
      const [first, second] = [required(inputs, 0), required(inputs, 1)];
      if (first.type !== 'float32') {
        const [value, factor] = [first.host(), second.host()];
        const zero = { ...hostCast({ type: 'float64', dims: [], data: Float64Array.of(0) }, first.type) } as Tensor;
        const combine = (op: string, a: Tensor, b: Tensor) => hostBinary(op, a, b) ?? lacks(first.type);
        const low = combine('Mul', factor, combine('Min', value, zero));
        return Value.ofHost(device, combine('Add', combine('Max', value, zero), low));
      }
      const { tensors, dims, layout } = aligned(device, [first, second]);
      const [x, slope] = tensors as [Tf, Tf];
      return made(device, m.add(m.relu(x), m.mul(slope, below(x, m))), dims, layout);
    };
  },
  Clip: ({ device }) => {
    const m = maths(device);
    return (inputs) => {
      const x = required(inputs, 0);
      const bound = (at: number, fallback: number) => inputs[at]?.numbers()[0] ?? fallback;
      const [low, high] = [bound(1, Number.NEGATIVE_INFINITY), bound(2, Number.POSITIVE_INFINITY)];
      if (x.type !== 'float32') {
        let host = x.host();
        if (inputs[1]) host = hostBinary('Max', host, inputs[1].host()) ?? lacks(x.type);
        if (inputs[2]) host = hostBinary('Min', host, inputs[2].host()) ?? lacks(x.type);
        return Value.ofHost(device, host);
      }
      const { tensors, dims, layout } = aligned(device, [x]);
      const [t] = tensors as [Tf];
      const bounded = Number.isFinite(low) && Number.isFinite(high) ? m.clip(t, low, high) : undefined;
      const lower = () => (low === Number.NEGATIVE_INFINITY ? t : m.max(t, low));
      const result = bounded ?? (high === Number.POSITIVE_INFINITY ? lower() : m.min(lower(), high));
      return result === t ? x : made(device, result, dims, layout);
    };
  },
  Where:
    ({ device }) =>
    (inputs) => {
      const [condition, a, b] = [required(inputs, 0), required(inputs, 1), required(inputs, 2)];
      if (a.type !== b.type) fail(`its inputs are of types ${a.type} and ${b.type}`);
      if (!a.onDevice) {
        const dims = broadcast(condition.dims, a.dims, b.dims);
        const c = condition.host().data;
        const from = [condition, a, b].map((v) => broadcastPlaces(v.dims, dims)) as [
          Int32Array,
          Int32Array,
          Int32Array,
        ];
        const [x, y] = [pick(a.host(), dims, from[1]), pick(b.host(), dims, from[2])];
        const data = (x.data as Float32Array).slice();
        for (let i = 0; i < data.length; i++) if (!c[from[0][i] as number]) data[i] = y.data[i] as number;
        return Value.ofHost(device, { type: a.type, dims, data });
      }
      const { tensors, dims, layout } = aligned(device, [condition, a, b]);
      const shape = physical(dims, layout);
      const [c, t, e] = tensors.map((x) => expanded(device, x, shape)) as [Tf, Tf, Tf];
      return made(device, device.call('Select', { condition: c, t, e }), dims, layout);
    },
  Cast: (site) => cast(site, () => typeOfNumber(intAttribute(site.node, 'to', 1))),
  CastLike: (site) => cast(site, (inputs) => required(inputs, 1).type),
};

function cast({ device }: Site, target: (inputs: readonly (Value | undefined)[]) => Value['type']) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const to = target(inputs);
    if (to === x.type) return x;
    if (x.onDevice && !x.hasHost && (to === 'float32' || to === 'bool')) {
      const { tensors, dims, layout } = aligned(device, [x]);
      const [t] = tensors as [Tf];
      const zero = () => device.scalar(0);
      const result = to === 'bool' ? device.call('NotEqual', { a: t, b: zero() }) : device.cast(t, to);
      return made(device, result, dims, layout);
    }
    return Value.ofHost(
      device,
      hostCast(x.host(), to) ?? fail(`TensorFlow.js has no conversion from ${x.type} to ${to}`),
    );
  };
}
