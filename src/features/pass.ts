/** The network of the extraction pass, compiled, and its runs on batches of images. */
import { totalmem } from 'node:os';
import { type Engine, machineTopology, type Program } from '../engine/index.js';
import {
  float32,
  fuseAttention,
  type Graph,
  GraphBuilder,
  type StaticGraph,
  sizeOf,
  type Tensor,
} from '../graph/index.js';
import { type Backbone, specialiseBackbone } from './backbone.js';
import { calibrate } from './calibrate.js';
import { pixelInput, pixelShape } from './pixels.js';
import { assertAsPlain } from './plain-check.js';
import type { PoolItem } from './pooling.js';
import { type Streams, streamsOf } from './streams.js';
import { type PooledTap, tappedGraph } from './tapped.js';

/** What the pass computes: the pooled taps of a backbone. */
export interface PassNetwork {
  readonly backbone: Pick<Backbone, 'graph' | 'path' | 'preprocess'>;
  readonly taps: readonly PooledTap[];
  readonly items: readonly PoolItem[];
  readonly batch: number;
}

/** Activations of one batch should stay in the caches: fewer large images, more small ones. */
export function defaultBatch([height, width]: readonly [number, number]): number {
  return Math.max(4, Math.min(64, 2 ** Math.round(Math.log2((4 * 224 * 224) / (height * width)))));
}

/** A network that gives pooled taps, compiled. */
export interface CompiledPass {
  readonly program: Program;
  /** Runs of it that go on at the same time. */
  readonly workers: number;
  /** What else may be tried. */
  readonly streams: Pick<Streams, 'choices' | 'threads' | 'processors'>;
}

/** How long a pass is, and what it may take. */
export interface PassSize {
  readonly images: number;
  /** Bytes that streams may take together; a quarter of the machine's memory by default. */
  readonly memory?: number | undefined;
}

/**
 * The network of the pass compiled: uint8 images (B, H, W, 3) in, the features of all taps out, tap after tap in one
 * (B, features) output, since every output costs its way between threads. Batches run beside each other, each on one
 * thread: no operator waits for a thread that decodes, and none is too small to share.
 */
export async function compilePass(
  engine: Engine,
  { backbone, taps, items, batch }: PassNetwork,
  { images, memory = usualMemory() }: PassSize = { images: 0 },
): Promise<CompiledPass> {
  const network = await specialiseBackbone(backbone, engine, batch);
  const plain = sideBySide(tappedGraph(network, taps, items));
  const tapped = await fuseAttention(plain, network, engine);
  const needs = { bytes: streamBytes(tapped, network), memory, batches: Math.ceil(images / batch) };
  const streams = passStreams(engine, needs);
  const workers = Math.max(...streams.choices);
  const program = await engine.compile(pixelInput(tapped, backbone.preprocess, batch), {
    workers,
    threads: streams.threads,
    processors: streams.processors,
  });
  try {
    await assertAsPlain(engine, plain, { preprocess: backbone.preprocess, taps, batch }, (pixels, other = program) =>
      runPass(other, backbone, batch, pixels),
    );
  } catch (error) {
    await program.dispose();
    throw error;
  }
  return { program, workers, streams };
}

/** The pass with as many streams as are fastest here, where there is a choice. */
export async function calibrated(pass: CompiledPass, { backbone, taps, batch }: PassNetwork): Promise<CompiledPass> {
  const { program, streams } = pass;
  if (streams.choices.length < 2) return pass;
  const pixels = new Uint8Array(sizeOf(pixelShape(backbone.preprocess, batch))).map(
    (_, i) => Math.imul(i, 40503) >>> 8,
  );
  const buffers = Array.from({ length: pass.workers }, () => passBuffer(taps, batch));
  const round = (count: number) =>
    Promise.all(buffers.slice(0, count).map((into) => runPass(program, backbone, batch, pixels, into)));
  const { streams: workers } = await calibrate({ choices: streams.choices, round });
  await program.narrow?.(workers);
  return { ...pass, workers };
}

function sideBySide(tapped: Graph): Graph {
  const b = new GraphBuilder({ ...tapped, outputs: [] }, 'pass');
  const each = tapped.outputs.map((output) => output.name);
  b.output(b.concat(each, 1));
  return b.build();
}

/** A stream for each GPU; on a processor as its cores and the memory allow. */
function passStreams(
  engine: Engine,
  needs: { readonly bytes: number; readonly memory: number; readonly batches: number },
) {
  if (engine.device !== 'cpu')
    return { choices: [Math.max(1, engine.accelerators.length)], threads: 1, processors: [] };
  return streamsOf(machineTopology(), { budget: engine.threads, ...needs });
}

/** A runtime holds weights as they are and laid out anew; of the values at most half live at once. */
function streamBytes(graph: Graph, network: StaticGraph): number {
  const bytes = (values: Iterable<{ dims: readonly number[] }>) =>
    [...values].reduce((sum, { dims }) => sum + 4 * sizeOf(dims), 0);
  return 3 * bytes(graph.constants.values()) + bytes(network.values.values()) / 2;
}

const usualMemory = () => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 4;

/** A buffer for what the compiled pass gives, (batch, features). */
export function passBuffer(taps: readonly PooledTap[], batch: number): Tensor {
  const dims = [batch, featureCount(taps)];
  return float32(dims, new Float32Array(sizeOf(dims)));
}

export function featureCount(taps: readonly PooledTap[]): number {
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
  const dims = pixelShape(backbone.preprocess, batch);
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
  { program, workers }: Pick<CompiledPass, 'program' | 'workers'>,
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
