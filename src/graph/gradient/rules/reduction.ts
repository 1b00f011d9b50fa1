/** Reductions over axes, and the normalised exponentials. */
import { intAttribute, sizeOf } from '../../../ir/index.js';
import { positiveAxis } from '../emitter.js';
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
    return [c.e.mul(c.x(), c.e.div(kept(c, c.dy(), axes), kept(c, c.y(), axes)))];
  },
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
