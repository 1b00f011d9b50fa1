/** Arithmetic of two or more values under broadcasting. */
import { toNumbers } from '../../../ir/index.js';
import type { Backward, RuleContext, RuleTable } from './rule.js';

const add: Backward = (c) => c.node.inputs.map((_, i) => (c.needs(i) ? c.e.sumTo(c.dy(), c.xDims(i)) : undefined));

/** Gradients of both inputs, each summed over the axes along which it was broadcast. */
function pair(dx0: (c: RuleContext) => string, dx1: (c: RuleContext) => string): Backward {
  return (c) => [
    c.needs(0) ? c.e.sumTo(dx0(c), c.xDims(0)) : undefined,
    c.needs(1) ? c.e.sumTo(dx1(c), c.xDims(1)) : undefined,
  ];
}

const pow: Backward = (c) => {
  const { e } = c;
  const constant = c.constants.get(c.x(1));
  const exponent = constant?.data.length === 1 ? (toNumbers(constant)[0] as number) : undefined;
  let dx: string | undefined;
  if (c.needs(0)) {
    if (exponent === 2) dx = e.mul(c.dy(), e.scale(c.x(), 2));
    else if (exponent !== undefined) {
      dx = e.mul(c.dy(), e.scale(e.binary('Pow', c.x(), e.scalar(exponent - 1)), exponent));
    } else {
      const p = c.number(1);
      dx = e.mul(c.dy(), e.mul(p, e.binary('Pow', c.x(), e.sub(p, e.scalar(1)))));
    }
    dx = e.sumTo(dx, c.xDims(0));
  }
  if (!c.needs(1)) return [dx];
  // d x^p / dp = x^p ln x, taken as 0 where x <= 0.
  const positive = e.binary('Greater', c.x(), e.scalar(0));
  const log = e.unary('Log', e.where(positive, c.x(), e.scalar(1)));
  return [dx, e.sumTo(e.mul(c.dy(), e.mul(c.y(), log)), c.xDims(1))];
};

/** The gradient goes to the inputs that equal the result; where several do, it is shared evenly, as PyTorch shares it. */
const extremum: Backward = (c) => {
  const { e } = c;
  if (c.node.inputs.length === 1) return [c.dy()];
  const hits = c.node.inputs.map((x) => e.toFloat(e.binary('Equal', x, c.y())));
  const share = e.div(
    c.dy(),
    hits.reduce((a, b) => e.add(a, b)),
  );
  return c.node.inputs.map((_, i) => (c.needs(i) ? e.sumTo(e.mul(share, hits[i] as string), c.xDims(i)) : undefined));
};

export const arithmetic: RuleTable = {
  Add: add,
  Sum: add,
  Mean: (c) => {
    const share = c.e.scale(c.dy(), 1 / c.node.inputs.length);
    return c.node.inputs.map((_, i) => (c.needs(i) ? c.e.sumTo(share, c.xDims(i)) : undefined));
  },
  Sub: pair(
    (c) => c.dy(),
    (c) => c.e.unary('Neg', c.dy()),
  ),
  Mul: (c) => {
    const { e } = c;
    if (c.x(0) === c.x(1)) {
      const half = e.mul(c.dy(), c.x());
      return [half, half];
    }
    return pair(
      () => e.mul(c.dy(), c.x(1)),
      () => e.mul(c.dy(), c.x(0)),
    )(c);
  },
  Div: pair(
    (c) => c.e.div(c.dy(), c.x(1)),
    (c) => c.e.unary('Neg', c.e.div(c.e.mul(c.dy(), c.y()), c.x(1))),
  ),
  Pow: pow,
  Max: extremum,
  Min: extremum,
  Where: (c) => [
    undefined,
    c.needs(1) ? c.e.sumTo(c.e.where(c.x(0), c.dy(), c.e.scalar(0)), c.xDims(1)) : undefined,
    c.needs(2) ? c.e.sumTo(c.e.where(c.x(0), c.e.scalar(0), c.dy()), c.xDims(2)) : undefined,
  ],
};
