/** What every axis of every value of a network counts, followed from the image through the operators. */
import {
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  type ObservedValue,
  stringAttribute,
  type Tensor,
  toNumbers,
} from '../../ir/index.js';
import {
  type Axis,
  agreed,
  axisOf,
  holds,
  isOf,
  joined,
  type PlaceOfOne,
  reshaped,
  sizeOfAxis,
  sliced,
} from './axis.js';

export type Axes = readonly Axis[];

/** What a rule sees of a node: its inputs' dims, their axes where they come from the image, its outputs' dims. */
interface Step {
  readonly node: Node;
  /** Axes of input `i`; undefined of a constant, and of an input that is absent. */
  readonly axes: (i: number) => Axes | undefined;
  readonly dims: (i: number) => readonly number[];
  readonly constant: (i: number) => Tensor | undefined;
  /** Which of the outputs is asked for, and its dims. */
  readonly output: number;
  readonly out: readonly number[];
  /** Of a batch of one example that is reshaped. */
  readonly place: PlaceOfOne;
}

type Rule = (step: Step) => Axes | undefined;

/** A network whose shapes are known. */
interface Observable {
  readonly graph: Graph;
  readonly values: ReadonlyMap<string, ObservedValue>;
  /** Examples in its input. */
  readonly batch: number;
}

/**
 * Axes of all values that are computed from the image. A value that no rule knows has unknown axes.
 * @param place of a batch of one example where a reshape leaves it open
 */
export function axesOf({ graph, values, batch }: Observable, place: PlaceOfOne = 'first'): ReadonlyMap<string, Axes> {
  const found = new Map<string, Axes>();
  for (const { name } of graph.inputs) {
    const dims = values.get(name)?.dims ?? [];
    const last = dims.length === 4 && dims[3] === 3 && dims[1] !== 3;
    const kinds = last ? (['row', 'column', 'channel'] as const) : (['channel', 'row', 'column'] as const);
    found.set(name, [axisOf('batch', batch), ...dims.slice(1).map((d, i) => axisOf(kinds[i] ?? 'unknown', d))]);
  }
  for (const node of graph.nodes) {
    if (node.op === 'Shape' || node.op === 'Size' || !node.inputs.some((name) => found.has(name))) continue;
    node.outputs.forEach((name, output) => {
      const out = values.get(name)?.dims;
      if (!name || !out) return;
      const step: Step = {
        node,
        axes: (i) => found.get(node.inputs[i] ?? ''),
        dims: (i) => values.get(node.inputs[i] ?? '')?.dims ?? [],
        constant: (i) => graph.constants.get(node.inputs[i] ?? ''),
        out,
        output,
        place,
      };
      const axes = fitted((rules[node.op] ?? elementwise)(step) ?? elementwise(step), out);
      found.set(name, settled(withBatch(axes, out, batch)));
    });
  }
  return found;
}

/** A rule that gives other sizes than the network has did not understand it. */
function fitted(axes: Axes | undefined, dims: readonly number[]): Axes {
  if (axes?.length === dims.length && axes.every((axis, i) => sizeOfAxis(axis) === dims[i])) return axes;
  return dims.map((d, i) => {
    const axis = axes?.length === dims.length ? axes[i] : undefined;
    return axis && sizeOfAxis(axis) === d ? axis : axisOf('unknown', d);
  });
}

/** Where the batch was lost, the first axis is taken for it if it has its size: networks keep it there. */
function withBatch(axes: Axes, [first]: readonly number[], batch: number): Axes {
  const [axis] = axes;
  if (!axis || first !== batch || axes.some((other) => holds(other, 'batch'))) return axes;
  return axis.length === 0 || isOf(axis, 'unknown') ? axes.with(0, axisOf('batch', batch)) : axes;
}

/**
 * Rows of which only the coarse part is left (the fine one went into channels, or was averaged) are rows of a smaller image;
 * columns too.
 */
function settled(axes: Axes): Axes {
  const coarse = (['row', 'column'] as const).filter((of) => {
    const [digit, ...others] = axes.flat().filter((d) => d.of === of || d.tokens !== undefined);
    return digit?.of === of && others.length === 0 && digit.stride > 1 && digit.stride * digit.size === digit.extent;
  });
  if (coarse.length === 0) return axes;
  return axes.map((axis) =>
    axis.map((d) => (coarse.some((of) => of === d.of) ? { of: d.of, extent: d.size, stride: 1, size: d.size } : d)),
  );
}

/** Combined by broadcasting. */
function broadcast(inputs: readonly Axes[], dims: readonly number[]): Axes {
  return dims.map((d, i) => {
    const aligned = inputs.flatMap((axes) => {
      const axis = axes[i - dims.length + axes.length];
      return axis && sizeOfAxis(axis) === d ? [axis] : [];
    });
    return agreed(aligned) ?? axisOf('unknown', d);
  });
}

/** Axes of the inputs that come from the image. */
const inputAxes = ({ node, axes }: Step): Axes[] =>
  node.inputs.flatMap((_, i) => {
    const found = axes(i);
    return found ? [found] : [];
  });

const elementwise: Rule = (step) => broadcast(inputAxes(step), step.out);

/** What a learned product over an axis makes: channels, but of places alone new, mixed places. */
function product(contracted: Axis | undefined, size: number): Axis {
  const places = contracted !== undefined && isOf(contracted, 'row', 'column', 'token', 'mixed');
  return axisOf(places ? 'mixed' : 'channel', size);
}

/** A window that moves along rows and columns: channels are new or kept, places are fewer or more. */
function windowed({ axes, out }: Step, channels: 'new' | 'kept'): Axes | undefined {
  const x = axes(0);
  return (
    x &&
    out.map((d, i) => {
      const axis = x[i] ?? [];
      if (i === 0) return axis;
      if (i === 1) return channels === 'new' ? product(axis, d) : resized(axis, d);
      return resized(axis, d);
    })
  );
}

/** The same dimension with another number of places. */
function resized(axis: Axis, size: number): Axis {
  if (sizeOfAxis(axis) === size) return axis;
  const [digit, ...others] = axis;
  return axisOf(digit && others.length === 0 ? digit.of : isOf(axis, 'channel') ? 'channel' : 'unknown', size);
}

const kept: Rule = ({ axes, out }) => axes(0)?.map((axis, i) => resized(axis, out[i] ?? 1));

/** Rows of padding around flattened places are tokens apart, as are constants joined to them; of other axes they are more of the same. */
const padded: Rule = (step) => {
  const { node, axes, constant, dims, out } = step;
  const x = axes(0);
  const pads = numbersOf(constant(1)) ?? intsAttribute(node, 'pads');
  const own = numbersOf(constant(3)) ?? out.map((_, i) => i);
  return kept(step)?.map((axis, i) => {
    const places = x?.[i] ?? [];
    const at = own.findIndex((a) => normalised(a, out.length) === i);
    const [before, after] = [pads?.[at] ?? 0, pads?.[at + own.length] ?? 0];
    const isFlat = places.length > 1 && isOf(places, 'row', 'column');
    if (at < 0 || !(isFlat || isOf(places, 'token')) || before < 0 || after < 0 || before + after === 0) return axis;
    const parts = [
      { axis: undefined, size: before },
      { axis: places, size: dims(0)[i] ?? 1 },
      { axis: undefined, size: after },
    ];
    return joined(parts.filter(({ size }) => size > 0));
  });
};

const normalised = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

const numbersOf = (tensor: Tensor | undefined) => (tensor ? toNumbers(tensor) : undefined);

const reduced: Rule = ({ node, axes, constant, dims, out }) => {
  const x = axes(0);
  if (!x) return undefined;
  const over = numbersOf(constant(1)) ?? intsAttribute(node, 'axes') ?? dims(0).map((_, i) => i);
  const gone = new Set(over.map((a) => normalised(a, x.length)));
  if (out.length === x.length) return x.map((axis, i) => (gone.has(i) ? [] : axis));
  return x.filter((_, i) => !gone.has(i));
};

const squeezed: Rule = ({ node, axes, constant, dims }) => {
  const x = axes(0);
  if (!x) return undefined;
  const given = numbersOf(constant(1)) ?? intsAttribute(node, 'axes');
  const gone = new Set((given ?? dims(0).flatMap((d, i) => (d === 1 ? [i] : []))).map((a) => normalised(a, x.length)));
  return x.filter((_, i) => !gone.has(i));
};

const unsqueezed: Rule = ({ node, axes, constant, out }) => {
  const x = [...(axes(0) ?? [])];
  const added = new Set(
    (numbersOf(constant(1)) ?? intsAttribute(node, 'axes') ?? []).map((a) => normalised(a, out.length)),
  );
  return out.map((_, i) => (added.has(i) ? [] : (x.shift() ?? [])));
};

const matmul: Rule = ({ axes, dims, out }) => {
  const [a, b] = [axes(0), axes(1)];
  if (a && !b) return dims(1).length === 1 ? a.slice(0, -1) : [...a.slice(0, -1), product(a.at(-1), out.at(-1) ?? 1)];
  if (b && !a) {
    if (dims(0).length === 1) return [...b.slice(0, -2), ...b.slice(-1)];
    return [...b.slice(0, -2), product(b.at(-2), out.at(-2) ?? 1), b.at(-1) ?? []];
  }
  if (!a || !b || a.length < 2 || b.length < 2) return undefined;
  const rest = out.slice(0, -2);
  return [...broadcast([a.slice(0, -2), b.slice(0, -2)], rest), a.at(-2) ?? [], b.at(-1) ?? []];
};

const gemm: Rule = ({ node, axes, out }) => {
  const [a, b] = [axes(0), axes(1)];
  const transposed = (name: string) => intAttribute(node, name, 0) === 1;
  const rows = a?.[transposed('transA') ? 1 : 0];
  const columns = b?.[transposed('transB') ? 0 : 1];
  return [
    rows ?? product(b?.[transposed('transB') ? 1 : 0], out[0] ?? 1),
    columns ?? product(a?.[transposed('transA') ? 0 : 1], out[1] ?? 1),
  ];
};

const einsum: Rule = ({ node, axes, out }) => {
  const [left = '', right] = stringAttribute(node, 'equation', '').replaceAll(' ', '').split('->');
  if (right === undefined || left.includes('.')) return undefined;
  const terms = left.split(',');
  const contracted: Axis[] = [];
  const byLetter = new Map<string, Axis>();
  terms.forEach((term, k) => {
    axes(k)?.forEach((axis, i) => {
      const letter = term[i] ?? '';
      byLetter.set(letter, agreed([byLetter.get(letter) ?? [], axis]) ?? axis);
      if (!right.includes(letter)) contracted.push(axis);
    });
  });
  return out.map((d, i) => byLetter.get(right[i] ?? '') ?? product(contracted[0], d));
};

const slice: Rule = ({ node, axes, constant, dims, out }) => {
  const x = axes(0);
  const starts = numbersOf(constant(1)) ?? intsAttribute(node, 'starts');
  if (!x || !starts) return undefined;
  const over = numbersOf(constant(3)) ?? intsAttribute(node, 'axes') ?? starts.map((_, i) => i);
  const steps = numbersOf(constant(4)) ?? starts.map(() => 1);
  return x.map((axis, i) => {
    const k = over.findIndex((a) => normalised(a, x.length) === i);
    if (k < 0) return axis;
    const size = dims(0)[i] ?? 1;
    const start = starts[k] ?? 0;
    const from = Math.min(size, Math.max(0, start < 0 ? start + size : start));
    return sliced(axis, from, out[i] ?? 1, Math.abs(steps[k] ?? 1));
  });
};

const split: Rule = (step) => {
  const { node, axes, constant, out, output } = step;
  const x = axes(0);
  if (!x) return undefined;
  const at = normalised(intAttribute(node, 'axis', 0), x.length);
  const sizes = numbersOf(constant(1)) ?? intsAttribute(node, 'split');
  const size = out[at] ?? 1;
  const start = sizes
    ? sizes.slice(0, output).reduce((sum, n) => sum + n, 0)
    : Math.ceil(sizeOfAxis(x[at] ?? []) / node.outputs.length) * output;
  return x.map((axis, i) => (i === at ? sliced(axis, start, size, 1) : axis));
};

const gather: Rule = ({ node, axes, constant, dims, out }) => {
  const x = axes(0);
  const indices = constant(1);
  if (!x || !indices) return undefined;
  const at = normalised(intAttribute(node, 'axis', 0), x.length);
  const picked = toNumbers(indices).map((i) => normalised(i, dims(0)[at] ?? 1));
  const start = picked[0] ?? 0;
  const consecutive = picked.every((p, i) => p === start + i);
  const [before, after] = [x.slice(0, at), x.slice(at + 1)];
  if (indices.dims.length === 0) return [...before, ...after];
  if (indices.dims.length > 1) return [...before, ...indices.dims.map((d) => axisOf('unknown', d)), ...after];
  const axis = x[at] ?? [];
  const taken = consecutive ? sliced(axis, start, picked.length, 1) : permuted(axis, picked);
  return out.length === x.length ? [...before, taken, ...after] : undefined;
};

/** The elements of an axis in another order, or some of them. */
function permuted(axis: Axis, picked: readonly number[]): Axis {
  const [digit, ...others] = axis;
  return axisOf(digit && others.length === 0 && digit.of !== 'token' ? digit.of : 'unknown', picked.length);
}

const concat: Rule = (step) => {
  const { node, axes, dims, out } = step;
  const at = normalised(intAttribute(node, 'axis', 0), out.length);
  const parts = node.inputs.map((_, i) => ({ axis: axes(i)?.[at], size: dims(i)[at] ?? 1 }));
  const others = inputAxes(step).map((all) => all.with(at, []));
  return broadcast(others, out.with(at, 1)).with(at, joined(parts));
};

const transpose: Rule = ({ node, axes }) => {
  const x = axes(0);
  const perm = intsAttribute(node, 'perm') ?? x?.map((_, i) => x.length - 1 - i);
  return x && perm?.map((i) => x[i] ?? []);
};

const reshape: Rule = ({ axes, out, place }) => {
  const x = axes(0);
  return x && reshaped(x, out, place);
};

/** (sequence, batch, input) to (sequence, directions, batch, hidden), and the last states. */
const recurrent: Rule = ({ axes, out, output }) => {
  const x = axes(0);
  if (!x) return undefined;
  const [sequence = [], batch = []] = x;
  const hidden = axisOf('channel', out.at(-1) ?? 1);
  const directions = axisOf('channel', out.at(-3) ?? 1);
  return output === 0 ? [sequence, directions, batch, hidden] : [directions, batch, hidden];
};

/** Blocks of places to channels or back. */
const blocks: Rule = ({ axes, out }) => {
  const x = axes(0);
  return (
    x && [
      x[0] ?? [],
      axisOf('channel', out[1] ?? 1),
      resized(x[2] ?? [], out[2] ?? 1),
      resized(x[3] ?? [], out[3] ?? 1),
    ]
  );
};

const rules: Readonly<Record<string, Rule>> = {
  Conv: (step) => windowed(step, 'new'),
  FusedConv: (step) => windowed(step, 'new'),
  ConvTranspose: (step) => windowed(step, 'new'),
  MaxPool: (step) => windowed(step, 'kept'),
  AveragePool: (step) => windowed(step, 'kept'),
  LpPool: (step) => windowed(step, 'kept'),
  GlobalAveragePool: (step) => windowed(step, 'kept'),
  GlobalMaxPool: (step) => windowed(step, 'kept'),
  GlobalLpPool: (step) => windowed(step, 'kept'),
  Resize: kept,
  Upsample: kept,
  Pad: padded,
  MatMul: matmul,
  Gemm: gemm,
  Einsum: einsum,
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: squeezed,
  Unsqueeze: unsqueezed,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
  Gather: gather,
  DepthToSpace: blocks,
  SpaceToDepth: blocks,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  ...Object.fromEntries(
    ['Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare', 'L1', 'L2', 'LogSum', 'LogSumExp'].map((name) => [
      `Reduce${name}`,
      reduced,
    ]),
  ),
  ArgMax: reduced,
  ArgMin: reduced,
};
