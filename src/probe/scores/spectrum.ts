/** How the variance of a tap is spread over directions. */
import { type Matrix, type Multiply, spectrumOf } from '../../solver/index.js';
import { centred, squareOf } from './coordinates.js';
import { traceOf } from './scatter.js';

/** Shares of the sum of squares below this are rounding. */
const NONE = 1e-13;

/** Whether examples differ by more than rounding. @param z features, not centred */
export function varies(z: Matrix): boolean {
  const norm = (values: Float64Array) => values.reduce((sum, v) => sum + v * v, 0);
  return norm(centred(z).data) > NONE * norm(z.data);
}

/**
 * Eigenvalues of the scatter of the features about their mean, largest first, those that are rounding left out; none of a tap
 * that has one value.
 * @param z features, (n, r), not centred
 */
export async function centredSpectrum(multiply: Multiply, z: Matrix): Promise<Float64Array> {
  if (!varies(z)) return new Float64Array(0);
  const scatter = await squareOf(multiply, centred(z));
  const least = NONE * traceOf(scatter, z.columns);
  return spectrumOf(scatter, z.columns, new Float64Array(0)).values.filter((value) => value > least);
}
