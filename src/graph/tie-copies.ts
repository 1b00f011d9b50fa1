/**
 * What exporters computed from one parameter while they wrote, so that a file holds it several times; trained as it is
 * written it would come apart.
 *
 * - Tables of relative positions are looked up: (2w - 1)^2 rows become a bias (heads, n, n) in which each stands many times.
 * - A weight that is standardised is stored a second time, transposed, for its mean and variance.
 */
import { float32, type Graph, GraphBuilder, int64, type Tensor } from '../ir/index.js';

/** The same function with one constant for each parameter. */
export function tieCopies(graph: Graph): Graph {
  return tieTables(tieTransposed(graph));
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
  if (copies.size === 0) return graph;
  const constants = new Map([...graph.constants].filter(([name]) => !copies.has(name)));
  const b = new GraphBuilder({ ...graph, nodes: [], constants }, 'copy');
  b.reserve(graph);
  for (const [name, original] of copies) b.node('Transpose', [original], [name], { perm: [0, 2, 1] });
  for (const node of graph.nodes) b.append(node);
  return b.build();
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
  for (const node of graph.nodes) {
    if (node.op !== 'Add' || node.domain !== '') continue;
    for (const name of node.inputs) {
      const tensor = graph.constants.get(name);
      const table = tensor && !found.has(name) ? tableOf(tensor) : undefined;
      if (table) found.set(name, table);
    }
  }
  if (found.size === 0) return graph;
  const constants = new Map([...graph.constants].filter(([name]) => !found.has(name)));
  const b = new GraphBuilder({ ...graph, nodes: [], constants }, 'table');
  b.reserve(graph);
  for (const [name, { rows, index, dims }] of found) {
    // (rows, heads) by (n, n) gives (n, n, heads).
    const taken = b.gather(b.constant(rows, `${name}.table`), b.constant(index, `${name}.index`), 0);
    const turned = b.transpose(taken, [2, 0, 1]);
    b.node('Reshape', [turned, b.ints(dims)], [name]);
  }
  for (const node of graph.nodes) b.append(node);
  return b.build();
}

interface Table {
  /** (rows, heads). */
  readonly rows: Tensor;
  /** (n, n): which row stands where. */
  readonly index: Tensor;
  /** Of the bias. */
  readonly dims: readonly number[];
}

/** Smallest side of a bias that is looked at, and how often its rows repeat at least on the average. */
const [smallest, repeats] = [8, 2];

/** The table that a bias (heads, n, n), or (1, heads, n, n), repeats; undefined where it repeats none, or is a mask. */
function tableOf({ type, dims, data }: Tensor): Table | undefined {
  const [heads = 1, n = 0, m = 0] = dims.slice(-3);
  const square = n === m && n >= smallest && dims.length >= 3 && dims.slice(0, -3).every((d) => d === 1);
  if (type !== 'float32' || !square) return undefined;
  const values = data as Float32Array;
  const rowOf = new Map<string, number>();
  const rows: number[] = [];
  const index: number[] = [];
  for (let at = 0; at < n * n; at++) {
    const row = Array.from({ length: heads }, (_, h) => values[h * n * n + at] as number);
    const key = row.join(' ');
    let found = rowOf.get(key);
    if (found === undefined) {
      found = rowOf.size;
      rowOf.set(key, found);
      rows.push(...row);
      if (rowOf.size * repeats > n * n) return undefined;
    }
    index.push(found);
  }
  // A mask has two values.
  if (rowOf.size <= 2) return undefined;
  return { rows: float32([rowOf.size, heads], rows), index: int64(index, [n, n]), dims };
}
