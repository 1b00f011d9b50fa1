/**
 * The extraction: from a model and images to a feature store. Content-addressed and resumable: repeating a request is a
 * cache hit, a request with more taps computes only those, a killed call resumes after its last whole chunk, and the
 * bytes of the store do not depend on any of that.
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  activity,
  encodeNpy,
  fileError,
  type Share,
  sha256,
  UserError,
  waitForLock,
  writeFileAtomic,
} from '../base/index.js';
import type { Input } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { selectTaps, type Tap } from '../graph/index.js';
import { type Backbone, type TappedBackbone, tapsOf } from './backbone.js';
import { assertNoChunks, chunkFolder, forgetChunks, type PassPlan, runChunks } from './chunk-pass.js';
import { describeStore, isConstantTap } from './describe.js';
import { type Duplicates, findDuplicates } from './duplicates.js';
import { FileStamps } from './file-stamps.js';
import { joinChunks } from './join-chunks.js';
import { type CompiledPass, calibrated, compilePass, defaultBatch } from './pass.js';
import { type PoolItem, parsePool, poolName } from './pooling.js';
import { type Precision, precisions } from './precision.js';
import {
  assertSameRequest,
  type ExtractionRequest,
  type FeatureForm,
  imageHashes,
  type RequestKey,
  requestKey,
} from './request.js';
import { labelsFile } from './split-chunks.js';
import { metaFile, readMeta, type StoredTap, type StoreMeta } from './store.js';
import { type PooledTap, poolTaps } from './tapped.js';

/** What is read, how it is pooled, and how the work goes about it. */
export interface ExtractOptions {
  /** Folder of the store. */
  output: string;
  /** Globs, aliases, names, 'default', 'all'; see selectTaps. */
  taps: string;
  /** Pooling specs; see pooling.ts. */
  pool: string;
  /** What features are stored in: float16 takes half of the bytes, and rounds to 11 bits. */
  precision: Precision;
  /** Images per engine call; 0 chooses by image size. Part of the request: rounding depends on it. */
  batch: number;
  /** Bytes that the streams of the network may take together; 0 is a quarter of the machine's memory. */
  memory: number;
  /** Leaves unreadable images out and lists them, instead of stopping at the first. */
  skipBad: boolean;
  quiet: boolean;
  /** Receives what a user should know while the work runs. */
  log: (line: string) => void;
  /** Called with the number of images done, and of all. */
  onImages?: ((done: number, total: number) => void) | undefined;
  /** Stops after the running batch; the same request goes on from there. */
  signal?: AbortSignal | undefined;
}

/** What holds where nothing is said. */
export const extractDefaults: Omit<ExtractOptions, 'output'> = {
  taps: 'default',
  pool: 'gap',
  precision: 'float32',
  batch: 0,
  memory: 0,
  skipBad: false,
  quiet: false,
  log: () => undefined,
};

/** What an extraction did. */
export interface Extraction {
  readonly meta: StoreMeta;
  /** Taps computed by this call; none on a cache hit. */
  readonly computed: readonly string[];
  /** Batches that ran beside each other, and threads of each; none on a cache hit. */
  readonly streams?: { readonly count: number; readonly threads: number };
  readonly seconds: number;
}

/** What a share of an extraction did. */
export interface ExtractedShare {
  /** Images of the share, and of all shares. */
  readonly images: number;
  readonly of: number;
  readonly seconds: number;
}

/** What one call is about, settled before anything long starts. */
interface Job {
  readonly backbone: Backbone;
  readonly request: ExtractionRequest;
  readonly engine: Engine;
  readonly options: ExtractOptions;
  readonly items: readonly PoolItem[];
  readonly form: FeatureForm;
  readonly tapped: TappedBackbone;
  readonly wanted: readonly Tap[];
}

/**
 * @param request see requestOf for a labelled data set
 * @throws UserError for a wrong request (see the parts), WorkError for a full disk or NaN activations
 */
export async function extract(
  backbone: Backbone,
  request: ExtractionRequest,
  engine: Engine,
  options: Partial<ExtractOptions> & Pick<ExtractOptions, 'output'>,
): Promise<Extraction> {
  const started = performance.now();
  const job = await settled(backbone, request, engine, options);
  const { output, log } = job.options;
  // The folder must be writable before anything long starts.
  const lock = await waitForLock(join(output, '.lock'), () =>
    log(`another process works on ${output}: waiting for it`),
  );
  try {
    const done = await update(job);
    return { ...done, seconds: (performance.now() - started) / 1000 };
  } finally {
    await lock.release();
  }
}

/**
 * A share of an extraction: runs the network over some of the images and leaves their chunks in the folder. Shares may run side by
 * side, on machines that see the folder; when they have ended, `extract` with the same request finds their chunks and makes the
 * store, byte for byte the one that it would have made alone.
 * @throws as extract does
 */
export async function extractShare(
  backbone: Backbone,
  request: ExtractionRequest,
  engine: Engine,
  options: Partial<ExtractOptions> & Pick<ExtractOptions, 'output'>,
  share: Share,
): Promise<ExtractedShare> {
  const started = performance.now();
  const job = await settled(backbone, request, engine, options);
  await mkdir(job.options.output, { recursive: true }).catch((error) => {
    throw fileError(error, job.options.output);
  });
  const images = await overMissing(
    job,
    await held(job),
    async ({ plan, pass }) => runChunks(plan, engine, await calibrated(pass, plan), { ...job.options, share }),
    share,
  );
  const of = request.splits.reduce((sum, { rows }) => sum + rows.length, 0);
  return { images: images ?? 0, of, seconds: (performance.now() - started) / 1000 };
}

async function settled(
  backbone: Backbone,
  request: ExtractionRequest,
  engine: Engine,
  asked: Partial<ExtractOptions> & Pick<ExtractOptions, 'output'>,
): Promise<Job> {
  const options: ExtractOptions = { ...extractDefaults, ...asked };
  const items = parsePool(options.pool);
  const batch = options.batch || defaultBatch(backbone.preprocess.size);
  const tapped = await tapsOf(backbone, engine);
  const wanted = readable(selectTaps(tapped.taps, options.taps), options.log);
  const form: FeatureForm = {
    pool: items.map(poolName).join(','),
    precision: options.precision,
    engine: { name: engine.name, device: engine.device, batch },
  };
  return { backbone, request, engine, options, items, form, tapped, wanted };
}

/** Taps of which it is known what to pool. @throws UserError when none is */
export function readable(taps: readonly Tap[], log: (line: string) => void): Tap[] {
  const [unknown, known] = [taps.filter((t) => t.kind === 'unknown'), taps.filter((t) => t.kind !== 'unknown')];
  const names = `${unknown
    .slice(0, 3)
    .map((t) => t.alias)
    .join(', ')}${unknown.length > 3 ? ', ...' : ''}`;
  if (known.length === 0) {
    throw new UserError(`which axes of ${names} are channels cannot be read from the network: choose other taps`);
  }
  if (unknown.length > 0)
    log(`skipped ${unknown.length} values (${names}): which of their axes are channels is not known`);
  return known;
}

/** What the folder holds: any store, and one whose files are whole. */
interface Held {
  readonly found: StoreMeta | undefined;
  readonly existing: StoreMeta | undefined;
}

async function held({ options }: Job): Promise<Held> {
  const found = await readMeta(options.output);
  return { found, existing: found && isWhole(found, options) ? found : undefined };
}

/** A pass over what a store lacks. */
interface Missing {
  readonly plan: PassPlan;
  readonly pass: CompiledPass;
  readonly key: RequestKey;
  readonly hashes: readonly string[];
}

/**
 * Prepares the pass over what the store lacks, and disposes of it when the work is done.
 * @returns undefined where it lacks nothing
 */
async function overMissing<T>(
  job: Job,
  { found, existing }: Held,
  work: (missing: Missing) => Promise<T>,
  { count }: Pick<Share, 'count'> = { count: 1 },
): Promise<T | undefined> {
  const { backbone, request, engine, options, items, form } = job;
  // Values of a tap may differ in their last bits by what else is computed: all are done anew, in one pass as before.
  const lost = existing ? [] : (found?.taps ?? []).map((tap) => tap.name);
  const taps = missingTaps(job, existing, lost);
  const network = { backbone, taps, items, batch: form.engine.batch };
  const images = request.splits.reduce((sum, { rows }) => sum + rows.length, 0);
  const size = { images: images / count, memory: options.memory || undefined };
  // The network is compiled in threads of its own while the images are hashed.
  const compiling = taps.length > 0 ? compilePass(engine, network, size) : undefined;
  compiling?.catch(() => undefined);
  try {
    const hashes = await imageHashes(
      request.inputs.map((input) => input.image),
      join(options.output, '.stamps.json'),
    );
    const keyAs = (precision: Precision) => requestKey(backbone, request, hashes, { ...form, precision });
    const chunksAs = (precision: Precision) =>
      chunkFolder(options.output, sha256([keyAs(precision).key, ...taps.map((t) => t.name)].join('\n')));
    const key = keyAs(form.precision);
    if (found) assertSameRequest(options.output, found, key);
    if (!compiling) return undefined;
    for (const other of precisions) {
      if (other !== form.precision) await assertNoChunks(chunksAs(other), other, form.precision);
    }
    const plan: PassPlan = {
      ...network,
      splits: request.splits.map(({ name, rows }) => ({
        name,
        files: rows.map((i) => (request.inputs[i] as Input).image),
      })),
      store: options.output,
      chunks: chunksAs(form.precision),
      precision: form.precision,
    };
    return await work({ plan, pass: await compiling, key, hashes });
  } finally {
    const [compiled] = await Promise.allSettled([compiling]);
    if (compiled?.status === 'fulfilled') await compiled.value?.program.dispose();
  }
}

/** Computes what the store lacks and writes its description anew. */
async function update(job: Job): Promise<Omit<Extraction, 'seconds'>> {
  const store = await held(job);
  const { existing } = store;
  const done = await overMissing(job, store, async ({ plan, pass, key, hashes }) => {
    const { dropped, repeats, streams } = await runAll(job, plan, pass);
    const kept = plan.taps.filter((tap) => !dropped.some((d) => d.name === tap.name));
    const joined = await joinChunks(job.options.output, plan, kept);
    const meta = describeStore(job, { existing, key, hashes, dropped, repeats, ...joined });
    await write(job.options.output, meta, joined.taps);
    return { meta, computed: kept.map((t) => t.alias), streams };
  });
  if (done) return done;
  if (!existing) throw new UserError('no tap is asked for: name some with --taps');
  return { meta: existing, computed: [] };
}

/** Whether every feature file of a store is there as it was written; says which are not. */
function isWhole(meta: StoreMeta, { output, log }: ExtractOptions): boolean {
  const stamps = new FileStamps(output);
  const lost = meta.taps.filter((tap) =>
    Object.entries(tap.file).some(([split, file]) => {
      const sha256 = tap.sha256?.[split];
      return sha256 === undefined ? !existsSync(join(output, file)) : !stamps.isIntact(file, sha256);
    }),
  );
  if (lost.length === 0) return true;
  const names = lost.slice(0, 3).map((tap) => tap.alias);
  log(
    `files of ${names.join(', ')}${lost.length > 3 ? ` and ${lost.length - 3} more` : ''} are missing or damaged: all taps are computed again`,
  );
  return false;
}

/** The wanted taps, and those that were lost, that the store neither holds nor has left out. */
function missingTaps(
  { wanted, items, tapped }: Job,
  existing: StoreMeta | undefined,
  lost: readonly string[],
): PooledTap[] {
  const settled = new Set([...(existing?.taps ?? []), ...(existing?.dropped ?? [])].map((t) => t.name));
  const names = new Set([...wanted.map((tap) => tap.name), ...lost]);
  return poolTaps(
    tapped.taps.filter((tap) => names.has(tap.name) && !settled.has(tap.name)),
    items,
  );
}

/** The pass over all images. @returns the taps whose features another tap has too */
async function runAll(
  { engine, options }: Job,
  plan: PassPlan,
  compiled: CompiledPass,
): Promise<Duplicates & Required<Pick<Extraction, 'streams'>>> {
  const pass = await calibrated(compiled, plan);
  const duplicates = findDuplicates(pass.program, plan);
  duplicates.catch(() => undefined);
  activity(`running ${plan.backbone.path ?? 'the network'} on images`);
  await runChunks(plan, engine, pass, options);
  const found = await duplicates;
  await pass.program.dispose();
  return { ...found, streams: { count: pass.workers, threads: pass.streams.threads } };
}

/** Everything but the features, meta.json last; what the pass left on the way is removed. */
async function write(output: string, meta: StoreMeta, taps: readonly StoredTap[]): Promise<void> {
  for (const tap of taps.filter(isConstantTap)) {
    for (const file of Object.values(tap.file)) await rm(join(output, file), { force: true });
  }
  for (const [name, { labels }] of Object.entries(meta.splits)) {
    if (!labels) continue;
    const y = encodeNpy('<i4', [labels.length], Int32Array.from(labels));
    await writeFileAtomic({ root: output, file: labelsFile(name) }, y);
  }
  await writeFileAtomic({ root: output, file: metaFile }, `${JSON.stringify(meta, null, 1)}\n`);
  await forgetChunks(output);
}
