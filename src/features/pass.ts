/** The extraction pass: every image through the tapped network once, chunk after chunk. */
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { createProgress, WorkError } from '../base/index.js';
import { batches, createLoader, type EncodedImage, imageName, normaliseInput } from '../data/index.js';
import type { Engine, Program } from '../engine/index.js';
import {
  float32,
  fuseAttention,
  type Graph,
  GraphBuilder,
  type ObservedValue,
  replaceInput,
  sizeOf,
  type Tensor,
} from '../graph/index.js';
import { type Backbone, specialiseBackbone } from './backbone.js';
import { type BadImage, chunkPath, readChunkHeader, writeChunk } from './chunks.js';
import type { PoolItem } from './pooling.js';
import { type PooledTap, tappedGraph } from './tapped.js';

export interface SplitFiles {
  readonly name: string;
  readonly files: readonly EncodedImage[];
}

export interface PassPlan {
  readonly backbone: Pick<Backbone, 'graph' | 'path' | 'preprocess'>;
  readonly observed: ReadonlyMap<string, ObservedValue>;
  readonly taps: readonly PooledTap[];
  readonly items: readonly PoolItem[];
  readonly splits: readonly SplitFiles[];
  readonly batch: number;
  /** Folder of the chunks. */
  readonly chunks: string;
}

export interface PassOptions {
  skipBad: boolean;
  quiet: boolean;
}

const imagesInput = 'images';
/** Examples and bytes of a chunk, at most; what a killed pass can lose. */
const chunkRows = 256;
const chunkBytes = 64 * 2 ** 20;

/** Activations of one batch should stay in the caches: fewer large images, more small ones. */
export function defaultBatch([height, width]: readonly [number, number]): number {
  return Math.max(4, Math.min(64, 2 ** Math.round(Math.log2((4 * 224 * 224) / (height * width)))));
}

export interface CompiledPass {
  readonly program: Program;
  /** Runs of it that go on at the same time. */
  readonly workers: number;
}

/**
 * The network of the pass compiled: uint8 images (B, H, W, 3) in, the features of all taps out, tap after tap in one
 * (B, features) output, since every output costs its way between threads. Batches run beside each other, each on one
 * thread: no operator waits for a thread that decodes, and none is too small to share.
 */
export async function compilePass(
  engine: Engine,
  { backbone, observed, taps, items, batch }: Omit<PassPlan, 'splits' | 'chunks'>,
): Promise<CompiledPass> {
  const graph = await specialiseBackbone(backbone, engine, batch);
  const tapped = await fuseAttention(sideBySide(tappedGraph(graph, observed, taps, items, batch)), engine);
  const workers = passWorkers(engine, tapped, observed, batch);
  return { program: await engine.compile(pixelInput(tapped, backbone, batch), { workers }), workers };
}

function sideBySide(tapped: Graph): Graph {
  const b = new GraphBuilder({ ...tapped, outputs: [] }, 'pass');
  const each = tapped.outputs.map((output) => output.name);
  b.output(b.op('Concat', each, { axis: 1 }));
  return b.build();
}

/** The graph with uint8 images (B, H, W, 3) for input, preprocessed inside. */
export function pixelInput(graph: Graph, { preprocess }: Pick<Backbone, 'preprocess'>, batch: number): Graph {
  const shape = [batch, ...preprocess.size, 3];
  return replaceInput(graph, { name: imagesInput, type: 'uint8', shape }, (b, images) =>
    normaliseInput(b, images, preprocess),
  );
}

/** One for every thread of the engine, but together in a quarter of the memory; one for a device with its own threads. */
function passWorkers(
  engine: Engine,
  graph: Graph,
  observed: ReadonlyMap<string, ObservedValue>,
  batch: number,
): number {
  if (engine.device !== 'cpu') return 1;
  const bytes = (values: Iterable<{ dims: readonly number[] }>) =>
    [...values].reduce((sum, { dims }) => sum + 4 * sizeOf(dims), 0);
  // A runtime holds weights as they are and laid out anew; of the values, observed for two images, at most half live at once.
  const each = 3 * bytes(graph.constants.values()) + (batch / 4) * bytes(observed.values());
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.max(1, Math.min(engine.threads, Math.floor(memory / 4 / each)));
}

/** A buffer for what the compiled pass gives, (batch, features). */
export function passBuffer(taps: readonly PooledTap[], batch: number): Tensor {
  const dims = [batch, featureCount(taps)];
  return float32(dims, new Float32Array(sizeOf(dims)));
}

function featureCount(taps: readonly PooledTap[]): number {
  return taps.reduce((sum, tap) => sum + tap.features, 0);
}

/**
 * Runs the compiled pass on one batch of uint8 pixels, which may be overwritten as soon as this returns.
 * @returns (batch, features) values, in `into` when it is given
 */
export async function runPass(
  program: Program,
  backbone: Pick<Backbone, 'preprocess'>,
  batch: number,
  pixels: Uint8Array,
  into?: Tensor,
): Promise<Float32Array> {
  const [[input = ''], [output = '']] = [program.inputs, program.outputs];
  const dims = [batch, ...backbone.preprocess.size, 3];
  const feeds = { [input]: { type: 'uint8', dims, data: pixels } as const };
  const results = await program.run(feeds, undefined, into && { [output]: into });
  return results[output]?.data as Float32Array;
}

/**
 * Runs the compiled pass on batch after batch. As many wait as run, so that no thread is without work while the next one is
 * decoded.
 * @param buffer makes room for what a run gives, if the caller has it
 * @returns the batches in their order, each with its (batch, features) values, which the runs after it overwrite
 */
export async function* runBatches<B extends { readonly pixels: Uint8Array }>(
  { program, workers }: CompiledPass,
  backbone: Pick<Backbone, 'preprocess'>,
  batch: number,
  source: Iterable<B> | AsyncIterable<B>,
  buffer: () => Tensor | undefined,
): AsyncGenerator<readonly [B, Float32Array], void, undefined> {
  const inFlight = 2 * workers;
  const buffers = Array.from({ length: inFlight + 1 }, buffer);
  const running: [B, Promise<Float32Array>][] = [];
  const next = async () => {
    const [b, results] = running.shift() as (typeof running)[number];
    return [b, await results] as const;
  };
  for await (const b of source) {
    buffers.push(buffers.shift());
    const results = runPass(program, backbone, batch, b.pixels, buffers[0]);
    // A failure is thrown where it is waited for.
    results.catch(() => undefined);
    running.push([b, results]);
    if (running.length > inFlight) yield await next();
  }
  while (running.length > 0) yield await next();
}

/** Examples per chunk: whole batches, bounded in bytes. */
export function rowsPerChunk(taps: readonly PooledTap[], batch: number): number {
  const features = featureCount(taps);
  const rows = Math.min(chunkRows, Math.floor(chunkBytes / (4 * Math.max(1, features))));
  return Math.max(1, Math.floor(rows / batch)) * batch;
}

/**
 * Computes all chunks that are not there yet.
 * @throws UserError for an unreadable image unless skipBad, WorkError for NaN or infinite activations and a full disk
 */
export async function runChunks(
  plan: PassPlan,
  engine: Engine,
  pass: CompiledPass,
  options: PassOptions,
): Promise<void> {
  const { backbone, taps, splits, batch, chunks } = plan;
  const rows = rowsPerChunk(taps, batch);
  const todo: { split: SplitFiles; index: number }[] = [];
  let done = 0;
  const total = splits.reduce((sum, split) => sum + split.files.length, 0);
  for (const split of splits) {
    for (let index = 0; index * rows < split.files.length; index++) {
      const header = await readChunkHeader(chunkPath(chunks, split.name, index));
      if (header && (options.skipBad || header.bad.length === 0)) done += header.rows;
      else todo.push({ split, index });
    }
  }
  const progress = createProgress({ label: 'extract', total, unit: 'images', from: done, quiet: options.quiet });
  const loader = createLoader(backbone.preprocess);
  const features = featureCount(taps);
  // The rows of one chunk are gathered while the columns of the one before go to disk.
  const [gathered, columns] = [new Float32Array(features * rows), new Float32Array(features * rows)];
  let writing: Promise<void> = Promise.resolve();
  const ahead = engine.device === 'cpu' ? 0 : 4 * batch;
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
        const values = results.subarray(0, b.count * features);
        if (!allFinite(values)) throw notFinite(values, taps, split.files.slice(from + b.start));
        gathered.set(values, inChunk * features);
        done += b.count;
        progress.update(done, split.name);
        if (inChunk + b.count === chunkSize) {
          const start = from + b.start - inChunk;
          await writing;
          const data = columns.subarray(0, features * chunkSize);
          transpose(gathered, data, chunkSize);
          writing = writeChunk(chunkPath(chunks, split.name, start / rows), { start, rows: chunkSize, bad }, data);
          // Its failure is thrown where it is waited for.
          writing.catch(() => undefined);
        }
      }
      first += run;
    }
    await writing;
  } finally {
    await Promise.allSettled([writing]);
    progress.end();
  }
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

/** Folder of the chunks of one request and set of taps within a store. */
export function chunkFolder(store: string, key: string): string {
  return join(store, '.chunks', key.slice(0, 16));
}
