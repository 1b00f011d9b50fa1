/** The one loader of networks: whatever the file is, a graph in the form that all passes know. */
import { type Graph, readModelFile } from '../ir/index.js';
import { type DequantizeOptions, dequantize } from './dequantize.js';
import { toFloat32 } from './float32.js';
import { upgrade } from './upgrade.js';

/** A kind of file that networks come in. */
interface NetworkReader {
  /** Whether a file of this name is of the kind. */
  readonly reads: (path: string) => boolean;
  readonly read: (path: string) => Promise<Graph>;
}

/** The first that reads a file is taken; ONNX files are called anything, so they come last. */
const readers: readonly NetworkReader[] = [{ reads: () => true, read: readModelFile }];

/**
 * Reads a network: the operators of the current set, in float32, weights dequantised; the batch as free as the file has
 * it. To be trained it also wants `activations: 'drop'`, since the rounding of quantised activations has no gradient.
 * @throws UserError when the file is missing or damaged, or holds what no pass knows.
 */
export async function readNetwork(path: string, options: Partial<DequantizeOptions> = {}): Promise<Graph> {
  const reader = readers.find(({ reads }) => reads(path)) as NetworkReader;
  return dequantize(toFloat32(upgrade(await reader.read(path))), options);
}
