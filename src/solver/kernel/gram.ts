/**
 * Gram matrices of features over examples. Every l2-penalised probe depends on its features through these alone, so
 * folds are sub-blocks of one Gram, nested selections add to one another, and p never appears again.
 */
import type { Engine } from '../../engine/index.js';
import type { Design } from '../design.js';
import type { FeatureMatrix } from '../matrix.js';
import { MathBuilder, programFor, tensor } from '../programs.js';

/** Bytes of features in one product. */
const CHUNK_BYTES = 1 << 23;

/**
 * Adds to `into` (n, n) the Gram of all features of `matrix` over all of its rows. Values are shifted by `mean` (any
 * constants near the features' means: sums stay exact in float32, centring later takes the rest) and scaled.
 */
export async function addGram(
  engine: Engine,
  matrix: FeatureMatrix,
  normalisation: { mean: ArrayLike<number>; scale: ArrayLike<number> },
  into: Float32Array,
): Promise<void> {
  const n = matrix.rows;
  const program = await programFor(engine, 'gram sum', gramGraph);
  const ones = new Float32Array(n).fill(1);
  const sum = tensor([n, n], into);
  const next = tensor([n, n], new Float32Array(n * n));
  let [from, to] = [sum, next];
  for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
    const at = (values: ArrayLike<number>) =>
      Float32Array.from({ length: chunk.count }, (_, k) => values[chunk.first + k]);
    await program.run(
      {
        x: tensor([chunk.count, n], chunk.data),
        s: tensor([1, n], (await matrix.rowScale(chunk.block)) ?? ones),
        m: tensor([chunk.count, 1], at(normalisation.mean)),
        f: tensor([chunk.count, 1], at(normalisation.scale)),
        g: from,
      },
      undefined,
      { gram: to },
    );
    [from, to] = [to, from];
  }
  if (from !== sum) into.set(from.data as Float32Array);
}

function gramGraph() {
  const g = new MathBuilder('float32');
  const [x, s, m, f, sum] = ['x', 's', 'm', 'f', 'g'].map((name) => g.input(name)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const z = g.op('Mul', [g.op('Sub', [g.op('Mul', [x, s]), m]), f]);
  g.output(g.builder.op('Gemm', [z, z, sum], { transA: 1 }), 'gram');
  return g.builder.build();
}

/** The same normalisation for some of a design's features. */
export function normalisationOf(
  design: Pick<Design, 'mean' | 'scale'>,
  indices: ArrayLike<number>,
): { mean: Float64Array; scale: Float64Array } {
  const pick = (values: Float64Array) => Float64Array.from(indices, (j) => values[j]);
  return { mean: pick(design.mean), scale: pick(design.scale) };
}

/** A kernel between some rows and the training rows, centred at the training rows' mean. */
export interface Kernel {
  /** Among the training rows, (n, n). */
  readonly train: Float32Array;
  readonly n: number;
  /** From other rows to the training rows, (others, n). */
  readonly others: Float32Array;
  readonly m: number;
}

/** Cuts rows out of a Gram over all examples and centres them at the mean of `train`, in double precision. */
export function centredKernel(
  gram: Float32Array,
  total: number,
  train: ArrayLike<number>,
  others: ArrayLike<number>,
): Kernel {
  const [n, m] = [train.length, others.length];
  const columnMeans = new Float64Array(n);
  const cut = (rows: ArrayLike<number>) => {
    const block = new Float32Array(rows.length * n);
    const means = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const at = rows[i] * total;
      let sum = 0;
      for (let j = 0; j < n; j++) {
        const v = gram[at + train[j]];
        block[i * n + j] = v;
        sum += v;
      }
      means[i] = sum / n;
    }
    return { block, means };
  };
  const inner = cut(train);
  const outer = cut(others);
  let grand = 0;
  for (const [j, v] of inner.means.entries()) {
    columnMeans[j] = v;
    grand += v / n;
  }
  const centre = ({ block, means }: ReturnType<typeof cut>) => {
    for (let i = 0; i < means.length; i++) {
      const shift = grand - means[i];
      for (let j = 0; j < n; j++) {
        block[i * n + j] = block[i * n + j] - columnMeans[j] + shift;
      }
    }
    return block;
  };
  return { train: centre(inner), n, others: centre(outer), m };
}
