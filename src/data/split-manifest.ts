/** Splits on paper: which rows were trained on and validated on, of which data, so that a run can be repeated elsewhere. */
import { z } from 'zod';
import { canonicalJson, sha256, UserError } from '../base/index.js';
import type { Fold } from './rows.js';

const indices = z.array(z.number().int().nonnegative());

const splitManifestSchema = z.strictObject({
  format: z.literal('toehold-split/1'),
  /** What the split was made with: method, seed, folds, groups ... */
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  /** Number of rows. */
  examples: z.number().int().nonnegative(),
  /** sha256 over the content, class and group of every row, in order. */
  data: z.string(),
  folds: z.array(z.strictObject({ train: indices, validation: indices })),
  /** sha256 of everything above. */
  hash: z.string(),
});

export type SplitManifest = z.infer<typeof splitManifestSchema>;

/** What identifies a row wherever the files lie. */
export interface RowIdentity {
  /** sha256 of the image file, from fingerprintDataset. */
  readonly hash: string;
  readonly class: string;
  readonly group?: string | undefined;
}

function dataHash(rows: readonly RowIdentity[]): string {
  return sha256(canonicalJson(rows.map((row) => [row.hash, row.class, row.group ?? null])));
}

/** The record of a split of `rows`, ready for JSON. */
export function splitManifest(
  rows: readonly RowIdentity[],
  folds: readonly Fold[],
  settings: SplitManifest['settings'],
): SplitManifest {
  const body = {
    format: 'toehold-split/1' as const,
    settings,
    examples: rows.length,
    data: dataHash(rows),
    folds: folds.map(({ train, validation }) => ({ train: [...train], validation: [...validation] })),
  };
  return { ...body, hash: sha256(canonicalJson(body)) };
}

/**
 * Checks a record that was read from JSON against the rows at hand and returns it.
 * @param where its path, for messages
 * @throws UserError when it was changed, or made for other images, classes or groups, or in another order
 */
export function checkSplitManifest(value: unknown, rows: readonly RowIdentity[], where: string): SplitManifest {
  const result = splitManifestSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new UserError(`${where} is not a split manifest: ${issue?.path.join('.') || 'value'}: ${issue?.message}`);
  }
  const { hash, ...body } = result.data;
  if (sha256(canonicalJson(body)) !== hash) {
    throw new UserError(`${where} was changed after it was written (its hash does not match); make the split anew`);
  }
  if (body.examples !== rows.length) {
    throw new UserError(`${where} splits ${body.examples} examples and the data set has ${rows.length}`);
  }
  if (body.data !== dataHash(rows)) {
    throw new UserError(
      `${where} was made for other data: images, classes, groups or their order differ; use the same data set or make the split anew`,
    );
  }
  return result.data;
}
