/** What the backbone's own classifier says of the examples: LEEP and NCE need that, not features. */
import type { FeatureMatrix } from '../../solver/index.js';
import { probabilities } from '../../solver/index.js';
import { featuresOfBlock, type ProbeTap } from '../task.js';

/** Probabilities of the backbone's own classes, (n, classes); undefined where the store holds no logits. */
export async function sourceProbabilities(
  matrix: FeatureMatrix,
  taps: readonly ProbeTap[],
): Promise<{ data: Float64Array; classes: number } | undefined> {
  const block = taps.findIndex((tap) => tap.alias.replace(/@.*$/, '') === 'logits' && isVector(tap));
  if (block < 0) return undefined;
  const n = matrix.rows;
  const indices = featuresOfBlock(matrix, block);
  const values = await matrix.gather(indices, new Float32Array(indices.length * n));
  const classes = indices.length;
  const logits = new Float64Array(n * classes);
  for (let j = 0; j < classes; j++) for (let i = 0; i < n; i++) logits[i * classes + j] = values[j * n + i] as number;
  return { data: isDistribution(logits, classes) ? logits : probabilities(logits, classes), classes };
}

const isVector = ({ pieces }: ProbeTap) =>
  !pieces || (pieces.length === 1 && pieces[0]?.prefix === 0 && pieces[0].grid.every((side) => side === 1));

/** A network that ends in a softmax says probabilities already. */
function isDistribution(rows: Float64Array, classes: number): boolean {
  for (let from = 0; from < rows.length; from += classes) {
    const row = rows.subarray(from, from + classes);
    if (row.some((v) => v < 0) || Math.abs(row.reduce((sum, v) => sum + v, 0) - 1) > 1e-3) return false;
  }
  return true;
}
