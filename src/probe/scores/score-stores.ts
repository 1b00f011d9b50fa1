/** Stores scored side by side: every tap of each, ranked, and how alike their taps are. */
import { Random, UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { products } from '../../solver/index.js';
import { leep, negativeConditionalEntropy, topClasses } from '../../stats/index.js';
import { subset } from '../sources.js';
import { lastTap, type ProbeTap, type ProbeTask } from '../task.js';
import { alignments, batchesOf, type CentredKernels, centredKernels } from './alignment.js';
import { scoresFor, scoresOn, spectralMeasures, type TapScores } from './catalogue.js';
import { coordinatesOf } from './coordinates.js';
import { drawn, stratified } from './draw.js';
import { chanceAgreement, type Neighbours, nearestNeighbours, neighbourAgreements } from './neighbours.js';
import { readSubjects, type Subject } from './same-images.js';
import { checkOptions, type ScoringOptions, scoringDefaults } from './scoring-options.js';
import { sourceProbabilities } from './source.js';

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
  /** Examples that were read, and their classes; these are absent where no labels were. */
  readonly n: number;
  readonly classes?: number | undefined;
  /** Place of the tap that stands for the backbone: its last layer. */
  readonly last: number;
  /** LEEP and NCE, of the backbone's own classifier. */
  readonly source: TapScores;
  readonly taps: readonly ScoredTap[];
}

/** Backbones on the same images, side by side. */
export interface Scoring {
  readonly data: string;
  /** What is known of the examples. */
  readonly target: 'class' | 'none';
  readonly stores: readonly ScoredStore[];
  /** Places of the stores by each score of their last layers, from 1; one entry per store. */
  readonly ranks: readonly TapScores[];
  /** Between all taps of all stores, in their order; absent where it was not asked for or the images are too few. */
  readonly alignment?: readonly (readonly number[])[] | undefined;
  /** The same of nearest neighbours: of unrelated taps `chance`; absent where `alignment` is, or examples are too few. */
  readonly neighbours?: NeighbourAgreement | undefined;
  readonly notes: readonly string[];
}

/** How far taps agree on the k nearest neighbours of an example. */
export interface NeighbourAgreement {
  readonly k: number;
  readonly chance: number;
  readonly agreement: readonly (readonly number[])[];
}

/** @throws UserError for stores of other images or labels, and for what a store does not hold */
export async function scoreStores(
  engine: Engine,
  directories: readonly string[],
  given: Partial<ScoringOptions> = {},
): Promise<Scoring> {
  const options = { ...scoringDefaults, ...given };
  checkOptions(directories, options);
  const { target, subjects, notes: found } = await readSubjects(directories, options);
  const scores = scoresFor(target, options.scores);
  const [first] = subjects as [Subject, ...Subject[]];
  const all = first.train.files.length;
  const { labels } = first.train;
  const rows = labels ? stratified(labels, options.examples, options.seed) : drawn(all, options.examples, options.seed);
  const notes = [...found, ...drawnNote(rows.length, all, target)];
  const multiply = await products(engine);
  const order = new Random(options.seed, 'batches').permutation(rows.length);
  const { compare, near } = comparisons(rows.length, options, notes);
  const blocks = chosenTaps(subjects, options.taps);
  const kernels: CentredKernels[] = [];
  const neighbours: Neighbours[] = [];
  const stores: ScoredStore[] = [];
  for (const [i, subject] of subjects.entries()) {
    const { store, taps, labelled } = subject;
    const train = rows.length < all ? subset(subject.train, rows) : subject.train;
    const chosen = blocks[i] as number[];
    const found: Omit<ScoredTap, 'ranks'>[] = [];
    for (const [at, block] of chosen.entries()) {
      const { alias, name, depth, features } = taps[block] as ProbeTap;
      options.progress(`${store}: ${alias} (${at + 1} of ${chosen.length})`);
      const coordinates = await coordinatesOf(engine, train.matrix, block);
      const request = { labels: train.labels, seed: options.seed, scores };
      found.push({ alias, name, depth, features, scores: await scoresOn(multiply, coordinates, request) });
      if (compare) kernels.push(await centredKernels(multiply, coordinates.z, batchesOf(order)));
      if (near) neighbours.push(await nearestNeighbours(multiply, coordinates.z, options.neighbours));
    }
    const last = chosen.indexOf(lastTap(taps));
    stores.push({
      store,
      model: subject.source.model?.name ?? store,
      pool: subject.pool ?? options.pool ?? '',
      n: rows.length,
      classes: train.labels && new Set(train.labels).size,
      last: last >= 0 ? last : found.length - 1,
      source:
        labelled && train.labels
          ? await sourceScoresOf({ ...labelled, train: { ...train, labels: train.labels } }, scores)
          : {},
      taps: ranked(found),
    });
  }
  for (const { store, source } of stores) {
    if (source.leep !== undefined || !scores.some((id) => id === 'leep' || id === 'nce')) continue;
    notes.push(`${store} holds no logits, which LEEP and NCE read: add them with extract --taps logits`);
  }
  options.progress('alignment');
  const { neighbours: k } = options;
  return {
    data: first.source.data,
    target,
    stores,
    ranks: storeRanks(stores),
    alignment: compare ? alignments(kernels) : undefined,
    ...(near && {
      neighbours: { k, chance: chanceAgreement(k, rows.length), agreement: neighbourAgreements(neighbours) },
    }),
    notes,
  };
}

/** What of taps is compared with one another, as far as the examples are enough; `notes` says what is left out. */
function comparisons(n: number, { alignment, neighbours }: ScoringOptions, notes: string[]) {
  const compare = alignment && n >= 8;
  const near = alignment && n > neighbours + 1;
  if (alignment && !compare) notes.push(`alignment needs 8 examples, and there are ${n}: left out`);
  if (alignment && !near)
    notes.push(
      `agreement on ${neighbours} nearest neighbours needs ${neighbours + 2} examples, and there are ${n}: left out`,
    );
  return { compare, near };
}

function drawnNote(read: number, all: number, target: Scoring['target']): string[] {
  if (read === all) return [];
  const how =
    target === 'class' ? `training examples are read, drawn class by class` : 'images are read, drawn by --seed';
  return [`${read} of ${all} ${how}; --examples ${all} reads all`];
}

/** Blocks of every store whose taps are meant. @throws UserError for a glob that no store has a tap for */
function chosenTaps(tasks: readonly Subject[], globs: readonly string[] | undefined): number[][] {
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

const isMeasure = (id: string) => spectralMeasures.some((measure) => measure.id === id);

/** Places by each score, from 1; what has no score has no place, and a measure that is none of worth gives none. */
function ranksOf(scored: readonly TapScores[]): TapScores[] {
  return scored.map((own) =>
    Object.fromEntries(
      Object.entries(own)
        .filter(([id]) => !isMeasure(id))
        .map(([id, value]) => [
          id,
          value === undefined
            ? undefined
            : 1 + scored.filter((other) => (other[id] ?? Number.NEGATIVE_INFINITY) > value).length,
        ]),
    ),
  );
}
