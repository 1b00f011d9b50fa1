/** What every source of examples is turned into, and how names and labels are ordered. */

export interface Example {
  /** Relative to the data set's root, with forward slashes. */
  readonly file: string;
  /** Index into the data set's classes. */
  readonly label: number;
  readonly class: string;
  /** 'train', 'test', 'val' or whatever the manifest says. */
  readonly split: string;
  /** Examples of one group (track, patient, author) never stand on two sides of a split. */
  readonly group?: string;
  /** The manifest's other columns. */
  readonly extra: Readonly<Record<string, string>>;
}

export interface Dataset {
  /** Absolute path of the folder that files are relative to. */
  readonly root: string;
  /** Class names; in numeric order where labels are numbers. */
  readonly classes: readonly string[];
  readonly examples: readonly Example[];
  /** What a user should know before trusting results: one sentence each. */
  readonly warnings: readonly string[];
}

/** Splits by folder name or path prefix; validation has several spellings. */
const splitNames: Readonly<Record<string, string>> = {
  train: 'train',
  training: 'train',
  test: 'test',
  testing: 'test',
  val: 'val',
  valid: 'val',
  validation: 'val',
};

/** The split that a folder or a manifest's cell names, or undefined when it is no customary name. */
export function splitNamed(name: string): string | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(splitNames, key) ? splitNames[key] : undefined;
}

/** '1 image', '2 images'. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Code-point order: the same on every machine, whatever its locale. */
export function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Numbers in numeric order when all are numbers, otherwise code-point order. */
export function sortLabels(labels: Iterable<string>): string[] {
  const list = [...labels];
  const numeric = list.every((label) => /^[+-]?\d+(\.\d+)?$/.test(label));
  return list.sort((a, b) => (numeric ? Number(a) - Number(b) : 0) || byCodePoint(a, b));
}
