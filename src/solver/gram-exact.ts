/**
 * Inner products of examples over all features in float64, in one streaming pass: what exact fits with more features
 * than examples need of X. (Cross-validation adds float32 Grams over features instead: gram-sum.ts.)
 */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { GraphBuilder, int64, type Tensor } from '../ir/index.js';
import { type Design, type Normalisation, storedMean } from './design.js';
import { countMacs } from './macs.js';
import type { Chunk, Rows } from './matrix.js';
import { addOwnProducts, partsOf } from './own-products.js';
import { Passes } from './passes.js';
import { programFor, tensor } from './programs.js';
import { plus } from './vectors.js';

/** Features per product. */
const FEATURES = 4096;
/** Largest chunk of normalised values, in bytes. */
const CHUNK_BYTES = 2 ** 25;

/** Gram matrix of the normalised training rows, (n, n) float64. */
export function gram(engine: Engine, design: Design, normalisation: Normalisation = design): Promise<Float64Array> {
  return crossGram(engine, design, design, normalisation);
}

/**
 * Inner products of normalised rows (of any matrix with the design's features) with the training rows,
 * (rows.length, n) float64. Products and sums are in float64.
 * @param normalisation of both; the design's by default
 */
export async function crossGram(
  engine: Engine,
  design: Design,
  { matrix, rows }: Rows,
  normalisation: Normalisation = design,
): Promise<Float64Array> {
  if (matrix.features !== design.matrix.features) {
    throw new UserError(
      `${matrix.features} features where the probe was fitted on ${design.matrix.features}: use the same taps and pooling`,
    );
  }
  const dims = [rows.length, design.rows.length];
  const own = matrix === design.matrix && rows === design.rows;
  const mine = feeder(design, normalisation, '');
  const theirs = own ? undefined : feeder({ matrix, rows }, normalisation, '2');
  const parts = partsOf(rows.length);
  const key = `gram ${own ? parts : 'of others'} ${mine.taken} ${theirs?.taken}`;
  const program = await programFor(engine, key, () => gramGraph(mine, theirs ?? parts));
  let total = new Float64Array(rows.length * design.rows.length);
  let next = new Float64Array(total.length);
  const step = featuresAtOnce(Math.max(matrix.rows, design.matrix.rows));
  const others = matrix === design.matrix ? undefined : matrix.chunks(0, step);
  for await (const chunk of design.matrix.chunks(0, step)) {
    const pair: Chunk = others ? (await others.next()).value : chunk;
    const feeds = { ...(await mine.of(chunk)), ...(await theirs?.of(pair)), total: tensor(dims, total) };
    await program.run(feeds, undefined, { sum: tensor(dims, next) });
    countMacs(engine, total.length * chunk.count);
    [total, next] = [next, total];
  }
  return total;
}

/** Squared norms of the normalised training rows, (n). */
export async function squaredNorms(
  engine: Engine,
  design: Design,
  normalisation: Normalisation = design,
): Promise<Float64Array> {
  const { matrix, rows } = design;
  const feed = feeder(design, normalisation, '');
  const program = await programFor(engine, `squared norms ${feed.taken}`, () => {
    const g = GraphBuilder.of('float64');
    const x = normalisedInput(g, feed);
    g.output(g.sum(g.mul(x, x), [0]), 'squares');
    return g.build();
  });
  const total = new Float64Array(rows.length);
  for await (const chunk of matrix.chunks(0, featuresAtOnce(matrix.rows))) {
    const { squares } = await program.run(await feed.of(chunk));
    plus(total, 1, squares.data as Float64Array, total);
  }
  return total;
}

/** Weights on the normalised features from weights on the training rows: X' a, (p, columns), for a (n, columns). */
export function primalWeights(engine: Engine, design: Design, a: Float64Array, columns: number): Promise<Float64Array> {
  return new Passes(engine, design).adjoint(a, columns);
}

function featuresAtOnce(rows: number): number {
  return Math.max(1, Math.min(FEATURES, Math.floor(CHUNK_BYTES / (8 * rows))));
}

/** What a graph's normalised input reads. */
interface Feeder {
  /** Tells one matrix's inputs from another's. */
  readonly suffix: string;
  /** Whether the rows are some of the matrix's, or these in another order. */
  readonly taken: boolean;
  of(chunk: Chunk): Promise<Record<string, Tensor>>;
}

function feeder({ matrix, rows }: Rows, normalisation: Normalisation, suffix: string): Feeder {
  const order = Array.from({ length: rows.length }, (_, i) => rows[i]);
  const taken = order.length !== matrix.rows || order.some((row, i) => row !== i);
  const taking = taken ? { [`rows${suffix}`]: int64(order) } : {};
  const mean = storedMean(normalisation, matrix);
  return {
    suffix,
    taken,
    of: async ({ block, first, count, data }) => ({
      [`x${suffix}`]: tensor([count, matrix.rows], data),
      [`s${suffix}`]: tensor([1, matrix.rows], await matrix.rowScale(block)),
      ...taking,
      [`mean${suffix}`]: tensor([count, 1], mean.subarray(first, first + count)),
      [`scale${suffix}`]: tensor([count, 1], normalisation.scale.subarray(first, first + count)),
    }),
  };
}

/** Normalised values (features, rows) in float64, of stored float32 ones. */
function normalisedInput(g: GraphBuilder, { suffix, taken }: Feeder): string {
  const rows = taken ? g.input(`rows${suffix}`, 'int64') : undefined;
  const [x, s] = ['x', 's'].map((name) => {
    const whole = g.input(`${name}${suffix}`, 'float32');
    return g.cast(rows ? g.gather(whole, rows, 1) : whole, 'float64');
  });
  const centred = g.sub(g.mul(x, s), g.input(`mean${suffix}`));
  return g.mul(centred, g.input(`scale${suffix}`));
}

/** @param others or in how many parts the training rows, normalised once, are multiplied by themselves */
function gramGraph(mine: Feeder, others: Feeder | number) {
  const g = GraphBuilder.of('float64');
  const training = normalisedInput(g, mine);
  const total = g.input('total');
  const ofOthers = (feed: Feeder) => g.add(total, g.matmul(g.transpose(normalisedInput(g, feed), [1, 0]), training));
  g.output(typeof others === 'number' ? addOwnProducts(g, total, training, others) : ofOthers(others), 'sum');
  return g.build();
}
