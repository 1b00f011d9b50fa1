/** Unary functions, each by its derivative. */
import { floatAttribute, stringAttribute } from '../../../ir/index.js';
import { normalCdf } from '../composites/activations.js';
import { clipGradient, emitComposite, geluGradient, reluGradient } from '../composites/index.js';
import type { Backward, Rule, RuleContext, RuleTable } from './rule.js';

/** dx = dy * d, where d is written from input and output. */
function times(derivative: (c: RuleContext) => string): Backward {
  return (c) => [c.e.mul(c.dy(), derivative(c))];
}

/** gelu = x Phi(x): written out, so that Phi(x) is there for the backward pass. */
function geluForward(c: RuleContext): void {
  const { e, node } = c;
  if (stringAttribute(node, 'approximate', 'none') === 'tanh') {
    e.append(node);
    return;
  }
  const phi = normalCdf(e, c.x());
  c.saved.set('phi', phi);
  e.node('Mul', [c.x(), phi], [c.y()]);
}

const gelu: Backward = (c) => {
  const { e } = c;
  const x = c.x();
  if (stringAttribute(c.node, 'approximate', 'none') === 'tanh') {
    // gelu = x/2 (1 + t), t = tanh(a (x + .044715 x^3)).
    const a = Math.sqrt(2 / Math.PI);
    const square = e.mul(x, x);
    const inner = e.mul(x, e.add(e.scale(square, a * 0.044715), e.scalar(a)));
    const t = e.unary('Tanh', inner);
    const slope = e.add(e.scale(square, 3 * a * 0.044715), e.scalar(a));
    const dt = e.mul(e.sub(e.scalar(1), e.mul(t, t)), slope);
    const half = e.add(e.scale(t, 0.5), e.scalar(0.5));
    return [e.mul(c.dy(), e.add(half, e.mul(e.scale(x, 0.5), dt)))];
  }
  return [emitComposite(e, geluGradient, [c.dy(), x, c.saved.get('phi') as string], c.xDims())];
};

/** y = x sigmoid(alpha x), written out, so that the sigmoid is there for the backward pass. */
const swish: Rule = {
  forward: (c) => {
    const { e, node } = c;
    const gate = e.unary('Sigmoid', e.scale(c.x(), floatAttribute(node, 'alpha', 1)));
    c.saved.set('gate', gate);
    e.node('Mul', [c.x(), gate], [c.y()]);
  },
  backward: times((c) => {
    const { e } = c;
    const gate = c.saved.get('gate') as string;
    const slope = e.mul(e.scale(c.y(), floatAttribute(c.node, 'alpha', 1)), e.sub(e.scalar(1), gate));
    return e.add(gate, slope);
  }),
};

/** 1 + sign x^2, and what its powers are the slopes of. */
const square = (c: RuleContext, sign: 1 | -1, v = c.x()) => c.e.add(c.e.scale(c.e.mul(v, v), sign), c.e.scalar(1));
const inverseRoot = (c: RuleContext, v: string) => c.e.unary('Reciprocal', c.e.sqrt(v));

export const elementwise: RuleTable = {
  Tan: times((c) => square(c, 1, c.y())),
  Asin: times((c) => inverseRoot(c, square(c, -1))),
  Acos: times((c) => c.e.unary('Neg', inverseRoot(c, square(c, -1)))),
  Atan: times((c) => c.e.unary('Reciprocal', square(c, 1))),
  Sinh: times((c) => c.e.sqrt(square(c, 1, c.y()))),
  Cosh: times((c) => c.e.emit('Sinh', [c.x()], c.xDims())),
  Asinh: times((c) => inverseRoot(c, square(c, 1))),
  Acosh: times((c) => inverseRoot(c, c.e.unary('Neg', square(c, -1)))),
  Atanh: times((c) => c.e.unary('Reciprocal', square(c, -1))),
  Identity: (c) => [c.dy()],
  Cast: (c) => [c.dy()],
  /** The second input lends its type. */
  CastLike: (c) => [c.dy(), c.needs(1) ? c.e.zeros(c.xDims(1)) : undefined],
  Neg: (c) => [c.e.unary('Neg', c.dy())],
  Abs: times((c) => c.e.unary('Sign', c.x())),
  Exp: times((c) => c.y()),
  Log: (c) => [c.e.div(c.dy(), c.x())],
  Sqrt: (c) => [c.e.div(c.e.scale(c.dy(), 0.5), c.y())],
  Reciprocal: times((c) => c.e.unary('Neg', c.e.mul(c.y(), c.y()))),
  Sin: times((c) => c.e.unary('Cos', c.x())),
  Cos: times((c) => c.e.unary('Neg', c.e.unary('Sin', c.x()))),
  Erf: times((c) => c.e.scale(c.e.unary('Exp', c.e.unary('Neg', c.e.mul(c.x(), c.x()))), 2 / Math.sqrt(Math.PI))),
  Tanh: times((c) => c.e.sub(c.e.scalar(1), c.e.mul(c.y(), c.y()))),
  Sigmoid: times((c) => c.e.mul(c.y(), c.e.sub(c.e.scalar(1), c.y()))),
  Softplus: times((c) => c.e.unary('Sigmoid', c.x())),
  Softsign: times((c) => {
    const d = c.e.add(c.e.scalar(1), c.e.unary('Abs', c.x()));
    return c.e.unary('Reciprocal', c.e.mul(d, d));
  }),
  Gelu: { forward: geluForward, backward: gelu },
  Relu: (c) => [emitComposite(c.e, reluGradient, [c.dy(), c.y()], c.xDims())],
  LeakyRelu: times((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 0.01);
    return c.e.where(c.e.binary('Greater', c.x(), c.e.scalar(0)), c.e.scalar(1), c.e.scalar(alpha));
  }),
  Elu: times((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 1);
    return c.e.where(c.e.binary('Greater', c.x(), c.e.scalar(0)), c.e.scalar(1), c.e.add(c.y(), c.e.scalar(alpha)));
  }),
  /** As Elu with slope 1 at zero: below, y = alpha (exp(x / alpha) - 1). */
  Celu: times((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 1);
    const below = c.e.add(c.e.scale(c.y(), 1 / alpha), c.e.scalar(1));
    return c.e.where(c.e.binary('Greater', c.x(), c.e.scalar(0)), c.e.scalar(1), below);
  }),
  Selu: times((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 1.6732632423543772);
    const gamma = floatAttribute(c.node, 'gamma', 1.0507009873554805);
    const below = c.e.add(c.y(), c.e.scalar(alpha * gamma));
    return c.e.where(c.e.binary('Greater', c.x(), c.e.scalar(0)), c.e.scalar(gamma), below);
  }),
  ThresholdedRelu: times((c) =>
    c.e.toFloat(c.e.binary('Greater', c.x(), c.e.scalar(floatAttribute(c.node, 'alpha', 1)))),
  ),
  Shrink: times((c) => {
    const apart = c.e.unary('Abs', c.x());
    return c.e.toFloat(c.e.binary('Greater', apart, c.e.scalar(floatAttribute(c.node, 'lambd', 0.5))));
  }),
  Swish: swish,
  PRelu: (c) => {
    const { e } = c;
    const positive = e.binary('Greater', c.x(), e.scalar(0));
    const dx = c.needs(0) ? e.mul(c.dy(), e.where(positive, e.scalar(1), c.x(1))) : undefined;
    if (!c.needs(1)) return [dx];
    return [dx, e.sumTo(e.mul(c.dy(), e.where(positive, e.scalar(0), c.x())), c.xDims(1))];
  },
  /** The bounds get no gradient: they are hyper-parameters of the network. */
  Clip: (c) => {
    const low = c.has(1) ? c.x(1) : undefined;
    const high = c.has(2) ? c.x(2) : undefined;
    if (!low && !high) return [c.dy()];
    return [emitComposite(c.e, clipGradient, [c.dy(), c.y(), low ?? '', high ?? ''], c.xDims())];
  },
  HardSigmoid: (c) => {
    const { e } = c;
    const dy = e.scale(c.dy(), floatAttribute(c.node, 'alpha', 0.2));
    return [emitComposite(e, clipGradient, [dy, c.y(), e.scalar(0), e.scalar(1)], c.xDims())];
  },
  /** y = x * clip(x/6 + 1/2, 0, 1): slope 0 below -3, 1 above 3, x/3 + 1/2 between. */
  HardSwish: times((c) => {
    const { e } = c;
    const slope = e.add(e.scale(c.x(), 1 / 3), e.scalar(0.5));
    const above = e.where(e.binary('Greater', c.x(), e.scalar(3)), e.scalar(1), slope);
    return e.where(e.binary('Less', c.x(), e.scalar(-3)), e.scalar(0), above);
  }),
  Mish: times((c) => {
    const { e } = c;
    const t = e.unary('Tanh', e.unary('Softplus', c.x()));
    return e.add(t, e.mul(e.mul(c.x(), e.unary('Sigmoid', c.x())), e.sub(e.scalar(1), e.mul(t, t))));
  }),
};
