/** Pools. */
import { intAttribute, intsAttribute, sizeOf, stringAttribute } from '../../../ir/index.js';
import { emitComposite, maxPoolGradient } from '../composites/index.js';
import { type Window, windowAttributes, windowOf } from '../window.js';
import { inputGradient } from './convolution.js';
import type { Backward, Rule, RuleContext, RuleTable } from './rule.js';

function poolWindow(c: RuleContext): Window {
  const kernel = intsAttribute(c.node, 'kernel_shape') ?? [];
  return { ...windowOf(c.node, kernel, c.xDims().slice(2), c.yDims().slice(2)), group: 1 };
}

/** The gradient goes to the first largest element of each window. */
const maxPool: Rule = {
  forward: (c) => {
    const { e, node } = c;
    if (intAttribute(node, 'storage_order', 0)) c.unsupported('column-major indices');
    const indices = c.secondOutput('Indices');
    c.saved.set('indices', indices);
    e.append({ ...node, outputs: [c.y(), indices] });
  },
  backward: (c) => [
    emitComposite(
      c.e,
      maxPoolGradient,
      [c.dy(), c.saved.get('indices') as string, c.x(), c.y()],
      c.xDims(),
      windowAttributes(poolWindow(c)),
    ),
  ],
};

/** How many elements each window averages, per axis; their product is the divisor. */
function counts(c: RuleContext, w: Window): number[][] {
  const include = intAttribute(c.node, 'count_include_pad', 0) === 1;
  const isAutomatic = stringAttribute(c.node, 'auto_pad', 'NOTSET').startsWith('SAME');
  // What a last window covers beyond the declared padding does not count.
  const declared = isAutomatic ? undefined : (intsAttribute(c.node, 'pads') ?? Array(2 * w.kernel.length).fill(0));
  return w.kernel.map((k, axis) => {
    const size = c.xDims()[axis + 2] as number;
    const begin = w.begin[axis] as number;
    const end = declared ? (declared[axis + w.kernel.length] as number) : (w.end[axis] as number);
    const [low, high] = include ? [-begin, size + end] : [0, size];
    return Array.from({ length: c.yDims()[axis + 2] as number }, (_, o) => {
      let count = 0;
      for (let i = 0; i < k; i++) {
        const at = o * (w.strides[axis] as number) - begin + i * (w.dilations[axis] as number);
        if (at >= low && at < high) count++;
      }
      return count;
    });
  });
}

const averagePool: Backward = (c) => {
  const { e } = c;
  const w = poolWindow(c);
  const [n, channels, ...space] = c.xDims() as [number, number, ...number[]];
  let dy = c.dy();
  counts(c, w).forEach((row, axis) => {
    const inverse = row.map((v) => 1 / v);
    const uniform = inverse.every((v) => v === inverse[0]);
    const dims = [row.length, ...Array<number>(w.kernel.length - 1 - axis).fill(1)];
    dy = uniform ? e.scale(dy, inverse[0] as number) : e.mul(dy, e.numbers(dims, inverse));
  });
  const tiled = w.kernel.every(
    (k, i) =>
      w.strides[i] === k && w.dilations[i] === 1 && w.begin[i] === 0 && k * (c.yDims()[i + 2] as number) === space[i],
  );
  if (tiled) {
    const split = e.reshape(dy, [
      n * channels,
      ...c
        .yDims()
        .slice(2)
        .flatMap((d) => [d, 1]),
    ]);
    const out = [
      n * channels,
      ...c
        .yDims()
        .slice(2)
        .flatMap((d, i) => [d, w.kernel[i] as number]),
    ];
    return [e.reshape(e.expand(split, out), c.xDims())];
  }
  const planes = e.reshape(dy, [n * channels, 1, ...c.yDims().slice(2)]);
  const ones = e.full([1, 1, ...w.kernel], 1);
  return [e.reshape(inputGradient(c, planes, ones, [n * channels, 1, ...space], w), c.xDims())];
};

/** y^p = sum |x|^p over a window: dx = sign(x) |x|^(p-1) times the windows' sum of dy / y^(p-1), 0 where y is. */
const lpPool: Backward = (c) => {
  const { e } = c;
  const w = poolWindow(c);
  const [n, channels, ...space] = c.xDims() as [number, number, ...number[]];
  const planes = e.reshape(lpShare(c), [n * channels, 1, ...c.yDims().slice(2)]);
  const spread = inputGradient(c, planes, e.full([1, 1, ...w.kernel], 1), [n * channels, 1, ...space], w);
  return [e.mul(lpPower(c), e.reshape(spread, c.xDims()))];
};

const globalLpPool: Backward = (c) => [c.e.mul(lpPower(c), lpShare(c))];

const powerOf = (c: RuleContext) => intAttribute(c.node, 'p', 2);

/** dy / y^(p-1), 0 where y is. */
function lpShare(c: RuleContext): string {
  const { e } = c;
  const [p, zero] = [powerOf(c), e.scalar(0)];
  const none = e.binary('Equal', c.y(), zero);
  const safe = e.where(none, e.scalar(1), c.y());
  const share = p === 1 ? c.dy() : e.div(c.dy(), p === 2 ? safe : e.binary('Pow', safe, e.scalar(p - 1)));
  return e.where(none, zero, share);
}

/** sign(x) |x|^(p-1). */
function lpPower(c: RuleContext): string {
  const { e } = c;
  const p = powerOf(c);
  if (p === 1) return e.unary('Sign', c.x());
  if (p === 2) return c.x();
  return e.mul(c.x(), e.binary('Pow', e.unary('Abs', c.x()), e.scalar(p - 2)));
}

const globalAverage: Backward = (c) => {
  const size = sizeOf(c.xDims().slice(2));
  return [c.e.expand(c.e.scale(c.dy(), 1 / size), c.xDims())];
};

const globalMax: Backward = (c) => {
  const { e } = c;
  const axes = [...c.xDims().keys()].slice(2);
  const hits = e.toFloat(e.binary('Equal', c.x(), c.y()));
  return [e.mul(hits, e.div(c.dy(), e.sum(hits, axes, true)))];
};

export const pooling: RuleTable = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: globalMax,
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
};
