/** Kernels of all taps among all training rows, and what is summed from them. */
import { type Floats, kernelsTake, TapKernels, tapScales } from '../../solver/index.js';
import type { MethodContext } from '../context.js';

/** Bytes of kernels that are held for whoever sums them. */
const KEPT = 5e8;

/**
 * Whether sums over all taps are sums of their kernels, which are computed once for all methods; else features are read for
 * every sum. For the problem to say, not for the methods of a run: what one gives does not depend on the others.
 */
export const kernelsAreKept = ({ train: { matrix } }: Pick<MethodContext, 'train'>): boolean =>
  kernelsTake(matrix.rows, matrix.blocks.length) <= KEPT;

/** One kernel a tap; made once a run. */
export const kernelsOfTaps = (context: MethodContext): Promise<TapKernels> => context.memo.once(makeKernels, context);

async function makeKernels({ engine, train, designs, progress }: MethodContext): Promise<TapKernels> {
  progress('kernels of the taps');
  return TapKernels.of(engine, await designs.get(train.matrix));
}

/** The Gram of all features over all training rows, (n, n), in float32. */
export async function gramOfTaps(context: MethodContext): Promise<Floats> {
  const kernels = await kernelsOfTaps(context);
  const scales = tapScales(await context.designs.get(context.train.matrix));
  return Float32Array.from(await kernels.sum(scales.map((s) => (s > 0 ? 1 / (s * s) : 0))));
}
