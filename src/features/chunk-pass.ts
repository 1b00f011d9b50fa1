/** The extraction pass: every image through the tapped network once, chunk after chunk. */
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createProgress, type FileWithin, type Share, UserError, WorkError } from '../base/index.js';
import { batches, createLoader, type EncodedImage, imageName, type Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { type BadImage, chunkPath, readWholeChunk, writeChunk } from './chunks.js';
import { type CompiledPass, defaultBatch, featureCount, type PassNetwork, passBuffer, runBatches } from './pass.js';
import { checkReach, OutOfReach, type Precision, storages } from './precision.js';
import type { PooledTap } from './tapped.js';

interface SplitFiles {
  readonly name: string;
  readonly files: readonly EncodedImage[];
}

export interface PassPlan extends PassNetwork {
  readonly splits: readonly SplitFiles[];
  /** Folder that everything is written in. */
  readonly store: string;
  /** Folder of the chunks, in the store. */
  readonly chunks: string;
  readonly precision: Precision;
}

export interface PassOptions {
  skipBad: boolean;
  quiet: boolean;
  onImages?: ((done: number, total: number) => void) | undefined;
  /** Only this share of the chunks; all by default. */
  share?: Share | undefined;
  /** @throws its reason, after the running batch */
  signal?: AbortSignal | undefined;
}

/** Examples and bytes of a chunk, at most; what a killed pass can lose. */
const chunkRows = 256;
const chunkBytes = 64 * 2 ** 20;

/** Examples per chunk: whole batches, bounded in bytes. */
function rowsPerChunk(features: number, batch: number): number {
  const rows = Math.min(chunkRows, Math.floor(chunkBytes / (4 * Math.max(1, features))));
  return Math.max(1, Math.floor(rows / batch)) * batch;
}

/**
 * Chunks of a pass in batches of its own choice: an extraction has no more shares than these.
 * @param images of each split
 */
export function chunkCount(
  { features, preprocess }: { readonly features: number; readonly preprocess: Pick<Preprocess, 'size'> },
  images: readonly number[],
): number {
  const rows = rowsPerChunk(features, defaultBatch(preprocess.size));
  return images.reduce((sum, n) => sum + Math.ceil(n / rows), 0);
}

/**
 * Computes all chunks that are not there yet.
 * @returns images of the share, whoever computed their chunks
 * @throws UserError for an unreadable image unless skipBad, WorkError for NaN or infinite activations, those that the store's
 * precision does not reach, and a full disk
 */
export async function runChunks(
  plan: PassPlan,
  engine: Engine,
  pass: CompiledPass,
  options: PassOptions,
): Promise<number> {
  const { backbone, taps, splits, batch, store, chunks, precision } = plan;
  const storage = storages[precision];
  const rows = rowsPerChunk(featureCount(taps), batch);
  const own = shareOf(
    splits.flatMap((split) =>
      Array.from({ length: Math.ceil(split.files.length / rows) }, (_, index) => ({ split, index })),
    ),
    options.share,
  );
  const total = own.reduce((sum, { split, index }) => sum + Math.min(rows, split.files.length - index * rows), 0);
  const todo: typeof own = [];
  let done = 0;
  for (const { split, index } of own) {
    const header = await readWholeChunk(chunkPath(chunks, split.name, index), storage.bytes * featureCount(taps));
    if (header && (options.skipBad || header.bad.length === 0)) done += header.rows;
    else todo.push({ split, index });
  }
  const progress = createProgress({ label: 'extract', total, unit: 'images', from: done, quiet: options.quiet });
  const loader = createLoader(backbone.preprocess);
  const features = featureCount(taps);
  // The rows of one chunk are gathered while the columns of the one before go to disk.
  const [gathered, columns] = [new Float32Array(features * rows), new Float32Array(features * rows)];
  let writing: Promise<void> = Promise.resolve();
  const ahead = engine.device === 'cpu' ? 0 : 4 * batch * pass.workers;
  try {
    // Consecutive chunks of a split share one stream of batches, so that decoding never pauses between chunks.
    for (let first = 0; first < todo.length; ) {
      const { split, index } = todo[first] as (typeof todo)[number];
      let run = 1;
      while (todo[first + run]?.split === split && todo[first + run]?.index === index + run) run++;
      const from = index * rows;
      const files = split.files.slice(from, Math.min(split.files.length, from + run * rows));
      let bad: BadImage[] = [];
      const decoded = batches(files, batch, loader, { skipBad: options.skipBad, ahead });
      for await (const [b, results] of runBatches(pass, backbone, batch, decoded, () => passBuffer(taps, batch))) {
        const inChunk = b.start % rows;
        const chunkSize = Math.min(rows, files.length - (b.start - inChunk));
        if (inChunk === 0) bad = [];
        bad.push(...b.bad.map(({ index: i, message }) => ({ index: from + i, message })));
        options.signal?.throwIfAborted();
        const values = results.subarray(0, b.count * features);
        checkPooled(values, taps, split.files.slice(from + b.start));
        if (precision === 'float16') checkReach(values, taps, split.files.slice(from + b.start));
        gathered.set(values, inChunk * features);
        done += b.count;
        progress.update(done, split.name);
        options.onImages?.(done, total);
        if (inChunk + b.count === chunkSize) {
          const start = from + b.start - inChunk;
          await writing;
          const data = columns.subarray(0, features * chunkSize);
          transpose(gathered, data, chunkSize);
          writing = writeChunk(
            within(store, chunkPath(chunks, split.name, start / rows)),
            { start, rows: chunkSize, bad },
            storage.encode(data),
          );
          // Its failure is thrown where it is waited for.
          writing.catch(() => undefined);
        }
      }
      first += run;
    }
    await writing;
  } catch (error) {
    // No store is ever made of these chunks.
    if (error instanceof OutOfReach) {
      await Promise.allSettled([writing]);
      await forgetFolder(chunks);
    }
    throw error;
  } finally {
    await Promise.allSettled([writing]);
    progress.end();
  }
  return total;
}

/** What stands in a row in one of equal parts of a list. */
const shareOf = <T>(all: T[], { index, count }: Share = { index: 0, count: 1 }): T[] =>
  all.filter((_, i) => Math.floor((i * count) / all.length) === index);

const within = (root: string, path: string): FileWithin => ({ root, file: relative(root, path) });

/** @throws WorkError for pooled values, row by row, that are not numbers: names tap and image */
export function checkPooled(rows: Float32Array, taps: readonly PooledTap[], images: readonly EncodedImage[]): void {
  if (!allFinite(rows)) throw notFinite(rows, taps, images);
}

/** v * 0 is NaN when v is not finite; several times as fast as asking each. */
function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * 0;
  return sum === 0;
}

/** Rows of a tile: as many floats as a cache line holds. */
const tileRows = 16;

/** (count, features) rows -> (features, count) columns. */
export function transpose(rows: Float32Array, columns: Float32Array, count: number): void {
  const features = columns.length / count;
  for (let first = 0; first < count; first += tileRows) {
    const last = Math.min(count, first + tileRows);
    for (let j = 0; j < features; j++) {
      for (let i = first; i < last; i++) columns[j * count + i] = rows[i * features + j] as number;
    }
  }
}

/** The error that names the shallowest tap with such a value and its first image. */
function notFinite(rows: Float32Array, taps: readonly PooledTap[], files: readonly EncodedImage[]): WorkError {
  const features = featureCount(taps);
  const column = rows.reduce((least, v, i) => (Number.isFinite(v) ? least : Math.min(least, i % features)), features);
  let end = 0;
  const at = taps.findIndex((tap) => {
    end += tap.features;
    return column < end;
  });
  const tap = taps[at] as PooledTap;
  const row = files.findIndex((_, i) =>
    rows.subarray(i * features + end - tap.features, i * features + end).some((v) => !Number.isFinite(v)),
  );
  return new WorkError(
    `tap '${tap.alias}' (${tap.name}) has NaN or infinite activations for ${imageName(files[row] ?? '')}: check the preprocessing and the model's weights, or leave the tap out`,
  );
}

const chunksFolder = '.chunks';

/** Folder of the chunks of one request and set of taps within a store. */
export function chunkFolder(store: string, key: string): string {
  return join(store, chunksFolder, key.slice(0, 16));
}

/** @throws UserError when the folder holds chunks of the wanted features in another precision */
export async function assertNoChunks(folder: string, precision: Precision, wanted: Precision): Promise<void> {
  const files = await readdir(folder).catch(() => []);
  if (!files.some((file) => chunkFile.test(file))) return;
  throw new UserError(
    `${folder} holds features of the same images in ${precision}, of a share or of a call that was stopped, and ${wanted} is asked for: say --store ${precision}, or remove that folder`,
  );
}

/** A chunk, or what is left of one that was being written. */
const chunkFile = /\.chunk(\.\d+\.[0-9a-f]+\.tmp)?$/;

/** Removes all chunks of a store, also of requests that were given up, and nothing else that lies there. */
export async function forgetChunks(store: string): Promise<void> {
  const all = join(store, chunksFolder);
  for (const key of await readdir(all).catch(() => [])) {
    if (/^[0-9a-f]{16}$/.test(key)) await forgetFolder(join(all, key));
  }
  await rmdir(all).catch(() => undefined);
}

/** Removes the chunks of a request. */
async function forgetFolder(folder: string): Promise<void> {
  for (const file of await readdir(folder).catch(() => [])) {
    if (chunkFile.test(file)) await rm(join(folder, file), { force: true });
  }
  await rmdir(folder).catch(() => undefined);
}
