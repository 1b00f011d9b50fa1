/**
 * What exporters computed from one parameter while they wrote, so that a file holds it several times; trained as it is
 * written it would come apart.
 *
 * - Tables of relative positions are looked up: (2w - 1)^2 rows become a bias (heads, n, m) in which each stands many times,
 *   or the rows (n * m, heads) that will become one.
 * - A weight that is standardised is stored a second time, transposed, for its mean and variance.
 * - Biases of queries and values are joined to one vector, with zeros for the keys, which have none.
 */
import { float32, type Graph, GraphBuilder, int64, type Tensor } from '../ir/index.js';

/** The same function with one constant for each parameter. */
export function tieCopies(graph: Graph): Graph {
  return splitBiases(tieTables(tieTransposed(graph)));
}

/** Constants that nodes of these operators read. */
function readBy(graph: Graph, ...operators: readonly string[]): Set<string> {
  const readers = graph.nodes.filter(({ op, domain }) => domain === '' && operators.includes(op));
  return new Set(readers.flatMap(({ inputs }) => inputs).filter((name) => graph.constants.has(name)));
}

/** The graph without the named constants, which `write` computes before anything else. */
function computed<T>(
  graph: Graph,
  found: ReadonlyMap<string, T>,
  write: (b: GraphBuilder, name: string, how: T) => void,
): Graph {
  if (found.size === 0) return graph;
  const constants = new Map([...graph.constants].filter(([name]) => !found.has(name)));
  const b = new GraphBuilder({ ...graph, nodes: [], constants }, 'tied');
  b.reserve(graph);
  for (const [name, how] of found) write(b, name, how);
  for (const node of graph.nodes) b.append(node);
  return b.build();
}

/** Vectors of three parts, of which the middle one is zero and the others are not, as those parts. */
function splitBiases(graph: Graph): Graph {
  const found = new Map<string, Float32Array>();
  for (const name of readBy(graph, 'Add', 'Gemm')) {
    const { type, dims, data } = graph.constants.get(name) as Tensor;
    const [length = 0, ...others] = dims;
    if (type !== 'float32' || others.length > 0 || length < 6 || length % 3 !== 0) continue;
    const values = data as Float32Array;
    const third = length / 3;
    if (values.every((v, i) => (v === 0) === (i >= third && i < 2 * third))) found.set(name, values);
  }
  return computed(graph, found, (b, name, values) => {
    const third = values.length / 3;
    const part = (k: number, what: string, literal?: true) =>
      b.constant(
        { ...float32([third], values.slice(k * third, (k + 1) * third)), ...(literal && { literal }) },
        `${name}.${what}`,
      );
    b.node('Concat', [part(0, 'query'), part(1, 'key', true), part(2, 'value')], [name], { axis: 0 });
  });
}

/** Operators that read a weight's statistics, where a second copy of it stands. */
const statistics = new Set(['ReduceMean', 'Sub']);

function tieTransposed(graph: Graph): Graph {
  const readers = new Map<string, Set<string>>();
  for (const { op, inputs } of graph.nodes) {
    for (const name of inputs) readers.set(name, (readers.get(name) ?? new Set()).add(op));
  }
  const matrices = [...graph.constants].filter(
    ([, t]) => t.type === 'float32' && t.dims.length === 3 && t.dims[0] === 1,
  );
  const copies = new Map<string, string>();
  for (const [name, tensor] of matrices) {
    if (![...(readers.get(name) ?? [])].every((op) => statistics.has(op))) continue;
    const original = matrices.find(([other, t]) => other !== name && !copies.has(other) && isTransposed(t, tensor));
    if (original) copies.set(name, original[0]);
  }
  return computed(graph, copies, (b, name, original) => b.node('Transpose', [original], [name], { perm: [0, 2, 1] }));
}

function isTransposed(a: Tensor, b: Tensor): boolean {
  const [, rows = 0, columns = 0] = a.dims;
  if (b.dims[1] !== columns || b.dims[2] !== rows) return false;
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== y[(i % columns) * rows + Math.floor(i / columns)]) return false;
  }
  return true;
}

/** The same function with a table and its index in place of each bias of attention that repeats one. */
function tieTables(graph: Graph): Graph {
  const found = new Map<string, Table>();
  const added = readBy(graph, 'Add', 'Reshape');
  // Of several heads, one after the other.
  const taken = [...readBy(graph, 'Gather', 'Split', 'Slice')].filter(
    (name) => graph.constants.get(name)?.dims.length === 3,
  );
  for (const name of [...added, ...taken]) {
    const tensor = graph.constants.get(name) as Tensor;
    const [n, m] = tensor.dims;
    // (n * m, heads), or (n, n) of one head.
    const table = tableOf(tensor) ?? (tensor.dims.length === 2 && n === m ? tableOf(tensor, true) : undefined);
    if (table) found.set(name, table);
  }
  return computed(graph, found, (b, name, { rows, index, dims }) => {
    const looked = b.gather(b.constant(rows, `${name}.table`), b.constant(index, `${name}.index`), 0);
    if (index.dims.length === 1) return b.node('Identity', [looked], [name]);
    // (rows, heads) by (n, m) gives (n, m, heads).
    b.node('Reshape', [b.transpose(looked, [2, 0, 1]), b.ints(dims)], [name]);
  });
}

interface Table {
  /** (rows, heads). */
  readonly rows: Tensor;
  /** (n, m): which row stands where; (n * m) for rows. */
  readonly index: Tensor;
  /** Of the bias. */
  readonly dims: readonly number[];
}

/** Fewest places of a bias that is looked at, and how often its rows repeat at least on the average. */
const [smallest, repeats] = [64, 2];

/**
 * The table that a bias (heads, n, m), (1, heads, n, m), (n * m, heads) or, of one head, (n, m) repeats; undefined where it repeats none, or is a
 * mask.
 */
function tableOf({ type, dims, data }: Tensor, isOneHead = false): Table | undefined {
  const isRows = dims.length === 2 && !isOneHead;
  const [heads = 1, n = 0, m = 0] = isRows ? [dims[1], dims[0], 1] : isOneHead ? [1, ...dims] : dims.slice(-3);
  if (type !== 'float32' || dims.length < 2 || n * m < smallest || !dims.slice(0, -3).every((d) => d === 1))
    return undefined;
  // A matrix of numbers, each by itself.
  if (heads === 1 && n !== m) return undefined;
  const values = data as Float32Array;
  const [ofHead, ofPlace] = isRows ? [1, heads] : [n * m, 1];
  const rowOf = new Map<string, number>();
  const rows: number[] = [];
  const index: number[] = [];
  for (let at = 0; at < n * m; at++) {
    const row = Array.from({ length: heads }, (_, h) => values[h * ofHead + at * ofPlace] as number);
    const key = row.join(' ');
    let found = rowOf.get(key);
    if (found === undefined) {
      found = rowOf.size;
      rowOf.set(key, found);
      rows.push(...row);
      if (rowOf.size * repeats > n * m) return undefined;
    }
    index.push(found);
  }
  // A mask has two values.
  if (rowOf.size <= 2) return undefined;
  return { rows: float32([rowOf.size, heads], rows), index: int64(index, isRows ? [n] : [n, m]), dims };
}
