/**
 * The extraction: from a model and images to a feature store. Content-addressed and resumable: the same request again
 * is a cache hit, a request with more taps computes only those, a killed call goes on after its last whole chunk, and
 * the bytes of the store do not depend on any of that.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, WorkError, waitForLock, writeFileAtomic } from '../base/index.js';
import { type Dataset, duplicateWarnings } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { selectTaps, type Tap } from '../graph/index.js';
import { type AssembledSplit, SplitChunks, tapFile } from './assemble.js';
import { type Backbone, inputShape, type TappedBackbone, tapsOf } from './backbone.js';
import { findDuplicates } from './duplicates.js';
import { encodeNpy } from './npy.js';
import { type CompiledPass, chunkFolder, compilePass, defaultBatch, type PassPlan, runChunks } from './pass.js';
import { parsePool, poolName } from './pooling.js';
import { assertSameRequest, imageHashes, requestKey, splitsOf } from './request.js';
import { metaFile, readMeta, type StoredTap, type StoreMeta } from './store.js';
import { type PooledTap, poolTaps } from './tapped.js';

export interface ExtractOptions {
  /** Folder of the store. */
  output: string;
  /** Globs, aliases, names, 'default', 'all'; see selectTaps. */
  taps: string;
  /** Pooling specs; see pooling.ts. */
  pool: string;
  /** Images per engine call; 0 chooses by image size. Part of the request: rounding depends on it. */
  batch: number;
  /** Leaves unreadable images out and lists them, instead of stopping at the first. */
  skipBad: boolean;
  quiet: boolean;
  /** Told what a user should know while the work goes on. */
  log: (line: string) => void;
}

export const extractDefaults: Omit<ExtractOptions, 'output'> = {
  taps: 'default',
  pool: 'gap',
  batch: 0,
  skipBad: false,
  quiet: false,
  log: () => undefined,
};

export interface Extraction {
  readonly meta: StoreMeta;
  /** Taps computed by this call; none on a cache hit. */
  readonly computed: readonly string[];
  readonly seconds: number;
}

/**
 * @throws UserError for a wrong request (see the parts), WorkError for a full disk or NaN activations
 */
export async function extract(
  backbone: Backbone,
  dataset: Dataset,
  engine: Engine,
  options: Partial<ExtractOptions> & Pick<ExtractOptions, 'output'>,
): Promise<Extraction> {
  const o: ExtractOptions = { ...extractDefaults, ...options };
  const started = performance.now();
  const items = parsePool(o.pool);
  const batch = o.batch || defaultBatch(backbone.preprocess.size);
  const tapped = await tapsOf(backbone, engine);
  const wanted = selectTaps(tapped.taps, o.taps);
  // The folder must be writable before anything long starts.
  const lock = await waitForLock(join(o.output, '.lock'), () =>
    o.log(`another process works on ${o.output}: waiting for it`),
  );
  let compiling: Promise<CompiledPass> | undefined;
  try {
    const existing = await readMeta(o.output);
    const settled = new Set([...(existing?.taps ?? []), ...(existing?.dropped ?? [])].map((t) => t.name));
    const missing = poolTaps(
      wanted.filter((tap) => !settled.has(tap.name)),
      items,
    );
    const network = { backbone, observed: tapped.observed, taps: missing, items, batch };
    // The network is compiled in threads of its own while the images are hashed.
    if (missing.length > 0) compiling = compilePass(engine, network);
    compiling?.catch(() => undefined);
    const hashes = await imageHashes(dataset, join(o.output, '.stamps.json'));
    const engineInfo = { name: engine.name, device: engine.device, batch };
    const request = requestKey(backbone, items.map(poolName).join(','), dataset, hashes, engineInfo);
    if (existing) assertSameRequest(o.output, existing, request);
    if (!compiling) {
      return { meta: existing as StoreMeta, computed: [], seconds: (performance.now() - started) / 1000 };
    }
    const splits = splitsOf(dataset).map((name) => {
      const rows = dataset.examples.flatMap((e, i) => (e.split === name ? [i] : []));
      return { name, rows, files: rows.map((i) => join(dataset.root, dataset.examples[i]?.file ?? '')) };
    });
    const plan: PassPlan = {
      ...network,
      splits,
      chunks: chunkFolder(o.output, sha256([request.key, ...missing.map((t) => t.name)].join('\n'))),
    };
    const pass = await compiling;
    const duplicates = findDuplicates(pass.program, plan);
    duplicates.catch(() => undefined);
    await runChunks(plan, engine, pass, { skipBad: o.skipBad, quiet: o.quiet });
    const dropped = await duplicates;
    await pass.program.dispose();
    const kept = missing.filter((tap) => !dropped.some((d) => d.name === tap.name));
    const assembled = await assemble(o.output, plan, kept);
    const constantTaps = assembled.taps.filter((tap) => tap.constant.length === tap.features);
    const all = [...(existing?.taps ?? []), ...assembled.taps.filter((tap) => !constantTaps.includes(tap))];
    const order = new Map(tapped.taps.map((tap, i) => [tap.name, i]));
    const inOrder = (a: { name: string }, b: { name: string }) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0);
    const meta: StoreMeta = {
      toehold: 1,
      key: request.key,
      model: describeModel(backbone, tapped),
      preprocess: backbone.preprocess,
      pool: items.map(poolName).join(','),
      engine: engineInfo,
      data: {
        root: dataset.root,
        sha256: request.parts.images,
        warnings: [...dataset.warnings, ...duplicateWarnings(dataset, hashes)],
      },
      classes: [...dataset.classes],
      splits: existing?.splits ?? describeSplits(dataset, hashes, splits, assembled.splits),
      taps: all.sort(inOrder),
      dropped: [
        ...(existing?.dropped ?? []),
        ...dropped,
        ...constantTaps.map(({ name, alias }) => ({ name, alias, reason: 'all its features are constant' })),
      ].sort(inOrder),
      skipped:
        existing?.skipped ??
        splits.flatMap(({ name, files }) =>
          (assembled.splits.get(name)?.bad ?? []).map(({ index, message }) => ({
            split: name,
            file: files[index] ?? '',
            reason: message,
          })),
        ),
    };
    for (const tap of constantTaps) {
      for (const file of Object.values(tap.file)) await rm(join(o.output, file), { force: true });
    }
    for (const [name, { labels }] of Object.entries(meta.splits)) {
      const y = encodeNpy('<i4', [labels.length], Int32Array.from(labels));
      await writeFileAtomic(join(o.output, name, 'labels.npy'), y);
    }
    await writeFileAtomic(join(o.output, metaFile), `${JSON.stringify(meta, null, 1)}\n`);
    await rm(join(o.output, '.chunks'), { recursive: true, force: true });
    return { meta, computed: kept.map((t) => t.alias), seconds: (performance.now() - started) / 1000 };
  } finally {
    const [compiled] = await Promise.allSettled([compiling]);
    if (compiled?.status === 'fulfilled') await compiled.value?.program.dispose();
    await lock.release();
  }
}

/** Files that are put together at the same time. */
const assemblyWriters = 4;

async function assemble(
  output: string,
  plan: PassPlan,
  taps: readonly PooledTap[],
): Promise<{ taps: StoredTap[]; splits: Map<string, AssembledSplit> }> {
  const constant = new Map<string, number[]>();
  const splits = new Map<string, AssembledSplit>();
  for (const { name, files } of plan.splits) {
    const chunks = await SplitChunks.open(plan.chunks, name, files.length, plan.taps);
    try {
      if (chunks.rows.length === 0) throw new WorkError(`no readable image is left in split '${name}'`);
      splits.set(name, { rows: chunks.rows, bad: chunks.bad });
      // Several at once: each waits for the disk most of the time.
      const queue = [...taps];
      const writer = async () => {
        for (let tap = queue.shift(); tap; tap = queue.shift()) {
          const found = await chunks.write(tap, join(output, tapFile(name, tap.alias)));
          // Constancy is judged on the training rows, which come first.
          if (!constant.has(tap.name)) constant.set(tap.name, found);
        }
      };
      const writers = Array.from({ length: assemblyWriters }, writer);
      await Promise.allSettled(writers);
      await Promise.all(writers);
    } finally {
      await chunks.close();
    }
  }
  return {
    splits,
    taps: taps.map(({ standard, ...tap }) => ({
      ...tap,
      shape: [...tap.shape],
      pieces: tap.pieces.map((piece) => ({ ...piece, grid: [...piece.grid] as [number, number] })),
      constant: constant.get(tap.name) ?? [],
      file: Object.fromEntries(plan.splits.map(({ name }) => [name, tapFile(name, tap.alias)])),
    })),
  };
}

function describeModel(backbone: Backbone, { taps }: TappedBackbone): StoreMeta['model'] {
  const most = (of: (tap: Tap) => number) => Math.max(...taps.map(of));
  return {
    name: backbone.name,
    path: backbone.path,
    sha256: backbone.sha256,
    inputs: backbone.graph.inputs.map((i) => ({ name: i.name, shape: inputShape(backbone.preprocess, 1).slice(1) })),
    params: most((t) => t.params),
    macs: most((t) => t.macs),
  };
}

function describeSplits(
  dataset: Dataset,
  hashes: readonly string[],
  splits: readonly { name: string; rows: readonly number[] }[],
  assembled: ReadonlyMap<string, AssembledSplit>,
): StoreMeta['splits'] {
  return Object.fromEntries(
    splits.map(({ name, rows }) => {
      const kept = (assembled.get(name)?.rows ?? []).map((i) => rows[i] as number);
      const examples = kept.map((i) => dataset.examples[i] as Dataset['examples'][number]);
      return [
        name,
        {
          n: examples.length,
          labels: examples.map((e) => e.label),
          files: examples.map((e) => e.file),
          ...(examples.some((e) => e.group !== undefined) && { groups: examples.map((e) => e.group ?? e.file) }),
          hashes: kept.map((i) => hashes[i] as string),
          ...(examples.some((e) => Object.keys(e.extra).length > 0) && {
            extra: examples.map((e) => ({ ...e.extra })),
          }),
        },
      ];
    }),
  );
}
