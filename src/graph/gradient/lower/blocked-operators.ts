/** How standard operators are written in the blocked layout. See blocked.ts. */
import { floatAttribute, type Graph, intsAttribute, type Node, sizeOf, toNumbers } from '../../../ir/index.js';
import { inputOf, type Lower, outputOf } from '../composites/composite.js';
import { maxPoolGradient } from '../composites/index.js';
import { blockedDomain } from '../names.js';
import { windowAttributes, windowOf } from '../window.js';
import { convolution } from './blocked-convolution.js';
import type { Activation, BlockedLayout } from './layout.js';

const conv: Lower = (l, node) => {
  const [x, w, bias] = node.inputs as [string, string, string?];
  const y = outputOf(node);
  // With constant weights the runtime chooses the blocked form, and folds norms into it, by itself.
  if (!l.is4d(x) || l.graph.constants.has(w)) return false;
  const window = windowOf(node, l.dims(w).slice(2), l.dims(x).slice(2), l.dims(y).slice(2));
  return convolution(l, { x, w, bias: bias ?? '', y, window });
};

/** Along the image's axes. */
const slice: Lower = (l, node) => {
  const [x, starts, ends, axes] = node.inputs as [string, string, string, string?];
  const y = outputOf(node);
  const along = l.graph.constants.get(axes ?? '');
  if (!l.is4d(x) || !l.isBlocked(x) || !along || !toNumbers(along).every((a) => a >= 2)) return false;
  if (![starts, ends].every((v) => l.graph.constants.has(v))) return false;
  const [from, to] = [l.padded(l.dims(x)), l.padded(l.dims(y))];
  const inputs = [l.e.reshape(l.blocked(x), l.asRows(from)), ...node.inputs.slice(1)];
  l.setBlocked(y, l.e.reshape(l.e.emit('Slice', inputs, l.asRows(to)), to));
  return true;
};

/** Windows that tile the image. */
const maxPool: Lower = (l, node) => {
  const x = inputOf(node, 0);
  const [y, indices] = node.outputs as [string, string?];
  if (!l.is4d(x) || !l.isBlocked(x)) return false;
  const [from, to] = [l.dims(x).slice(2), l.dims(y).slice(2)];
  const window = { ...windowOf(node, intsAttribute(node, 'kernel_shape') ?? [], from, to), group: 1 };
  const tiled = window.kernel.every(
    (k, i) => k === window.strides[i] && window.dilations[i] === 1 && k * (to[i] as number) === from[i],
  );
  if (!tiled || (indices && !isForGradient(l.graph, indices))) return false;
  const { kernel_shape, strides, pads } = windowAttributes(window);
  const attributes = { kernel_shape, strides, pads };
  l.setBlocked(y, l.e.emit('MaxPool', [l.blocked(x)], l.padded(l.dims(y)), attributes, blockedDomain));
  if (indices) l.tiledPools.add(indices);
  return true;
};

/** Whether nothing but the gradient of its pool reads a pool's indices. */
function isForGradient(graph: Graph, indices: string): boolean {
  return graph.nodes.every((n) => n.op === maxPoolGradient.name || !n.inputs.includes(indices));
}

const globalAveragePool: Lower = (l, node) => {
  const x = inputOf(node, 0);
  if (!l.is4d(x) || !l.isBlocked(x)) return false;
  const [n, c, h, w] = l.dims(x) as [number, number, number, number];
  const full = l.channels(x);
  const means = l.e.mean(l.e.reshape(l.blocked(x), [(n * full) / l.block, h * w, l.block]), [1]);
  const flat = l.e.slice(l.e.reshape(means, [n, full]), 1, 0, c);
  l.setPlain(outputOf(node), l.e.reshape(flat, [n, c, 1, 1]));
  return true;
};

/** From one value per example and channel, as the gradient of a global pool has it. */
const expand: Lower = (l, node) => {
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const [from, to] = [l.dims(x), l.dims(y)];
  if (to.length !== 4 || from.length !== 4 || sizeOf(from.slice(2)) !== 1) return false;
  if (from[0] !== to[0] || from[1] !== to[1]) return false;
  const [batch, channels, h, w] = to as [number, number, number, number];
  if (channels % l.block !== 0) return false;
  const n = (batch * channels) / l.block;
  const rows = l.e.expand(l.e.reshape(l.plain(x), [n, 1, l.block]), [n, h * w, l.block]);
  l.setBlocked(y, l.e.reshape(rows, to));
  return true;
};

/** Works on any layout as long as all operands share it, and keeps the zeros of padded channels finite. */
const pointwise: Lower = (l, node) => l.isPointwise(node) && l.pointwise(node);

const add: Lower = (l, node) => l.isPointwise(node) && (l.joinSum(node) || l.pointwise(node));

/** An activation that a convolution before it can apply. */
const activation =
  (of: (l: BlockedLayout, node: Node) => Activation | undefined): Lower =>
  (l, node) => {
    if (!l.isPointwise(node)) return false;
    const joined = of(l, node);
    return (joined !== undefined && l.joinActivation(node, joined)) || l.pointwise(node);
  };

/** Masks as numbers. */
const cast: Lower = (l, node) => l.isBoolean(inputOf(node, 0)) && !l.isBoolean(outputOf(node)) && pointwise(l, node);

function clip(l: BlockedLayout, node: Node): Activation | undefined {
  const bounds = [1, 2].flatMap((i) => l.graph.constants.get(node.inputs[i] ?? '') ?? []);
  if (bounds.length < 2) return undefined;
  return { activation: 'Clip', activation_params: bounds.map((t) => toNumbers(t)[0] as number) };
}

const leakyRelu = (_: BlockedLayout, node: Node): Activation => ({
  activation: 'LeakyRelu',
  activation_params: [floatAttribute(node, 'alpha', 0.01)],
});

const elementwise = [
  'Sub',
  'Mul',
  'Neg',
  'Abs',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Tanh',
  'Sign',
  'Softplus',
  'Identity',
  'Greater',
  'Less',
  'And',
  'Where',
];

/** By operator; those that are not here keep the plain layout. */
export const blockedOperators: ReadonlyMap<string, Lower> = new Map<string, Lower>([
  ...elementwise.map((op) => [op, pointwise] as const),
  ['Add', add],
  ['Cast', cast],
  ['Clip', activation(clip)],
  ['Conv', conv],
  ['Expand', expand],
  ['GlobalAveragePool', globalAveragePool],
  ['LeakyRelu', activation(leakyRelu)],
  ['MaxPool', maxPool],
  ['Relu', activation(() => ({ activation: 'Relu' }))],
  ['Slice', slice],
]);
