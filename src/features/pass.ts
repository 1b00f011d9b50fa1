/** The extraction pass: every image through the tapped network once, chunk after chunk. */
import { join } from 'node:path';
import { createProgress, WorkError } from '../base/index.js';
import { batches, createLoader, normaliseInput } from '../data/index.js';
import { createOnnxRuntime, type Engine, type Program } from '../engine/index.js';
import { float32, fuseAttention, type ObservedValue, replaceInput, type Tensor } from '../graph/index.js';
import { type Backbone, specialiseBackbone } from './backbone.js';
import { type BadImage, chunkPath, readChunkHeader, writeChunk } from './chunks.js';
import type { PoolItem } from './pooling.js';
import { type PooledTap, pooledOutput, tappedGraph } from './tapped.js';

export interface SplitFiles {
  readonly name: string;
  /** Absolute paths. */
  readonly files: readonly string[];
}

export interface PassPlan {
  readonly backbone: Backbone;
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

/** The network of the pass compiled: uint8 images (B, H, W, 3) in, one (B, features) output per tap. */
export async function compilePass(
  engine: Engine,
  { backbone, observed, taps, items, batch }: Pick<PassPlan, 'backbone' | 'observed' | 'taps' | 'items' | 'batch'>,
): Promise<Program> {
  const graph = await specialiseBackbone(backbone, engine, batch);
  const tapped = await fuseAttention(tappedGraph(graph, observed, taps, items, batch), engine);
  const shape = [batch, ...backbone.preprocess.size, 3];
  return engine.compile(
    replaceInput(tapped, { name: imagesInput, type: 'uint8', shape }, (b, images) =>
      normaliseInput(b, images, backbone.preprocess),
    ),
  );
}

/** Buffers for the outputs of a compiled pass, (batch, features) each; one set serves all batches. */
export function passBuffers(taps: readonly PooledTap[], batch: number): Record<string, Tensor> {
  return Object.fromEntries(
    taps.map((tap) => [pooledOutput(tap), float32([batch, tap.features], new Float32Array(batch * tap.features))]),
  );
}

/** Runs the compiled pass on one batch of uint8 pixels. */
export async function runPass(
  program: Program,
  backbone: Backbone,
  batch: number,
  pixels: Uint8Array,
  into: Record<string, Tensor>,
) {
  const dims = [batch, ...backbone.preprocess.size, 3];
  const feeds = { [program.inputs[0] ?? imagesInput]: { type: 'uint8', dims, data: pixels } as const };
  return program.run(feeds, undefined, into);
}

/** Examples per chunk: whole batches, bounded in bytes. */
export function rowsPerChunk(taps: readonly PooledTap[], batch: number): number {
  const features = taps.reduce((sum, tap) => sum + tap.features, 0);
  const rows = Math.min(chunkRows, Math.floor(chunkBytes / (4 * Math.max(1, features))));
  return Math.max(1, Math.floor(rows / batch)) * batch;
}

/**
 * Computes all chunks that are not there yet.
 * @throws UserError for an unreadable image unless skipBad, WorkError for NaN or infinite activations and a full disk
 */
export async function runChunks(plan: PassPlan, engine: Engine, program: Program, options: PassOptions): Promise<void> {
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
  // One thread resizes: the other cores decode meanwhile.
  const loader = await createLoader(await createOnnxRuntime({ threads: 1 }), backbone.preprocess);
  const features = taps.reduce((sum, tap) => sum + tap.features, 0);
  const outputs = passBuffers(taps, batch);
  // One chunk is filled while the one before goes to disk.
  const buffers = [0, 1].map(() => new Float32Array(features * rows));
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
      let buffer = buffers[0] as Float32Array;
      let bad: BadImage[] = [];
      for await (const b of batches(files, batch, loader, { skipBad: options.skipBad, ahead })) {
        const inChunk = b.start % rows;
        const chunkSize = Math.min(rows, files.length - (b.start - inChunk));
        if (inChunk === 0) {
          buffers.reverse();
          [buffer, bad] = [(buffers[0] as Float32Array).subarray(0, features * chunkSize), []];
        }
        bad.push(...b.bad.map(({ index: i, message }) => ({ index: from + i, message })));
        const results = await runPass(program, backbone, batch, b.pixels, outputs);
        let offset = 0;
        for (const tap of taps) {
          const data = results[pooledOutput(tap)]?.data as Float32Array;
          const broken = transposeInto(data, tap.features, b.count, buffer, offset, inChunk, chunkSize);
          if (broken >= 0) throw notFinite(tap, broken, split, from + b.start);
          offset += tap.features * chunkSize;
        }
        done += b.count;
        progress.update(done, split.name);
        if (inChunk + b.count === chunkSize) {
          const start = from + b.start - inChunk;
          await writing;
          writing = writeChunk(chunkPath(chunks, split.name, start / rows), { start, rows: chunkSize, bad }, buffer);
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
    await loader.dispose();
  }
}

/**
 * Writes (count, features) rows as columns of the feature-major chunk, from row `first` on.
 * @returns index of the first element that is not finite, or -1
 */
function transposeInto(
  data: Float32Array,
  features: number,
  count: number,
  chunk: Float32Array,
  offset: number,
  first: number,
  chunkSize: number,
): number {
  let check = 0;
  for (let j = 0; j < features; j++) {
    const column = offset + j * chunkSize + first;
    for (let i = 0; i < count; i++) {
      const v = data[i * features + j] as number;
      chunk[column + i] = v;
      check += v * 0;
    }
  }
  return check === 0 ? -1 : data.subarray(0, count * features).findIndex((v) => !Number.isFinite(v));
}

function notFinite(tap: PooledTap, element: number, split: SplitFiles, start: number): WorkError {
  const file = split.files[start + Math.floor(element / tap.features)];
  return new WorkError(
    `tap '${tap.alias}' (${tap.name}) has NaN or infinite activations for ${file}: check the preprocessing and the model's weights, or leave the tap out`,
  );
}

/** Folder of the chunks of one request and set of taps within a store. */
export function chunkFolder(store: string, key: string): string {
  return join(store, '.chunks', key.slice(0, 16));
}
