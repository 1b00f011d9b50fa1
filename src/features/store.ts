/**
 * The feature store: a folder with one .npy file per split and tap, and meta.json that says what they are.
 *
 * meta.json depends on the request only (model, preprocessing, pooling, images), never on when or how often the pass
 * was interrupted. Stored features are raw pooled values, in float32, or rounded to 16-bit floats. What is not known is absent: a split without labels says so by
 * having none.
 */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type NpyHeader, readNpyHeader, UserError } from '../base/index.js';
import { FileStamps } from './file-stamps.js';
import { type Precision, precisions, storages } from './precision.js';

const count = z.int().min(0);

const pieceSchema = z.object({
  pool: z.string(),
  channels: count,
  prefix: count,
  grid: z.tuple([count, count]),
  features: count,
});

const tapSchema = z.object({
  name: z.string(),
  alias: z.string(),
  kind: z.enum(['map', 'tokens', 'vector', 'heads', 'unknown']),
  /** See Layout; absent from stores of 0.1. */
  layout: z
    .strictObject({
      kind: z.enum(['map', 'tokens', 'vector', 'heads', 'unknown']),
      axes: z.string(),
      prefix: z.int().min(0),
      suffix: z.int().min(0),
      grid: z.tuple([z.int(), z.int()]).optional(),
    })
    .optional(),
  op: z.string(),
  shape: z.array(count),
  depth: z.number(),
  params: z.number(),
  macs: z.number(),
  features: count,
  pieces: z.array(pieceSchema),
  /**
   * Features that have one value over the whole first split (train, where there is one). They are stored like the others,
   * since a tap's norm is over all of its features.
   */
  constant: z.array(count),
  file: z.record(z.string(), z.string()),
  /** sha256 of these files; absent from stores of 0.1. */
  sha256: z.record(z.string(), z.string()).optional(),
});

const columns = ['labels', 'files', 'groups', 'hashes', 'extra'] as const;

const splitSchema = z
  .object({
    n: z.int().min(0),
    /** Class of every example; absent where the store was not given any. */
    labels: z.array(count).optional(),
    files: z.array(z.string()),
    /** Examples with the same group (track, patient, author) stay together in folds. */
    groups: z.array(z.string()).optional(),
    /** sha256 of each image file. */
    hashes: z.array(z.string()),
    /** Other columns of the manifest. */
    extra: z.array(z.record(z.string(), z.string())).optional(),
  })
  .refine((split) => columns.every((name) => split[name] === undefined || split[name].length === split.n), {
    error: 'its lists differ in length',
  });

export const storeSchema = z.object({
  toehold: z.literal(1),
  /** sha256 over model, preprocessing, pooling and data: equal requests have equal keys. */
  key: z.string(),
  model: z.object({
    name: z.string(),
    /** Path as given, for `export`; the sha256 tells whether the file there is still the same. */
    path: z.string(),
    sha256: z.string(),
    inputs: z.array(z.object({ name: z.string(), shape: z.array(z.number()) })),
    params: z.number(),
    macs: z.number(),
    /** Where the preprocessing comes from; absent from older stores. */
    preprocessing: z.object({ how: z.enum(['asked', 'read', 'guessed']), from: z.string() }).optional(),
    /** Where the file was fetched from. */
    origin: z.object({ repo: z.string(), revision: z.string(), file: z.string().optional() }).optional(),
  }),
  preprocess: z.looseObject({ size: z.tuple([z.number(), z.number()]) }),
  pool: z.string(),
  /** Of the stored features; float32 where it is absent. */
  precision: z.enum(precisions).optional(),
  engine: z.object({ name: z.string(), device: z.string(), batch: z.number() }),
  data: z.object({ root: z.string(), sha256: z.string(), warnings: z.array(z.string()) }),
  classes: z.array(z.string()),
  splits: z.record(z.string(), splitSchema),
  taps: z.array(tapSchema),
  /** Taps left out, and why. */
  dropped: z.array(z.object({ name: z.string(), alias: z.string(), reason: z.string() })),
  /** Taps that repeat another (`of`, its name) where one pooling of several is read alone; see views.ts. */
  repeats: z.array(z.object({ pool: z.string(), name: z.string(), of: z.string() })).optional(),
  /** Unreadable images left out under --skip-bad. */
  skipped: z.array(z.object({ split: z.string(), file: z.string(), reason: z.string() })),
});

/** What meta.json of a store says. */
export type StoreMeta = z.infer<typeof storeSchema>;
/** A tap of a store: its place in the network, pooling and files. */
export type StoredTap = z.infer<typeof tapSchema>;
/** A split of a store: how many examples, and where their labels are. */
export type StoredSplit = z.infer<typeof splitSchema>;

export const metaFile = 'meta.json';

/** meta.json of a store, or undefined when the folder holds none. @throws UserError when it is damaged. */
export async function readMeta(directory: string): Promise<StoreMeta | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, metaFile), 'utf8');
  } catch {
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${join(directory, metaFile)} is not JSON: remove the folder and extract again`);
  }
  const parsed = storeSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new UserError(
      `${join(directory, metaFile)} is not a feature store of this version (${issue?.path.join('.')}: ${issue?.message}): extract again`,
    );
  }
  return parsed.data;
}

/** Whether anybody said of any example what is true of it. */
export const holdsLabels = ({ splits }: Pick<StoreMeta, 'splits'>): boolean =>
  Object.values(splits).some(({ labels }) => labels !== undefined);

/** What a store's features are stored in. */
export const precisionOf = ({ precision = 'float32' }: Pick<StoreMeta, 'precision'>): Precision => precision;

/** Read access to a finished store. */
export class FeatureStore {
  readonly #headers = new Map<string, NpyHeader>();
  #stamps: FileStamps | undefined;

  constructor(
    readonly directory: string,
    readonly meta: StoreMeta,
  ) {}

  /** A split by its name. @throws UserError when the store has none of that name */
  split(name: string): StoredSplit {
    const split = this.meta.splits[name];
    if (!split) {
      throw new UserError(
        `${this.directory} has no split '${name}'; it has ${Object.keys(this.meta.splits).join(', ')}`,
      );
    }
    return split;
  }

  /** Class of every example of a split. @throws UserError when the store holds no labels of it. */
  labels(name: string): Int32Array {
    const { labels } = this.split(name);
    if (!labels) throw new UserError(`${this.directory} holds no labels of split '${name}'`);
    return Int32Array.from(labels);
  }

  /** Path of a tap's file for a split. */
  path(split: string, tap: StoredTap): string {
    const file = tap.file[split];
    if (!file) throw new UserError(`${this.directory} holds no features of '${tap.alias}' for split '${split}'`);
    return join(this.directory, file);
  }

  /**
   * Reads features [first, first + count) of a tap, feature-major: (count, n), in float32 whatever they are stored in.
   * @throws UserError when the file is missing or does not match meta.json.
   */
  async read(
    split: string,
    tap: StoredTap,
    first = 0,
    count = tap.features,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const { n } = this.split(split);
    const path = this.path(split, tap);
    const storage = storages[precisionOf(this.meta)];
    let header = this.#headers.get(path);
    if (!header) {
      header = readNpyHeader(path);
      const [rows, features] = header.shape;
      if (header.dtype !== storage.dtype || !header.fortranOrder || rows !== n || features !== tap.features) {
        throw new UserError(
          `${path} has shape (${header.shape.join(', ')}) of ${header.dtype} where meta.json says (${n}, ${tap.features}) of ${storage.dtype}: extract again`,
        );
      }
      this.#stamps ??= new FileStamps(this.directory);
      const wanted = tap.sha256?.[split];
      if (wanted !== undefined && !this.#stamps.isIntact(tap.file[split] as string, wanted)) {
        throw new UserError(
          `${path} is damaged (its bytes are not those that meta.json names): run the same extract again`,
        );
      }
      this.#headers.set(path, header);
    }
    const data = into ?? new Float32Array(count * n);
    storage.read(path, data.subarray(0, count * n), header.offset + first * n * storage.bytes);
    return data;
  }
}

/** Opens a finished store, its files as they are. @throws UserError when the folder holds none. */
export async function readStore(directory: string): Promise<FeatureStore> {
  const meta = await readMeta(directory);
  if (!meta) {
    throw new UserError(`${directory} holds no features: run toehold extract MODEL DATA -o ${directory} first`);
  }
  return new FeatureStore(directory, meta);
}

/**
 * Opens a finished store to read its features: no file is smaller than meta.json says, so that what is made for its values is
 * bounded by its bytes.
 * @throws UserError when the folder holds none, or a file is cut off
 */
export async function openStore(directory: string): Promise<FeatureStore> {
  const store = await readStore(directory);
  const { bytes } = storages[precisionOf(store.meta)];
  for (const tap of store.meta.taps) {
    for (const [split, file] of Object.entries(tap.file)) {
      const path = join(directory, file);
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== undefined && bytes * tap.features * store.split(split).n > size)
        throw new UserError(`${path} is cut off, or meta.json is damaged: run the same extract again`);
    }
  }
  return store;
}
