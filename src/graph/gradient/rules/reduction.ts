/** Reductions over axes, and the normalised exponentials. */
import { intAttribute, positiveAxis, sizeOf } from '../../../ir/index.js';
import type { Backward, RuleContext, RuleTable } from './rule.js';

/** Axes of a Reduce* node; all when none are given. */
function axesOf(c: RuleContext): number[] {
  const rank = c.xDims().length;
  const axes = c.numbers(1, 'axes') ?? [];
  if (axes.length === 0) return intAttribute(c.node, 'noop_with_empty_axes', 0) ? [] : [...Array(rank).keys()];
  return axes.map((a) => positiveAxis(a, rank));
}

/** A reduced value with its axes put back as ones. */
function kept(c: RuleContext, value: string, axes: readonly number[]): string {
  return c.e.reshape(
    value,
    c.xDims().map((d, i) => (axes.includes(i) ? 1 : d)),
  );
}

const reduceMean: Backward = (c) => {
  const axes = axesOf(c);
  const count = sizeOf(axes.map((a) => c.xDims()[a] as number));
  return [c.e.expand(c.e.scale(kept(c, c.dy(), axes), 1 / count), c.xDims())];
};

/** The gradient is shared evenly among equal extrema, as PyTorch's amax shares it. */
const reduceExtremum: Backward = (c) => {
  const { e } = c;
  const axes = axesOf(c);
  const hits = e.toFloat(e.binary('Equal', c.x(), kept(c, c.y(), axes)));
  return [e.mul(hits, e.div(kept(c, c.dy(), axes), e.sum(hits, axes, true)))];
};

/** The value, and 1 where it is 0, to divide by. */
const nonZero = (c: RuleContext, v: string) => c.e.where(c.e.binary('Equal', v, c.e.scalar(0)), c.e.scalar(1), v);

/** The product of all other elements: with zeros among them, of which only a single one has a gradient. */
const reduceProd: Backward = (c) => {
  const { e } = c;
  const axes = axesOf(c);
  const safe = nonZero(c, c.x());
  const isZero = e.toFloat(e.binary('Equal', c.x(), e.scalar(0)));
  const otherZeros = e.sub(e.sum(isZero, axes, true), isZero);
  const others = e.mul(e.div(e.reduce('ReduceProd', safe, axes, true), safe), e.toFloat(noZeros(c, otherZeros)));
  return [e.mul(kept(c, c.dy(), axes), others)];
};
const noZeros = (c: RuleContext, count: string) => c.e.binary('Less', count, c.e.scalar(0.5));

/** x over its norm along an axis: what is along y changes the norm alone. A norm of 0 has no gradient. */
const lpNormalization: Backward = (c) => {
  const { e } = c;
  const p = intAttribute(c.node, 'p', 2);
  const axes = [positiveAxis(intAttribute(c.node, 'axis', -1), c.xDims().length)];
  const along = e.sum(e.mul(c.dy(), c.y()), axes, true);
  const direction = p === 1 ? e.unary('Sign', c.x()) : c.y();
  const norm = nonZero(c, e.reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', c.x(), axes, true));
  return [e.div(e.sub(c.dy(), e.mul(direction, along)), norm)];
};

/** dx = y (dy - sum(dy y)). */
const softmax: Backward = (c) => {
  const { e } = c;
  const axis = positiveAxis(intAttribute(c.node, 'axis', -1), c.xDims().length);
  const weighted = e.mul(c.dy(), c.y());
  return [e.sub(weighted, e.mul(c.y(), e.sum(weighted, [axis], true)))];
};

/** dx = dy - softmax(x) sum(dy). */
const logSoftmax: Backward = (c) => {
  const { e } = c;
  const axis = positiveAxis(intAttribute(c.node, 'axis', -1), c.xDims().length);
  return [e.sub(c.dy(), e.mul(e.unary('Exp', c.y()), e.sum(c.dy(), [axis], true)))];
};

export const reduction: RuleTable = {
  ReduceSum: (c) => [c.e.expand(kept(c, c.dy(), axesOf(c)), c.xDims())],
  ReduceMean: reduceMean,
  ReduceMax: reduceExtremum,
  ReduceMin: reduceExtremum,
  ReduceSumSquare: (c) => [c.e.mul(c.e.scale(c.x(), 2), kept(c, c.dy(), axesOf(c)))],
  ReduceL2: (c) => {
    const axes = axesOf(c);
    return [c.e.mul(c.x(), c.e.div(kept(c, c.dy(), axes), nonZero(c, kept(c, c.y(), axes))))];
  },
  ReduceL1: (c) => [c.e.mul(c.e.unary('Sign', c.x()), kept(c, c.dy(), axesOf(c)))],
  ReduceProd: reduceProd,
  /** y = log sum x. */
  ReduceLogSum: (c) => {
    const axes = axesOf(c);
    return [c.e.expand(c.e.div(kept(c, c.dy(), axes), c.e.unary('Exp', kept(c, c.y(), axes))), c.xDims())];
  },
  ReduceLogSumExp: (c) => {
    const axes = axesOf(c);
    return [c.e.mul(c.e.unary('Exp', c.e.sub(c.x(), kept(c, c.y(), axes))), kept(c, c.dy(), axes))];
  },
  LpNormalization: lpNormalization,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
