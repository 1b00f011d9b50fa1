/** What meta.json says of an extraction. */
import { given } from '../base/index.js';
import { duplicateWarnings, type Input } from '../data/index.js';
import type { Tap } from '../graph/index.js';
import type { Backbone, TappedBackbone } from './backbone.js';
import type { Duplicates } from './duplicates.js';
import type { Joined } from './join-chunks.js';
import { inputShape } from './pixels.js';
import { parsePool } from './pooling.js';
import { type ExtractionRequest, type FeatureForm, placedInputs, type RequestKey } from './request.js';
import type { StoredSplit, StoredTap, StoreMeta } from './store.js';

/** What was asked. */
interface Described {
  readonly backbone: Backbone;
  readonly request: ExtractionRequest;
  readonly form: FeatureForm;
  readonly tapped: TappedBackbone;
}

/** What an extraction found, beside what it was asked. */
export interface Findings extends Joined, Duplicates {
  readonly existing: StoreMeta | undefined;
  readonly key: RequestKey;
  readonly hashes: readonly string[];
}

export const isConstantTap = (tap: StoredTap) => tap.constant.length === tap.features;

/** meta.json of the store: what it held, and what this call adds. */
export function describeStore(
  job: Described,
  { existing, key, hashes, dropped, repeats, taps, splits }: Findings,
): StoreMeta {
  const { backbone, request, tapped } = job;
  const { pool, precision, engine } = job.form;
  const order = new Map(tapped.taps.map((tap, i) => [tap.name, i]));
  const inOrder = (a: { name: string }, b: { name: string }) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0);
  const constant = taps.filter(isConstantTap);
  const placed = placedInputs(request);
  const duplicates = duplicateWarnings(
    placed,
    placed.map((p) => hashes[p.row] as string),
  );
  return {
    toehold: 1,
    key: key.key,
    model: describeModel(backbone, tapped),
    preprocess: backbone.preprocess,
    pool,
    ...(precision === 'float32' ? {} : { precision }),
    engine,
    data: { root: request.root, sha256: key.parts.images, warnings: [...request.warnings, ...duplicates] },
    classes: [...request.classes],
    splits: existing?.splits ?? describeSplits(request, hashes, splits),
    taps: [...(existing?.taps ?? []), ...taps.filter((tap) => !isConstantTap(tap))].sort(inOrder),
    dropped: [
      ...(existing?.dropped ?? []),
      ...dropped,
      ...constant.map(({ name, alias }) => ({ name, alias, reason: 'all its features are constant' })),
    ].sort(inOrder),
    ...(parsePool(pool).length > 1 ? { repeats: [...(existing?.repeats ?? []), ...repeats].sort(inOrder) } : {}),
    skipped: existing?.skipped ?? describeSkipped(request, splits),
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
    ...given({ preprocessing: backbone.preprocessing, origin: backbone.origin }),
  };
}

function describeSplits(
  { inputs, splits }: ExtractionRequest,
  hashes: readonly string[],
  joined: Joined['splits'],
): StoreMeta['splits'] {
  return Object.fromEntries(
    splits.map(({ name, rows, labels }): [string, StoredSplit] => {
      const kept = joined.get(name)?.rows ?? [];
      const own = kept.map((i) => inputs[rows[i] as number] as Input);
      const split: StoredSplit = {
        n: own.length,
        ...(labels && { labels: kept.map((i) => labels[i] as number) }),
        files: own.map((e) => e.file),
        ...(own.some((e) => e.group !== undefined) && { groups: own.map((e) => e.group ?? e.file) }),
        hashes: kept.map((i) => hashes[rows[i] as number] as string),
        ...(own.some((e) => Object.keys(e.extra).length > 0) && { extra: own.map((e) => ({ ...e.extra })) }),
      };
      return [name, split];
    }),
  );
}

function describeSkipped({ inputs, splits }: ExtractionRequest, joined: Joined['splits']): StoreMeta['skipped'] {
  return splits.flatMap(({ name, rows }) =>
    (joined.get(name)?.bad ?? []).map(({ index, message }) => ({
      split: name,
      file: (inputs[rows[index] as number] as Input).file,
      reason: message,
    })),
  );
}
