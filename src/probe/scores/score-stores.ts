/** Stores scored side by side: every tap of each, ranked, and how alike their taps are. */
import { Random, UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { readStore } from '../../features/index.js';
import { products } from '../../solver/index.js';
import { leep, negativeConditionalEntropy, topClasses } from '../../stats/index.js';
import { type Normalisation, normalisations } from '../options.js';
import { sourceDefaults, subset, taskFromStore } from '../sources.js';
import { checkTask, lastTap, type ProbeTask } from '../task.js';
import { alignments, batchesOf, type CentredKernels, centredKernels } from './alignment.js';
import { scoresOn, type TapScores } from './catalogue.js';
import { coordinatesOf } from './coordinates.js';
import { sourceProbabilities } from './source.js';

/** What is scored, and with what. */
export interface ScoringOptions {
  /** Ids of scores; all by default. */
  readonly scores: readonly string[] | undefined;
  /** Globs over aliases of taps; all by default. */
  readonly taps: readonly string[] | undefined;
  /** One pooling of the store; all that it holds, each as a tap of its own, by default. */
  readonly pool: string | undefined;
  /** 'none', as published, or 'unit'. */
  readonly normalisation: Normalisation;
  /** Training examples that are read at most, drawn class by class. */
  readonly examples: number;
  readonly seed: number;
  /** Share of train set apart where the store has no test split, as everywhere: none of it is read. */
  readonly holdout: number;
  readonly testSplit: string | undefined;
  readonly memory: number;
  /** Whether taps are compared with one another. */
  readonly alignment: boolean;
  /** Called with what is done now. */
  readonly progress: (text: string) => void;
}

/** Every score, on every example. */
export const scoringDefaults: ScoringOptions = {
  scores: undefined,
  taps: undefined,
  pool: undefined,
  normalisation: 'none',
  examples: 2_000,
  seed: 0,
  holdout: sourceDefaults.holdout,
  testSplit: undefined,
  memory: sourceDefaults.memory,
  alignment: true,
  progress: () => undefined,
};

/** A tap with its scores. */
export interface ScoredTap {
  readonly alias: string;
  readonly name: string;
  readonly depth: number | undefined;
  readonly features: number;
  readonly scores: TapScores;
  /** Place among the taps of the store, from 1; equal scores share the better place. */
  readonly ranks: TapScores;
}

/** A backbone with its scores and those of its taps. */
export interface ScoredStore {
  readonly store: string;
  readonly model: string;
  readonly pool: string;
  /** Examples that were read, and their classes. */
  readonly n: number;
  readonly classes: number;
  /** Place of the tap that stands for the backbone: its last layer. */
  readonly last: number;
  /** LEEP and NCE, of the backbone's own classifier. */
  readonly source: TapScores;
  readonly taps: readonly ScoredTap[];
}

/** Backbones on the same images, side by side. */
export interface Scoring {
  readonly data: string;
  readonly stores: readonly ScoredStore[];
  /** Places of the stores by each score of their last layers, from 1; one entry per store. */
  readonly ranks: readonly TapScores[];
  /** Between all taps of all stores, in their order; absent where it was not asked for or the images are too few. */
  readonly alignment?: readonly (readonly number[])[] | undefined;
  readonly notes: readonly string[];
}

/** @throws UserError for stores of other images or labels, and for what a store does not hold */
export async function scoreStores(
  engine: Engine,
  directories: readonly string[],
  given: Partial<ScoringOptions> = {},
): Promise<Scoring> {
  const options = { ...scoringDefaults, ...given };
  checkOptions(directories, options);
  const tasks: ProbeTask[] = [];
  for (const directory of directories) tasks.push(await readTask(directory, options));
  const [first] = tasks as [ProbeTask, ...ProbeTask[]];
  const hashes = await Promise.all(directories.map(imageHashes));
  for (const [i, task] of tasks.entries()) {
    if (hashes[i] !== hashes[0] || !haveSameLabels(first, task)) {
      throw new UserError(
        `${directories[i]} does not hold the training images of ${directories[0]} with the same labels in the same order: scores of other images cannot be compared; score the stores one at a time, or extract both from one data set`,
      );
    }
  }
  const rows = stratified(first.train.labels, options.examples, options.seed);
  const notes = drawnNote(rows.length, first.train.labels.length);
  const multiply = await products(engine);
  const order = new Random(options.seed, 'batches').permutation(rows.length);
  const compare = options.alignment && rows.length >= 8;
  if (options.alignment && !compare) notes.push(`alignment needs 8 examples, and there are ${rows.length}: left out`);
  const blocks = chosenTaps(tasks, options.taps);
  const kernels: CentredKernels[] = [];
  const stores: ScoredStore[] = [];
  for (const [i, task] of tasks.entries()) {
    const store = directories[i] as string;
    const train = rows.length < task.train.labels.length ? subset(task.train, rows) : task.train;
    const chosen = blocks[i] as number[];
    const found: Omit<ScoredTap, 'ranks'>[] = [];
    for (const [at, block] of chosen.entries()) {
      const { alias, name, depth, features } = task.taps[block] as ProbeTask['taps'][number];
      options.progress(`${store}: ${alias} (${at + 1} of ${chosen.length})`);
      const coordinates = await coordinatesOf(engine, train.matrix, block);
      const request = { labels: train.labels, seed: options.seed, ...(options.scores && { scores: options.scores }) };
      found.push({ alias, name, depth, features, scores: await scoresOn(multiply, coordinates, request) });
      if (compare) kernels.push(await centredKernels(multiply, coordinates.z, batchesOf(order)));
    }
    const last = chosen.indexOf(lastTap(task.taps));
    stores.push({
      store,
      model: task.source.model?.name ?? store,
      pool: task.pool ?? options.pool ?? '',
      n: rows.length,
      classes: new Set(train.labels).size,
      last: last >= 0 ? last : found.length - 1,
      source: await sourceScoresOf({ ...task, train }, options.scores),
      taps: ranked(found),
    });
  }
  for (const { store, source } of stores) {
    if (source.leep !== undefined || (options.scores && !options.scores.some((id) => id === 'leep' || id === 'nce')))
      continue;
    notes.push(`${store} holds no logits, which LEEP and NCE read: add them with extract --taps logits`);
  }
  options.progress('alignment');
  return {
    data: first.source.data,
    stores,
    ranks: storeRanks(stores),
    alignment: compare ? alignments(kernels) : undefined,
    notes,
  };
}

function checkOptions(directories: readonly string[], { examples, normalisation, pool }: ScoringOptions): void {
  if (directories.length === 0) throw new UserError('give a feature store, or several of the same images');
  const twice = directories.find((directory, i) => directories.indexOf(directory) !== i);
  if (twice !== undefined) throw new UserError(`${twice} is named twice: name each store once`);
  if (!(Number.isInteger(examples) && examples >= 2)) throw new UserError('--examples must be a whole number from 2');
  if (normalisation !== 'none' && normalisation !== 'unit') {
    throw new UserError(
      `scores read features as they are ('none') or of unit norm ('unit'), not '${normalisation}'; ${normalisations.join(', ')} are for probes`,
    );
  }
  if (pool?.includes(',')) throw new UserError(`--pool ${pool}: scores read one pooling; gap+std are two together`);
}

async function readTask(store: string, options: ScoringOptions): Promise<ProbeTask> {
  const { task } = await taskFromStore(store, {
    normalisation: options.normalisation,
    memory: options.memory,
    holdout: options.holdout,
    testSplit: options.testSplit,
    pools: options.pool === undefined ? undefined : [options.pool],
  });
  checkTask(task);
  return task.each ? { ...task.each, pool: 'each' } : task;
}

/** What the images of a store are, by their bytes. */
async function imageHashes(store: string): Promise<string> {
  const { splits } = (await readStore(store)).meta;
  return JSON.stringify(Object.entries(splits).map(([split, { hashes }]) => [split, hashes]));
}

/** Stores are compared by the same examples with the same labels. */
function haveSameLabels(first: ProbeTask, other: ProbeTask): boolean {
  const [a, b] = [first.train, other.train];
  const named = (task: ProbeTask, i: number) => task.classes[task.train.labels[i] as number];
  return (
    a.files.length === b.files.length &&
    a.files.every((file, i) => file === b.files[i] && named(first, i) === named(other, i))
  );
}

/** Rows in their order: as many of every class as its share gives it. */
export function stratified(labels: ArrayLike<number>, most: number, seed: number): number[] {
  const n = labels.length;
  const all = Array.from({ length: n }, (_, i) => i);
  if (n <= most) return all;
  const counts = new Map<number, number>();
  for (const label of Array.from(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const seen = new Map<number, number>();
  // The k-th of a class of m comes at (k + 1/2) / m: any beginning of this order has the classes' shares.
  return new Random(seed, 'examples')
    .permutation(n)
    .map((i) => {
      const label = labels[i] as number;
      const k = seen.get(label) ?? 0;
      seen.set(label, k + 1);
      return { i, at: (k + 0.5) / (counts.get(label) as number) };
    })
    .sort((a, b) => a.at - b.at || a.i - b.i)
    .slice(0, most)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
}

const drawnNote = (read: number, all: number): string[] =>
  read < all ? [`${read} of ${all} training examples are read, drawn class by class; --examples ${all} reads all`] : [];

/** Blocks of every store whose taps are meant. @throws UserError for a glob that no store has a tap for */
function chosenTaps(tasks: readonly ProbeTask[], globs: readonly string[] | undefined): number[][] {
  if (!globs) return tasks.map(({ taps }) => [...taps.keys()]);
  const patterns = globs.map((glob) => {
    const text = glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return { glob, pattern: new RegExp(`^${text}(?:@.*)?$`) };
  });
  const aliases = tasks.flatMap(({ taps }) => taps.map(({ alias }) => alias));
  const unknown = patterns.find(({ pattern }) => !aliases.some((alias) => pattern.test(alias)));
  if (unknown) {
    const more = aliases.length > 4 ? ` and ${aliases.length - 4} more` : '';
    throw new UserError(`there is no tap '${unknown.glob}'; there are ${aliases.slice(0, 4).join(', ')}${more}`);
  }
  return tasks.map(({ taps, source }) => {
    const own = [...taps.keys()].filter((t) => patterns.some(({ pattern }) => pattern.test(taps[t]?.alias ?? '')));
    if (own.length === 0) throw new UserError(`${source.store} holds none of the taps ${globs.join(', ')}`);
    return own;
  });
}

export async function sourceScoresOf(task: ProbeTask, scores: readonly string[] | undefined): Promise<TapScores> {
  const wanted = (id: string) => scores?.includes(id) !== false;
  if (!wanted('leep') && !wanted('nce')) return {};
  const source = await sourceProbabilities(task.train.matrix, task.taps);
  if (!source) return {};
  const { data, classes } = source;
  const { labels } = task.train;
  return {
    ...(wanted('leep') && { leep: leep(data, classes, labels) }),
    ...(wanted('nce') && { nce: negativeConditionalEntropy(topClasses(data, classes), labels) }),
  };
}

function ranked(taps: readonly Omit<ScoredTap, 'ranks'>[]): ScoredTap[] {
  const ranks = ranksOf(taps.map(({ scores }) => scores));
  return taps.map((tap, t) => ({ ...tap, ranks: ranks[t] as TapScores }));
}

function storeRanks(stores: readonly ScoredStore[]): TapScores[] {
  return ranksOf(stores.map(({ taps, last, source }) => ({ ...taps[last]?.scores, ...source })));
}

/** Places by each score, from 1; what has no score has no place. */
function ranksOf(scored: readonly TapScores[]): TapScores[] {
  return scored.map((own) =>
    Object.fromEntries(
      Object.entries(own).map(([id, value]) => [
        id,
        value === undefined
          ? undefined
          : 1 + scored.filter((other) => (other[id] ?? Number.NEGATIVE_INFINITY) > value).length,
      ]),
    ),
  );
}
