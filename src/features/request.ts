/** What a store is the answer to: one model, preprocessing, pooling and set of images; and its fingerprint. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256, UserError, writeFileAtomic } from '../base/index.js';
import { type Dataset, fingerprintDataset } from '../data/index.js';
import type { Backbone } from './backbone.js';
import type { StoreMeta } from './store.js';

/** Splits in the order in which they are extracted and listed. */
export function splitsOf(dataset: Dataset): string[] {
  const rank = (name: string) => ['train', 'val', 'test'].indexOf(name) + 1 || 9;
  return [...new Set(dataset.examples.map((e) => e.split))].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/**
 * sha256 of every image, in the data set's order. Files whose size and time of change are those of the last call are
 * not read again: their hashes are kept in `stampsFile`.
 */
export async function imageHashes(dataset: Dataset, stampsFile: string): Promise<string[]> {
  type Stamp = readonly [size: number, changed: number, hash: string];
  let known: Record<string, Stamp> = {};
  try {
    known = JSON.parse(await readFile(stampsFile, 'utf8')) as Record<string, Stamp>;
  } catch {
    // Absent or damaged: everything is read.
  }
  const stamps = await Promise.all(
    dataset.examples.map(async ({ file }) => {
      const path = join(dataset.root, file);
      const { size, mtimeMs } = await stat(path).catch(() => {
        throw new UserError(`${path} is listed but not there: restore it or take it out of the list`);
      });
      return { path, size, changed: mtimeMs };
    }),
  );
  const unread = stamps.flatMap(({ path, size, changed }, i) => {
    const stamp = known[path];
    return stamp && stamp[0] === size && stamp[1] === changed ? [] : [i];
  });
  const fresh = await fingerprintDataset({
    root: dataset.root,
    examples: unread.map((i) => dataset.examples[i] as Dataset['examples'][number]),
  });
  const hashes = stamps.map(({ path }) => known[path]?.[2] ?? '');
  unread.forEach((i, k) => {
    hashes[i] = fresh[k] as string;
  });
  if (unread.length > 0) {
    const entries = stamps.map(({ path, size, changed }, i) => [path, [size, changed, hashes[i]]]);
    await writeFileAtomic(stampsFile, JSON.stringify(Object.fromEntries(entries)));
  }
  return hashes;
}

export interface RequestKey {
  /** sha256 over all parts. */
  readonly key: string;
  /** The parts, for telling a user which of them differs. */
  readonly parts: Readonly<Record<'model' | 'preprocessing' | 'pooling' | 'images' | 'engine', string>>;
}

export function requestKey(
  backbone: Backbone,
  pool: string,
  dataset: Dataset,
  hashes: readonly string[],
  engine: StoreMeta['engine'],
): RequestKey {
  const images = dataset.examples.map((e, i) => [e.split, e.file, e.label, e.class, e.group ?? null, hashes[i]]);
  const parts = {
    model: backbone.sha256,
    preprocessing: sha256(canonicalJson(backbone.preprocess)),
    pooling: pool,
    images: sha256(canonicalJson(images)),
    engine: canonicalJson(engine),
  };
  return { key: sha256(canonicalJson(parts)), parts };
}

/** @throws UserError when the folder holds the features of another request, saying which part differs. */
export function assertSameRequest(directory: string, meta: StoreMeta, request: RequestKey): void {
  if (meta.key === request.key) return;
  const stored = {
    model: meta.model.sha256,
    preprocessing: sha256(canonicalJson(meta.preprocess)),
    pooling: meta.pool,
    images: meta.data.sha256,
    engine: canonicalJson(meta.engine),
  };
  const differing = Object.entries(request.parts).flatMap(([part, value]) =>
    stored[part as keyof typeof stored] === value ? [] : [part],
  );
  throw new UserError(
    `${directory} holds features of another request (${differing.join(', ')} differ${differing.length === 1 ? 's' : ''}): choose another -o, or remove that folder`,
  );
}
