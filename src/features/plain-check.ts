/** Does an engine that optimises a network still compute the network? Checked once for each model, on a few pictures. */
import { roughPercent, WorkError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine, Program } from '../engine/index.js';
import { type Graph, noise } from '../graph/index.js';
import { pixelInput, pixelShape } from './pixels.js';
import type { PooledTap } from './tapped.js';

interface Checked {
  readonly preprocess: Preprocess;
  readonly taps: readonly PooledTap[];
  readonly batch: number;
}

/** Largest difference between optimised and plain features, relative to a tap's largest: GPUs round their products. */
const tolerated = ({ device }: Engine) => (device === 'cpu' ? 1e-3 : 2e-2);

/** A relative change of the input that stands for rounding, and how many times its effect an optimised network may show. */
const [rounding, amplified] = [2 ** -20, 30];

/**
 * Compares the optimised program with the nodes as they stand. Some networks magnify rounding a thousandfold (attention with
 * large scores); where a tap differs, it has to differ by more than rounding of the input explains.
 * @param plain the network from its float image to the features of all taps in one output
 * @param run features of pixels by the optimised program, or by another one
 * @throws WorkError naming the first tap that differs: a fault of the runtime
 */
export async function assertAsPlain(
  engine: Engine,
  plain: Graph,
  { preprocess, taps, batch }: Checked,
  run: (pixels: Uint8Array, program?: Program) => Promise<Float32Array>,
): Promise<void> {
  const pixels = pictures(pixelShape(preprocess, batch));
  const plainly = async (prepared: Preprocess) => {
    const program = await engine.compile(pixelInput(plain, prepared, batch), { optimize: 'none' });
    return run(pixels, program).finally(() => program.dispose());
  };
  const found = await run(pixels);
  const right = await plainly(preprocess);
  const differences = relativeDifferences(found, right, taps, batch);
  if (!differences.some((d) => d > tolerated(engine))) return;
  const std = preprocess.std.map((s) => s * (1 + rounding)) as [number, number, number];
  const shaken = relativeDifferences(await plainly({ ...preprocess, std }), right, taps, batch);
  taps.forEach(({ alias }, i) => {
    const difference = differences[i] as number;
    if (!(difference > Math.max(tolerated(engine), amplified * (shaken[i] as number)))) return;
    throw new WorkError(
      `${engine.name} computes tap ${alias} otherwise when it optimises the network than node by node (${roughPercent(difference)} of its largest value): a fault of the runtime; another version or --device may not have it`,
    );
  });
}

/** Largest difference of each tap's features, over the tap's largest feature; (batch, features) values. */
function relativeDifferences(
  found: Float32Array,
  right: Float32Array,
  taps: readonly PooledTap[],
  batch: number,
): number[] {
  const width = right.length / batch;
  let first = 0;
  return taps.map(({ features }) => {
    let [difference, largest] = [0, 0];
    for (let row = 0; row < batch; row++) {
      for (let i = row * width + first; i < row * width + first + features; i++) {
        const value = right[i] as number;
        largest = Math.max(largest, Math.abs(value));
        difference = Math.max(difference, Math.abs(value - (found[i] as number)));
      }
    }
    first += features;
    return difference === 0 ? 0 : difference / largest;
  });
}

/** Patches of colour that a picture's height and width have; they run into each other. */
const patches = 6;

/** Smooth colours with a little noise, uint8 (batch, height, width, 3): networks are not made for noise alone. */
function pictures([batch = 1, height = 1, width = 1]: readonly number[]): Uint8Array {
  const side = patches + 1;
  const coarse = noise('float32', [batch, side, side, 3], [0, 255]).data as Float32Array;
  const grain = noise('float32', [batch, height, width, 3], [-8, 8]).data as Float32Array;
  return Uint8Array.from(grain, (own, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width)) % height];
    const [u, v] = [(x / width) * patches, (y / height) * patches];
    const [left, top] = [Math.floor(u), Math.floor(v)];
    const image = Math.floor(i / (3 * width * height));
    const at = (dy: number, dx: number) => coarse[((image * side + top + dy) * side + left + dx) * 3 + c] as number;
    const along = (dy: number) => at(dy, 0) * (1 - u + left) + at(dy, 1) * (u - left);
    return Math.min(255, Math.max(0, along(0) * (1 - v + top) + along(1) * (v - top) + own));
  });
}
