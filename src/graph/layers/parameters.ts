/**
 * What is learned: which constants of a graph are parameters, and what each is for. Everything that counts, copies,
 * freezes or trains parameters asks here.
 */
import { type Graph, intAttribute, type Node, sizeOf, type Tensor } from '../../ir/index.js';
import { type Links, linksOf } from '../links.js';
import { pixelDependent } from '../pixel-dependent.js';

/** `mean` and `variance` are the running statistics of a batch normalisation; `token` is an embedding. */
export type ParameterRole = 'weight' | 'bias' | 'scale' | 'shift' | 'mean' | 'variance' | 'slope' | 'token';

/** A constant that learns. */
export interface Parameter {
  /** Name of the constant. */
  readonly name: string;
  readonly role: ParameterRole;
  readonly dims: readonly number[];
}

/** Whether training moves it by its gradient; running statistics follow the data instead. */
export function isLearned({ role }: Parameter): boolean {
  return role !== 'mean' && role !== 'variance';
}

const roles: Readonly<Record<string, readonly (ParameterRole | undefined)[]>> = {
  Conv: [undefined, 'weight', 'bias'],
  ConvTranspose: [undefined, 'weight', 'bias'],
  Gemm: ['weight', 'weight', 'bias'],
  MatMul: ['weight', 'weight'],
  Einsum: ['weight', 'weight'],
  BatchNormalization: [undefined, 'scale', 'shift', 'mean', 'variance'],
  LayerNormalization: [undefined, 'scale', 'shift'],
  GroupNormalization: [undefined, 'scale', 'shift'],
  InstanceNormalization: [undefined, 'scale', 'shift'],
  RMSNormalization: [undefined, 'scale'],
  PRelu: [undefined, 'slope'],
  // Lengths and first states are no parameters; an LSTM's last input are its peepholes.
  LSTM: [undefined, 'weight', 'weight', 'bias', undefined, undefined, undefined, 'weight'],
  GRU: [undefined, 'weight', 'weight', 'bias'],
  RNN: [undefined, 'weight', 'weight', 'bias'],
};
/** Elementwise with a constant: biases, positions, layer scales. */
const elementwise: Readonly<Record<string, ParameterRole>> = {
  Add: 'shift',
  Sub: 'shift',
  Mul: 'scale',
  Div: 'scale',
  Concat: 'token',
};

/** Parameters by the node that reads them. */
export interface Parameters {
  readonly of: (node: Node) => readonly Parameter[];
  /** Is this a learned layer: a convolution or a matrix product of a weight with something computed from the image? */
  readonly isLayer: (node: Node) => boolean;
  /** Values that depend on the image. */
  readonly dependent: ReadonlySet<string>;
}

const layerOps = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Einsum', 'LSTM', 'GRU', 'RNN']);

/** Where constants of a graph come from that were computed when it was specialised: the float constants of its file. */
export type Origins = ReadonlyMap<string, readonly Source[]>;

/** A float constant of a file. */
export interface Source {
  readonly name: string;
  readonly dims: readonly number[];
}

/**
 * Parameters are the float32 initialisers that such nodes read, directly or by way of what is computed from them. Buffers
 * are none: masks, and literals of the file's code, unless a layer reads one as its weight or a vector of channels. What
 * meets the image before any layer or normalisation is preprocessing that the file brings along: no parameter.
 */
export function parametersOf(graph: Graph, links: Links = linksOf(graph), origins: Origins = new Map()): Parameters {
  const dependent = pixelDependent(graph);
  const scope: Scope = { graph, links, dependent, origins, known: new Map() };
  const found = new Map<Node, readonly Parameter[]>();
  // Values that are the image still.
  const image = new Set(graph.inputs.map((v) => v.name));
  for (const node of graph.nodes) {
    const read = node.inputs.filter((name) => dependent.has(name));
    if (!roles[node.op] && read.length > 0 && read.every((name) => image.has(name))) {
      for (const name of node.outputs) image.add(name);
    } else found.set(node, parametersRead(scope, node));
  }
  const of = (node: Node) => found.get(node) ?? [];
  return {
    of,
    isLayer: (node) =>
      layerOps.has(node.op) &&
      of(node).some((p) => p.role === 'weight') &&
      node.inputs.slice(0, 2).some((name) => dependent.has(name)),
    dependent,
  };
}

/** All parameters of a graph in order of first use, running statistics included. */
export function allParameters(graph: Graph): Parameter[] {
  const { of } = parametersOf(graph);
  return [...new Map(graph.nodes.flatMap(of).map((p) => [p.name, p])).values()];
}

/** The constants that training moves: weights, biases, scales, embeddings; in order of first use. */
export function learnedConstants(graph: Graph): string[] {
  return allParameters(graph)
    .filter(isLearned)
    .map((p) => p.name);
}

interface Scope {
  readonly graph: Graph;
  readonly links: Links;
  readonly dependent: ReadonlySet<string>;
  readonly origins: Origins;
  readonly known: Map<string, readonly Source[]>;
}

/** Float constants that each value of a graph that does not depend on the image is computed from. */
export function originsOf(graph: Graph, values: readonly string[]): Origins {
  const [links, dependent] = [linksOf(graph), pixelDependent(graph)];
  const scope: Scope = { graph, links, dependent, origins: new Map(), known: new Map() };
  return new Map(values.map((name) => [name, sources(scope, name)]));
}

/** Nothing is learned through a truth value (masks of regions), nor through sines: frequencies of positions are fixed. */
const barriers = new Set(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'Sin', 'Cos']);

function sources(scope: Scope, name: string): readonly Source[] {
  const { graph, links, dependent, origins, known } = scope;
  const before = origins.get(name) ?? known.get(name);
  if (before) return before;
  const tensor = graph.constants.get(name);
  if (tensor) return isNumbers(graph, tensor) ? [{ name, dims: tensor.dims }] : [];
  if (dependent.has(name)) return []; // Its shape is read, not its numbers.
  const producer = links.producer.get(name);
  if (producer && barriers.has(producer.op)) return [];
  const inputs = (producer?.inputs ?? []).filter((input) => !(producer && isNeutral(scope, producer, input)));
  const all = inputs.flatMap((input) => sources(scope, input)).filter((s) => !graph.constants.get(s.name)?.literal);
  const found = [...new Map(all.map((source) => [source.name, source])).values()];
  known.set(name, found);
  return found;
}

/**
 * A norm that standardises weights brings scales of one and shifts of zero that nobody learns; so do zeros that stand between
 * the parts of one vector (keys without a bias, between those of queries and values), and single numbers of a formula.
 */
function isNeutral({ graph }: Scope, node: Node, input: string): boolean {
  const isZero = (name: string) => (graph.constants.get(name)?.data as Float32Array | undefined)?.every((v) => v === 0);
  if (node.op === 'Concat' && isZero(input)) return !node.inputs.every(isZero);
  if (node.op !== 'Concat' && elementwise[node.op] && graph.constants.get(input)?.dims.length === 0) return true;
  if (node.op !== 'BatchNormalization' || !node.inputs.slice(1, 3).includes(input)) return false;
  return isUniform(graph.constants.get(input));
}

const isUniform = (tensor: Tensor | undefined) =>
  (tensor?.data as Float32Array | undefined)?.every((v, _, all) => v === all[0]) ?? false;

/**
 * A number of a formula, not learned: without axes, a literal, or read in several places (the scale of all attentions, which
 * the default exporter keeps once). One on an axis of its own is the parameter of one module (StarReLU, affine blocks).
 */
const isSingle = ({ graph, links }: Scope, name: string, dims: readonly number[]) =>
  dims.length === 0 ||
  (sizeOf(dims) <= 1 && (graph.constants.get(name)?.literal === true || (links.consumers.get(name)?.length ?? 0) > 1));

function isOfExporter({ graph, links }: Scope, { op, inputs }: Node, name: string): boolean {
  const tensor = graph.constants.get(name);
  const isGrouped = op === 'InstanceNormalization' && links.producer.get(inputs[0] ?? '')?.op === 'Reshape';
  return isUniform(tensor) && (tensor?.literal === true || isGrouped);
}

/** Zero and one large negative number: where an attention may not look; (1, 1, T, T) zeros: it may look everywhere. */
export function isMask({ dims, data }: Tensor): boolean {
  if (sizeOf(dims) < 2) return false;
  const values = data as Float32Array;
  const low = values.find((v) => v !== 0);
  if (low === undefined) return dims.length === 4 && dims[0] === 1 && dims[1] === 1 && dims[2] === dims[3];
  return low <= -100 && values.every((v) => v === 0 || v === low);
}

/** Floats that may be learned: no mask, no coordinates, and no sines of positions that an exporter has computed. */
function isNumbers(graph: Graph, tensor: Tensor): boolean {
  return tensor.type === 'float32' && !isMask(tensor) && !isCoordinates(tensor) && !isSinusoidal(graph, tensor);
}

/** (..., rows, columns, 2): of each place a number of its row and one of its column (what Swin v2's positions are computed from). */
function isCoordinates(tensor: Tensor): boolean {
  const { dims, data } = tensor;
  const [rows = 1, columns = 1, two] = dims.slice(-3);
  if (two !== 2 || rows < 2 || columns < 2 || sizeOf(dims) !== rows * columns * 2 || isUniform(tensor)) return false;
  const values = data as Float32Array;
  return values.every((v, at) => {
    const place = Math.floor(at / 2);
    return v === values[at % 2 === 0 ? (place - (place % columns)) * 2 : (place % columns) * 2 + 1];
  });
}

/**
 * Sines and cosines: in turn along an axis or in its two halves, or a table of the one where the graph has the table of the
 * other.
 */
function isSinusoidal(graph: Graph, { dims, data }: Tensor): boolean {
  const values = data as Float32Array;
  if (dims.filter((dim) => dim > 1).length < 2) return false;
  const isOnCircle = (a = 0, b = 0) => Math.abs(a * a + b * b - 1) < 1e-4;
  const inPairs = dims.some((dim, axis) => {
    const stride = sizeOf(dims.slice(axis + 1));
    const isPaired = (apart: number) => values.every((v, i) => isOnCircle(v, values[i + pairStep(i, apart)]));
    return dim > 1 && dim % 2 === 0 && (isPaired(stride) || isPaired((stride * dim) / 2));
  });
  if (inPairs) return true;
  for (const other of graph.constants.values()) {
    if (other.type !== 'float32' || other.data.length !== values.length) continue;
    const others = other.data as Float32Array;
    if (values.every((v, i) => isOnCircle(v, others[i])) && `${other.dims}` === `${dims}`) return true;
  }
  return false;
}

/** From an element to its partner so far apart: to the later one of an even stretch of that length, to the earlier of an odd. */
const pairStep = (i: number, apart: number) => (Math.floor(i / apart) % 2 === 0 ? apart : -apart);

function parametersRead(scope: Scope, node: Node): Parameter[] {
  const table = roles[node.op];
  const simple = elementwise[node.op];
  if (!table && !simple) return [];
  // What combines constants belongs to whatever reads the result.
  if (simple && !node.outputs.some((name) => scope.dependent.has(name))) return [];
  // What standardises weights belongs to the layer that reads them.
  if (node.op === 'BatchNormalization' && !scope.dependent.has(node.inputs[0] ?? '')) return [];
  return node.inputs.flatMap((input, i) => {
    const role = table ? table[i] : simple;
    if (!input || !role || scope.dependent.has(input)) return [];
    // What a layer multiplies activations by is its weight, whatever its numbers are.
    const own = scope.graph.constants.get(input);
    const isWeight = role === 'weight' && own?.type === 'float32' && node.inputs.some((n) => scope.dependent.has(n));
    const from = isWeight && !scope.origins.has(input) ? [{ name: input, dims: own.dims }] : sources(scope, input);
    return from.flatMap(({ name, dims }): Parameter[] => {
      if (simple && isSingle(scope, name, dims)) return [];
      // The exporter's, where a norm has no scale and shift of its own (GroupNormalization by InstanceNormalization).
      if ((role === 'scale' || role === 'shift') && isOfExporter(scope, node, name)) return [];
      // A constant with one long axis is a vector however it is shaped for broadcasting.
      const vector = dims.filter((dim) => dim > 1).length <= 1;
      if (simple && !vector && scope.graph.constants.get(name)?.literal) return [];
      if (simple === 'shift') return [{ name, role: vector && !isToken(dims) ? 'bias' : 'token', dims }];
      return [{ name, role, dims }];
    });
  });
}

/** (1, 1, width): a token that is added or joined, not a bias. */
const isToken = (dims: readonly number[]) => dims.length === 3 && dims[0] === 1 && dims[1] === 1;

/** Axis of a layer's weight that counts its outputs. */
export function outputAxis(node: Node, weight: string): 0 | 1 {
  if (node.op === 'Conv') return 0;
  if (node.op === 'ConvTranspose') return 1;
  const transposed = node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
  // Behind a node that rearranges it, the weight is stored the other way round.
  const direct = node.inputs.includes(weight);
  return transposed === direct ? 0 : 1;
}
