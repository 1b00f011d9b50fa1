/** What sources list -> a data set: splits by their usual names, labels in order, groups complete. */
import { UserError } from '../../base/index.js';
import type { Dataset, UnlabelledDataset, UnlabelledExample } from '../example.js';
import type { EncodedImage } from '../image.js';
import { canonicalSplits, isSplitName, spellingWarnings } from '../splits.js';
import { checkLabels, indexLabels } from '../targets.js';

/** An image as a source found it. */
export interface ListedImage {
  /** See Input.file. */
  readonly file: string;
  readonly image: EncodedImage;
  /** As written. */
  readonly split: string;
  readonly group?: string | undefined;
  readonly extra?: Readonly<Record<string, string>>;
  /** Where it is listed, for messages: 'list.csv line 3'. */
  readonly at: string;
}

/** An example as a source found it. */
export interface Listed extends ListedImage {
  /** As written; what labels are ordered by. */
  readonly label: string;
  /** Name of the class, where that is another. */
  readonly class?: string | undefined;
}

/**
 * @param where names the list in messages
 * @throws UserError when nothing is listed, a label has two classes, or some examples have a group and others none
 */
export function datasetOf(
  root: string,
  where: string,
  listed: readonly Listed[],
  warnings: readonly string[] = [],
): Dataset {
  const { examples, warnings: more } = unlabelledExamples(where, listed);
  const nameOf = classNames(listed);
  checkLabels(nameOf.keys(), where);
  const { labels, indexOf } = indexLabels(nameOf.keys());
  const labelled = examples.map((example, i) => {
    const { label } = listed[i] as Listed;
    return { ...example, label: indexOf.get(label) as number, class: nameOf.get(label) as string };
  });
  const classes = labels.map((label) => nameOf.get(label) as string);
  return { kind: 'class', root, classes, examples: labelled, warnings: [...warnings, ...more] };
}

/** Why images have no labels, and how they are given some. */
export type WithoutLabels = Pick<UnlabelledDataset, 'reason' | 'remedy'>;

/** Labels may be there or not: nobody wants them. */
export const labelsNotAsked: WithoutLabels = { reason: '--target none reads none', remedy: 'leave it out' };

/**
 * @param where names the list in messages
 * @throws UserError when nothing is listed, or some examples have a group and others none
 */
export function unlabelledOf(
  root: string,
  where: string,
  listed: readonly ListedImage[],
  { reason, remedy }: WithoutLabels,
  warnings: readonly string[] = [],
): UnlabelledDataset {
  const { examples, warnings: more } = unlabelledExamples(where, listed);
  return { kind: 'none', root, examples, reason, remedy, warnings: [...warnings, ...more] };
}

function unlabelledExamples(where: string, listed: readonly ListedImage[]) {
  if (listed.length === 0) throw new UserError(`${where} holds no images`);
  const splits = canonicalSplits(listed.map((one) => one.split));
  const examples = listed.map(
    ({ file, image, split, group, extra = {} }): UnlabelledExample => ({
      file,
      image,
      split: splits.get(split) as string,
      ...(group && { group }),
      extra,
    }),
  );
  const grouped = examples.filter((e) => e.group !== undefined).length;
  if (grouped > 0 && grouped < examples.length) {
    const at = examples.findIndex((e) => e.group === undefined);
    throw new UserError(`${listed[at]?.at}: group is empty; fill it in everywhere or leave it out`);
  }
  return { examples, warnings: spellingWarnings(splits) };
}

/** Label -> class name, which must be one to one. */
function classNames(listed: readonly Listed[]): Map<string, string> {
  const nameOf = new Map<string, string>();
  const labelOf = new Map<string, string>();
  for (const { label, class: given, at } of listed) {
    const name = given?.normalize('NFC') || label;
    const named = nameOf.get(label);
    const labelled = labelOf.get(name);
    if (named !== undefined && named !== name) {
      throw new UserError(`${at}: label ${label} is class '${name}' here and '${named}' above`);
    }
    if (labelled !== undefined && labelled !== label) {
      throw new UserError(`${at}: class '${name}' has label ${label} here and ${labelled} above`);
    }
    nameOf.set(label, name);
    labelOf.set(name, label);
  }
  return nameOf;
}

/** The split that the first folder of a path is called as; 'train' without any. */
export function splitOfPath(file: string): string {
  const [top = ''] = file.split('/');
  return isSplitName(top) ? top : 'train';
}

/** The split that a file's name tells of: a folder of its path, or a word of its name; 'train' without any. */
export function splitOfName(file: string): string {
  const parts = file.split('/');
  // The hub calls splits that it converted in part so.
  const folder = parts
    .slice(0, -1)
    .map((part) => part.replace(/^partial-/, ''))
    .find(isSplitName);
  if (folder) return folder;
  const words = (parts.at(-1) ?? '').split(/[^\p{L}\p{N}]+|(?<=\p{L})(?=\d{4}\b)/u);
  // MNIST calls its test set t10k.
  return words.find(isSplitName) ?? (words.some((word) => /^t10k$/i.test(word)) ? 'test' : 'train');
}

/** A label that a container holds, as text; undefined for what is no label. */
export function labelText(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim().normalize('NFC') || undefined;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}
