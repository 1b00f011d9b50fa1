/** What a store is the answer to: one model, preprocessing, pooling and set of images; and its fingerprint. */
import { readFile, stat } from 'node:fs/promises';
import { canonicalJson, sha256, UserError, writeFileAtomic } from '../base/index.js';
import {
  type Dataset,
  type EncodedImage,
  fingerprintImages,
  type Input,
  type Placed,
  type UnlabelledDataset,
} from '../data/index.js';
import type { Backbone } from './backbone.js';
import type { Precision } from './precision.js';
import { precisionOf, type StoreMeta } from './store.js';

/** The images to extract features of. The network reads the inputs; labels of a split, where they are given, are stored. */
export interface ExtractionRequest {
  /** Where the images lie: what files are relative to. */
  readonly root: string;
  /** Names of the classes that labels are indices into. */
  readonly classes: readonly string[];
  readonly inputs: readonly Input[];
  /** In the order in which they are extracted and listed. */
  readonly splits: readonly RequestedSplit[];
  readonly warnings: readonly string[];
}

/** A split of a data set as it is to be extracted. */
export interface RequestedSplit {
  readonly name: string;
  /** Its inputs, by position. */
  readonly rows: readonly number[];
  /** Class of each; absent where labels are unknown or are not to be known: the store then holds none. */
  readonly labels?: readonly number[];
}

const splitOrder = ['train', 'val', 'test'];

/** A data set as a request: every split with its labels, where there are any. */
export function requestOf(dataset: Dataset | UnlabelledDataset): ExtractionRequest {
  const { root, examples, warnings } = dataset;
  const labels = dataset.kind === 'class' ? dataset.examples.map((e) => e.label) : undefined;
  const rank = (name: string) => splitOrder.indexOf(name) + 1 || splitOrder.length + 1;
  const names = [...new Set(examples.map((e) => e.split))].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const splits = names.map((name): RequestedSplit => {
    const rows = examples.flatMap((e, i) => (e.split === name ? [i] : []));
    return { name, rows, ...(labels && { labels: rows.map((i) => labels[i] as number) }) };
  });
  return { root, classes: dataset.kind === 'class' ? dataset.classes : [], inputs: examples, splits, warnings };
}

/** A requested image as its split names it. */
export interface PlacedInput extends Placed {
  /** Position among the inputs. */
  readonly row: number;
  readonly group: string | undefined;
  readonly label: number | undefined;
}

/** Every requested image, in the order of the inputs. */
export function placedInputs({ inputs, splits, classes }: ExtractionRequest): PlacedInput[] {
  const placed = splits.flatMap(({ name, rows, labels }) =>
    rows.map((row, i): PlacedInput => {
      const { file, group } = inputs[row] as Input;
      const label = labels?.[i];
      return { row, file, split: name, group, label, class: label === undefined ? undefined : classes[label] };
    }),
  );
  return placed.sort((a, b) => a.row - b.row);
}

type Stamp = readonly [size: number, changed: number, hash: string];

/**
 * sha256 of every image, in the given order. Files whose size and time of change are those of the last call are not read
 * again: their hashes are kept in `stampsFile`. Images of a container go by its size and time.
 */
export async function imageHashes(images: readonly EncodedImage[], stampsFile: string): Promise<string[]> {
  const known = await readStamps(stampsFile);
  const containers = new Map<string, ReturnType<typeof stampOf>>();
  const stamps = await Promise.all(images.map((image) => stampOfImage(image, containers)));
  const hashes = stamps.map((stamp) => {
    const last = stamp && known[stamp.path];
    return last && last[0] === stamp.size && last[1] === stamp.changed ? last[2] : undefined;
  });
  const unread = hashes.flatMap((hash, i) => (hash === undefined ? [i] : []));
  const fresh = await fingerprintImages(unread.map((i) => images[i] as EncodedImage));
  const all = [...hashes];
  unread.forEach((i, k) => {
    all[i] = fresh[k] as string;
  });
  if (unread.some((i) => stamps[i])) {
    const entries = stamps.flatMap((s, i) => (s ? [[s.path, [s.size, s.changed, all[i]]] as const] : []));
    await writeFileAtomic(stampsFile, JSON.stringify(Object.fromEntries(entries)));
  }
  return all as string[];
}

async function readStamps(path: string): Promise<Record<string, Stamp>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, Stamp>;
  } catch {
    // Absent or damaged: everything is read.
    return {};
  }
}

/** @param containers what is known of files that hold several images; this adds to it */
async function stampOfImage(image: EncodedImage, containers: Map<string, ReturnType<typeof stampOf>>) {
  if (typeof image === 'string') return stampOf(image);
  const { name, container } = image;
  if (container === undefined) return undefined;
  const stamp = containers.get(container) ?? stampOf(container);
  containers.set(container, stamp);
  return { ...(await stamp), path: name };
}

async function stampOf(path: string) {
  const { size, mtimeMs } = await stat(path).catch(() => {
    throw new UserError(`${path} is listed but not there: restore it or take it out of the list`);
  });
  return { path, size, changed: mtimeMs };
}

export interface RequestKey {
  /** sha256 over all parts. */
  readonly key: string;
  /** The parts, so that a message can name the one that differs. */
  readonly parts: Readonly<Record<Part, string>>;
}
type Part = 'model' | 'preprocessing' | 'pooling' | 'images' | 'engine' | 'precision';

/** How features are computed and stored. */
export interface FeatureForm extends Readonly<Pick<StoreMeta, 'pool' | 'engine'>> {
  readonly precision: Precision;
}

export function requestKey(
  backbone: Backbone,
  request: ExtractionRequest,
  hashes: readonly string[],
  { pool, precision, engine }: FeatureForm,
): RequestKey {
  const parts = {
    model: backbone.sha256,
    preprocessing: sha256(canonicalJson(backbone.preprocess)),
    pooling: pool,
    images: sha256(canonicalJson(placedInputs(request).map((p) => identityOf(p, hashes[p.row])))),
    engine: canonicalJson(engine),
  };
  // Stores of float32 were made before there were others, and keep their keys.
  const named = precision === 'float32' ? parts : { ...parts, precision };
  return { key: sha256(canonicalJson(named)), parts: { ...parts, precision } };
}

/** What names an image: a label is part of it where there is one. */
function identityOf({ split, file, label, class: name, group }: PlacedInput, hash: string | undefined) {
  return [split, file, ...(label === undefined ? [] : [label, name]), group ?? null, hash];
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
    precision: precisionOf(meta),
  };
  const differing = Object.entries(request.parts).flatMap(([part, value]) =>
    stored[part as Part] === value ? [] : [part],
  );
  throw new UserError(
    `${directory} holds features of another request (${differing.join(', ')} differ${differing.length === 1 ? 's' : ''}): choose another -o, or remove that folder`,
  );
}
