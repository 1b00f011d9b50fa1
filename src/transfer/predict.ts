/** A trained network on images whose labels it does not know. */
import type { Program } from '../engine/index.js';
import type { Tensor } from '../graph/index.js';
import type { ImageSource } from './images.js';

/** A network compiled for a fixed batch of uint8 images (batch, height, width, 3). */
export interface Classifier {
  readonly program: Program;
  readonly input: string;
  readonly logits: string;
  readonly batch: number;
}

/** Scores (n, outputs). Runs every image once; the last batch is filled up with repeats, which are dropped. */
export async function scoresOf(
  { program, input, logits, batch }: Classifier,
  images: ImageSource,
  classes: number,
): Promise<Float64Array> {
  const n = images.files.length;
  const [height, width] = images.size;
  const pixels = new Uint8Array(batch * height * width * 3);
  const feed: Tensor = { type: 'uint8', dims: [batch, height, width, 3], data: pixels };
  const scores = new Float64Array(n * classes);
  for (let start = 0; start < n; start += batch) {
    const indices = Array.from({ length: batch }, (_, i) => Math.min(start + i, n - 1));
    await images.read(indices, pixels);
    const values = (await program.run({ [input]: feed }, [logits]))[logits] as Tensor;
    const data = values.data as Float32Array;
    scores.set(data.subarray(0, Math.min(batch, n - start) * classes), start * classes);
  }
  return scores;
}
