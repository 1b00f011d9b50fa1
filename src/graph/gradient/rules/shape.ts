/** Operators that move, repeat or drop elements: their gradients move them back and add up the repeated ones. */
import { intAttribute, intsAttribute, positiveAxis, sizeOf, stringAttribute } from '../../../ir/index.js';
import { emitComposite, sliceGradient } from '../composites/index.js';
import { alongAxis } from './resize.js';
import type { Backward, RuleContext, RuleTable } from './rule.js';

const reshaped: Backward = (c) => [c.e.reshape(c.dy(), c.xDims())];

const transpose: Backward = (c) => {
  const rank = c.xDims().length;
  const perm = intsAttribute(c.node, 'perm') ?? [...Array(rank).keys()].reverse();
  return [
    c.e.transpose(
      c.dy(),
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ];
};

const concat: Backward = (c) => {
  const axis = positiveAxis(intAttribute(c.node, 'axis', 0), c.xDims().length);
  let start = 0;
  return c.node.inputs.map((_, i) => {
    const end = start + (c.xDims(i)[axis] as number);
    const part = c.needs(i) ? c.e.slice(c.dy(), axis, start, end) : undefined;
    start = end;
    return part;
  });
};

const split: Backward = (c) => {
  const axis = positiveAxis(intAttribute(c.node, 'axis', 0), c.xDims().length);
  return [
    c.e.concat(
      c.node.outputs.map((_, i) => c.dy(i)),
      axis,
    ),
  ];
};

/** Where a slice begins and how it steps along one axis, after ONNX's clamping. */
interface Range {
  axis: number;
  start: number;
  step: number;
}

function rangesOf(c: RuleContext): Range[] {
  const dims = c.xDims();
  const starts = c.numbers(1, 'starts') as number[];
  const axes = c.numbers(3, 'axes') ?? starts.map((_, i) => i);
  const steps = c.numbers(4, 'steps') ?? starts.map(() => 1);
  return starts.map((s, i) => {
    const axis = positiveAxis(axes[i] as number, dims.length);
    const size = dims[axis] as number;
    const step = steps[i] as number;
    const from = s < 0 ? s + size : s;
    return { axis, step, start: Math.min(Math.max(from, 0), step < 0 ? size - 1 : size) };
  });
}

const slice: Backward = (c) => {
  const ranges = rangesOf(c);
  const attributes = {
    axes: ranges.map((r) => r.axis),
    starts: ranges.map((r) => r.start),
    steps: ranges.map((r) => r.step),
  };
  return [emitComposite(c.e, sliceGradient, [c.dy()], c.xDims(), attributes)];
};

/** Each element counts in every sum from it on, so that the sums run the other way. */
const cumSum: Backward = (c) => {
  const reverse = 1 - intAttribute(c.node, 'reverse', 0);
  const exclusive = intAttribute(c.node, 'exclusive', 0);
  return [c.e.emit('CumSum', [c.dy(), c.x(1)], c.xDims(), { reverse, exclusive })];
};

/** Adds rows of dy to the rows that the indices name; repeated indices add up. */
const gather: Backward = (c) => {
  const { e } = c;
  const dims = c.xDims();
  const axis = positiveAxis(intAttribute(c.node, 'axis', 0), dims.length);
  const size = dims[axis] as number;
  const indexDims = c.xDims(1);
  const known = c.constants.get(c.x(1));
  if (known && known.data.length === 1) {
    const index = Number(known.data[0]);
    const first = index < 0 ? index + size : index;
    const row = e.reshape(
      c.dy(),
      dims.map((d, i) => (i === axis ? 1 : d)),
    );
    const at = (value: number) => dims.map((_, i) => (i === axis ? value : 0));
    return [e.pad(row, at(first), at(size - first - 1))];
  }
  const count = sizeOf(indexDims);
  const rows = e.reshape(c.dy(), [...dims.slice(0, axis), count, ...dims.slice(axis + 1)]);
  // Bring the axis to the front, add rows there, and put it back.
  const perm = [axis, ...dims.map((_, i) => i).filter((i) => i !== axis)];
  const front = e.transpose(rows, perm);
  const indices = e.emit('Reshape', [c.x(1), e.ints([count, 1])], [count, 1]);
  const frontDims = [size, ...dims.filter((_, i) => i !== axis)];
  const sum = e.emit('ScatterND', [e.zeros(frontDims), indices, front], frontDims, { reduction: 'add' });
  return [
    e.transpose(
      sum,
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ];
};

/** Adds dy at the positions that the indices name along an axis. */
function scattered(c: RuleContext, indices: string, axis: number): string {
  const dims = c.xDims();
  return c.e.emit('ScatterElements', [c.e.zeros(dims), indices, c.dy()], dims, { axis, reduction: 'add' });
}

const gatherElements: Backward = (c) => [scattered(c, c.x(1), intAttribute(c.node, 'axis', 0))];

/** The gradient of the values; that of the rest is 0. */
const topK: Backward = (c) => [scattered(c, c.y(1), intAttribute(c.node, 'axis', -1)), undefined];

const gatherNd: Backward = (c) => {
  if (intAttribute(c.node, 'batch_dims', 0) !== 0) c.unsupported('batch_dims');
  const dims = c.xDims();
  return [c.e.emit('ScatterND', [c.e.zeros(dims), c.x(1), c.dy()], dims, { reduction: 'add' })];
};

/** Data that was replaced has no gradient, data that was added to keeps it. */
function scatter(clear: (c: RuleContext) => string, pick: (c: RuleContext) => string): Backward {
  return (c) => {
    const reduction = stringAttribute(c.node, 'reduction', 'none');
    if (reduction !== 'none' && reduction !== 'add') c.unsupported(`reduction '${reduction}'`);
    const data = () => (reduction === 'add' ? c.dy() : clear(c));
    return [c.needs(0) ? data() : undefined, undefined, c.needs(2) ? pick(c) : undefined];
  };
}

const scatterNd = scatter(
  (c) => c.e.emit('ScatterND', [c.dy(), c.x(1), c.e.zeros(c.xDims(2))], c.xDims()),
  (c) => c.e.emit('GatherND', [c.dy(), c.x(1)], c.xDims(2)),
);

const scatterElements = scatter(
  (c) => {
    const axis = intAttribute(c.node, 'axis', 0);
    return c.e.emit('ScatterElements', [c.dy(), c.x(1), c.e.zeros(c.xDims(2))], c.xDims(), { axis });
  },
  (c) => c.e.emit('GatherElements', [c.dy(), c.x(1)], c.xDims(2), { axis: intAttribute(c.node, 'axis', 0) }),
);

/** Where an element beyond the end of an axis comes from. */
const beyond: Readonly<Record<string, (i: number, size: number) => number>> = {
  edge: (i, size) => Math.min(Math.max(i, 0), size - 1),
  reflect: (i, size) => {
    const period = Math.max(2 * (size - 1), 1);
    const at = ((i % period) + period) % period;
    return at < size ? at : period - at;
  },
  wrap: (i, size) => ((i % size) + size) % size,
};

const pad: Backward = (c) => {
  const { e } = c;
  const mode = stringAttribute(c.node, 'mode', 'constant');
  const rank = c.xDims().length;
  const pads = c.numbers(1, 'pads') as number[];
  const axes = (c.numbers(3, 'axes') ?? [...Array(rank).keys()]).map((a) => positiveAxis(a, rank));
  const begin = Array<number>(rank).fill(0);
  const end = Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    begin[axis] = pads[i] as number;
    end[axis] = pads[i + axes.length] as number;
  });
  if (mode === 'constant') {
    const back = (v: number) => -v;
    return [e.pad(c.dy(), begin.map(back), end.map(back))];
  }
  const source = beyond[mode] ?? c.unsupported(`mode '${mode}'`);
  let g = c.dy();
  for (const [axis, from] of c.xDims().entries()) {
    const to = c.yDims()[axis] as number;
    if (begin[axis] === 0 && end[axis] === 0) continue;
    const matrix = new Float64Array(to * from);
    for (let o = 0; o < to; o++) matrix[o * from + source(o - (begin[axis] as number), from)] = 1;
    g = alongAxis(e, g, axis, from, matrix);
  }
  return [g];
};

/** Copies of a tile add up. */
const tile: Backward = (c) => {
  const { e } = c;
  const repeats = c.numbers(1, 'repeats') as number[];
  const dims = c.xDims();
  const split = e.reshape(
    c.dy(),
    dims.flatMap((d, i) => [repeats[i] as number, d]),
  );
  return [
    e.sum(
      split,
      dims.map((_, i) => 2 * i),
    ),
  ];
};

const depthToSpace: Backward = (c) => {
  const { e } = c;
  const blocksize = intAttribute(c.node, 'blocksize', 1);
  if (stringAttribute(c.node, 'mode', 'DCR') === 'DCR') {
    return [e.emit('SpaceToDepth', [c.dy()], c.xDims(), { blocksize })];
  }
  // PyTorch's pixel shuffle: a channel's own block of channels becomes its square.
  const [n, channels, h, w] = c.xDims() as [number, number, number, number];
  const split = e.reshape(c.dy(), [n, channels / blocksize ** 2, h, blocksize, w, blocksize]);
  return [e.reshape(e.transpose(split, [0, 1, 3, 5, 2, 4]), c.xDims())];
};

export const shape: RuleTable = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Expand: (c) => [c.e.sumTo(c.dy(), c.xDims())],
  Transpose: transpose,
  Concat: concat,
  CumSum: cumSum,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  TopK: topK,
  Pad: pad,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: (c) => [
    c.e.emit('DepthToSpace', [c.dy()], c.xDims(), { blocksize: intAttribute(c.node, 'blocksize', 1) }),
  ],
};
