/** Features normalised again after a choice among them, and features example by example. */
import { UserError } from '../../base/index.js';
import { type FeatureBlock, FeatureMatrix } from '../../solver/index.js';

/** What is left of a zero that was shifted and back, of the shift. */
const ROUNDING = 2 ** -22;

/**
 * The given features (ascending) of a matrix, each tap of each example divided by the norm of what is left of it: select,
 * then normalise. A tap of which one feature is left keeps the sign of its values only.
 */
export function renormalised(matrix: FeatureMatrix, features: ArrayLike<number>): FeatureMatrix {
  const chosen = matrix.select(features);
  const n = matrix.rows;
  const blocks = chosen.blocks.map(
    (block, b): FeatureBlock => ({
      name: block.name,
      features: block.features,
      ...(block.source === undefined ? {} : { source: block.source }),
      read: async (first, count, into) => {
        const at = (chosen.offsets[b] as number) + first;
        await chosen.gather(
          Int32Array.from({ length: count }, (_, k) => at + k),
          into,
        );
        const scale = await chosen.rowScale(b);
        for (let k = 0, i = 0; k < count; k++) {
          const shift = chosen.shift[at + k] as number;
          for (let row = 0; row < n; row++, i++) {
            const value = (into[i] as number) * (scale[row] as number) + shift;
            into[i] = Math.abs(value) > ROUNDING * Math.abs(shift) ? value : 0;
          }
        }
      },
    }),
  );
  return new FeatureMatrix(blocks, n, { ...matrix.options, unitNorm: true });
}

/** Values that are held example by example at once. */
const LARGEST = 2 ** 29;

/** Normalised features example by example, (n, p). @throws UserError when they are too many to be held at once */
export async function byExample(matrix: FeatureMatrix): Promise<Float32Array> {
  const { rows: n, features: p } = matrix;
  if (n * p > LARGEST) {
    throw new UserError(
      `${n} x ${p} features are too many to be held example by example, as mini-batches need them: use fewer taps, a smaller target size, or a method that reads feature by feature (head2toe)`,
    );
  }
  const x = new Float32Array(n * p);
  for await (const { block, first, count, data } of matrix.chunks()) {
    const scale = await matrix.rowScale(block);
    for (let row = 0; row < n; row++) {
      const s = scale[row] as number;
      let at = row * p + first;
      for (let k = 0; k < count; k++, at++) {
        x[at] = (data[k * n + row] as number) * s + (matrix.shift[first + k] as number);
      }
    }
  }
  return x;
}
