/** How stores are scored. */
import { UserError } from '../../base/index.js';
import { type Normalisation, normalisations } from '../options.js';
import { sourceDefaults } from '../sources.js';

/** What is scored, and with what. */
export interface ScoringOptions {
  /** 'none': no label is read. Labels are read by default where every store holds some. */
  readonly target: 'class' | 'none' | undefined;
  /** Ids of scores; all that need labels by default, or all that need none where there are none. */
  readonly scores: readonly string[] | undefined;
  /** Globs over aliases of taps; all by default. */
  readonly taps: readonly string[] | undefined;
  /** One pooling of the store; all that it holds, each as a tap of its own, by default. */
  readonly pool: string | undefined;
  /** 'none', as published, or 'unit'. */
  readonly normalisation: Normalisation;
  /** Training examples that are read at most, drawn class by class; without labels from all alike. */
  readonly examples: number;
  readonly seed: number;
  /** Share of train set apart where the store has no test split, as everywhere: none of it is read. */
  readonly holdout: number;
  readonly testSplit: string | undefined;
  readonly memory: number;
  /** Whether taps are compared with one another. */
  readonly alignment: boolean;
  /** How many nearest neighbours of an example are compared, k. */
  readonly neighbours: number;
  /** Called with what is done now. */
  readonly progress: (text: string) => void;
}

/** Every score, on every example. */
export const scoringDefaults: ScoringOptions = {
  target: undefined,
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
  neighbours: 10,
  progress: () => undefined,
};

/** @throws UserError for what cannot be meant */
export function checkOptions(
  directories: readonly string[],
  { examples, neighbours, normalisation, pool }: ScoringOptions,
): void {
  if (directories.length === 0) throw new UserError('give a feature store, or several of the same images');
  const twice = directories.find((directory, i) => directories.indexOf(directory) !== i);
  if (twice !== undefined) throw new UserError(`${twice} is named twice: name each store once`);
  if (!(Number.isInteger(examples) && examples >= 2)) throw new UserError('--examples must be a whole number from 2');
  if (!(Number.isInteger(neighbours) && neighbours >= 1)) {
    throw new UserError('--neighbours must be a whole number from 1');
  }
  if (normalisation !== 'none' && normalisation !== 'unit') {
    throw new UserError(
      `scores read features as they are ('none') or of unit norm ('unit'), not '${normalisation}'; ${normalisations.join(', ')} are for probes`,
    );
  }
  if (pool?.includes(',')) throw new UserError(`--pool ${pool}: scores read one pooling; gap+std are two together`);
}
