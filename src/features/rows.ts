/** The extraction pass kept ready for images in memory: features as rows of one array, no folder. */
import { batches, createLoader, type EncodedImage } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { selectTaps } from '../graph/index.js';
import type { Backbone, TappedBackbone } from './backbone.js';
import { checkPooled, type PassOptions } from './chunk-pass.js';
import { findDuplicates } from './duplicates.js';
import { type ExtractOptions, readable } from './extract.js';
import {
  type CompiledPass,
  compilePass,
  defaultBatch,
  featureCount,
  type PassNetwork,
  passBuffer,
  runBatches,
} from './pass.js';
import { parsePool } from './pooling.js';
import { type PooledTap, poolTaps } from './tapped.js';

/** An extraction pass that is kept: images in, a row of features each out. */
export interface ReadyPass {
  /** Taps whose features it gives, in order: those that repeat another are left out, as in a store. */
  readonly taps: readonly PooledTap[];
  /** Features of all images, (n, p) row by row. @throws UnreadableImage, WorkError for values that are not numbers */
  rows(images: readonly EncodedImage[], options?: Pick<PassOptions, 'onImages' | 'signal'>): Promise<Float32Array>;
  /** Frees its memory; it cannot be run afterwards. */
  dispose(): Promise<void>;
}

/** Compiles the pass of a request; `taps`, `pool`, `batch` and `log` are as of extract. */
export async function readyPass(
  backbone: Backbone,
  { network: _, taps: all }: TappedBackbone,
  engine: Engine,
  { taps: wanted, pool, batch: asked, log }: Pick<ExtractOptions, 'taps' | 'pool' | 'batch' | 'log'>,
): Promise<ReadyPass> {
  const items = parsePool(pool);
  const batch = asked || defaultBatch(backbone.preprocess.size);
  const taps = poolTaps(readable(selectTaps(all, wanted), log), items);
  const network: PassNetwork = { backbone, taps, items, batch };
  const pass = await compilePass(engine, network);
  const { dropped } = await findDuplicates(pass.program, network);
  const gone = new Set(dropped.map(({ name }) => name));
  for (const { alias, reason } of dropped) log(`left out ${alias}: ${reason}`);
  return {
    taps: taps.filter(({ name }) => !gone.has(name)),
    rows: (images, options = {}) => passRows(pass, network, gone, images, options),
    dispose: () => pass.program.dispose(),
  };
}

async function passRows(
  pass: CompiledPass,
  { backbone, taps, batch }: PassNetwork,
  gone: ReadonlySet<string>,
  images: readonly EncodedImage[],
  { onImages, signal }: Pick<PassOptions, 'onImages' | 'signal'>,
): Promise<Float32Array> {
  const width = featureCount(taps);
  const kept = keptRuns(taps, gone);
  const p = kept.reduce((sum, { count }) => sum + count, 0);
  const rows = new Float32Array(images.length * p);
  const decoded = batches(images, batch, createLoader(backbone.preprocess));
  let at = 0;
  for await (const [b, values] of runBatches(pass, backbone, batch, decoded, () => passBuffer(taps, batch))) {
    signal?.throwIfAborted();
    checkPooled(values.subarray(0, b.count * width), taps, images.slice(b.start));
    for (let i = 0; i < b.count; i++) {
      for (const { first, count } of kept) {
        rows.set(values.subarray(i * width + first, i * width + first + count), at);
        at += count;
      }
    }
    onImages?.(b.start + b.count, images.length);
  }
  return rows;
}

/** Where the features of taps that stay lie in a row of the pass; neighbours are one run. */
function keptRuns(taps: readonly PooledTap[], gone: ReadonlySet<string>): { first: number; count: number }[] {
  const runs: { first: number; count: number }[] = [];
  let first = 0;
  for (const { name, features } of taps) {
    const last = runs.at(-1);
    if (!gone.has(name)) {
      if (last && last.first + last.count === first) last.count += features;
      else runs.push({ first, count: features });
    }
    first += features;
  }
  return runs;
}
