/** The scores of features without training, and what is said of features without labels: names, sources and work. */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { type FeatureMatrix, type Multiply, products } from '../../solver/index.js';
import { effectiveRank, participationRatio } from '../../stats/index.js';
import { bhattacharyya } from './bhattacharyya.js';
import { type Coordinates, centred, coordinatesOf } from './coordinates.js';
import { selfChallengingFisher } from './fisher.js';
import { logEvidence } from './log-evidence.js';
import { nLeep } from './n-leep.js';
import { type Grouped, grouped } from './scatter.js';
import { shrinkageHScore } from './shrinkage-h-score.js';
import { centredSpectrum } from './spectrum.js';
import { transRate } from './transrate.js';

interface Subject extends Coordinates {
  readonly groups: Grouped;
  readonly seed: number;
}

export interface FeatureScore {
  readonly id: string;
  readonly label: string;
  readonly source: string;
  /** Higher is better for all; NaN where it is not defined. */
  readonly of: (multiply: Multiply, subject: Subject) => Promise<number> | number;
}

/** Scores of one tap's features. */
export const featureScores: readonly FeatureScore[] = [
  {
    id: 'logme',
    label: 'LogME',
    source: 'You et al., 2021',
    of: (multiply, { z, width, groups }) => {
      const { labels, classes } = groups;
      const data = new Float64Array(labels.length * classes);
      for (const [i, k] of labels.entries()) data[i * classes + k] = 1;
      return logEvidence(multiply, z, { rows: labels.length, columns: classes, data }, width);
    },
  },
  {
    id: 'shrinkage-h-score',
    label: 'H-score',
    source: 'Bao et al., 2019; Ibrahim et al., 2022',
    of: (multiply, { groups }) => shrinkageHScore(multiply, groups),
  },
  {
    id: 'nleep',
    label: 'NLEEP',
    source: 'Li et al., 2021',
    of: (multiply, { groups, seed }) => nLeep(multiply, groups, seed),
  },
  {
    id: 'transrate',
    label: 'TransRate',
    source: 'Huang et al., 2022',
    of: (multiply, { groups }) => transRate(multiply, groups),
  },
  { id: 'gbc', label: 'GBC', source: 'Pandy et al., 2022', of: (_, { groups }) => bhattacharyya(groups) },
  {
    id: 'sfda',
    label: 'SFDA',
    source: 'Shao et al., 2022',
    of: (multiply, { groups }) => selfChallengingFisher(multiply, groups),
  },
];

/** What is said of a tap by the spectrum of its features. */
export interface SpectralMeasure extends Omit<FeatureScore, 'of'> {
  /** Of the eigenvalues of the covariance; NaN where none is above 0. */
  readonly of: (eigenvalues: ArrayLike<number>) => number;
}

/** Measures of one tap's features that need no labels. None says which tap suits a task: they have no places. */
export const spectralMeasures: readonly SpectralMeasure[] = [
  { id: 'effective-rank', label: 'effective rank', source: 'Roy and Vetterli, 2007', of: effectiveRank },
  { id: 'participation-ratio', label: 'participation ratio', source: 'Gao et al., 2017', of: participationRatio },
];

/** Scores of what the backbone's own classifier says: one value per backbone. */
export const sourceScores = [
  { id: 'leep', label: 'LEEP', source: 'Nguyen et al., 2020' },
  { id: 'nce', label: 'NCE', source: 'Tran et al., 2019' },
] as const;

const labelScores = [...featureScores, ...sourceScores];
export const scoreIds: readonly string[] = [...labelScores, ...spectralMeasures].map(({ id }) => id);

/** Those that are computed where none is named: with labels the scores, without them what can be said. */
export function scoresFor(target: 'class' | 'none', names: readonly string[] | undefined): readonly string[] {
  const without = spectralMeasures.map(({ id }) => id);
  if (target === 'class') return names ?? labelScores.map(({ id }) => id);
  const needy = labelScores.find(({ id }) => names?.includes(id));
  if (needy) throw new UserError(`${needy.label} needs labels; without them choose from ${without.join(', ')}`);
  return names ?? without;
}

/** @throws UserError for a name that is none */
export function selectScores(names: readonly string[]): string[] {
  const unknown = names.find((name) => !scoreIds.includes(name));
  if (unknown !== undefined) throw new UserError(`there is no score '${unknown}': choose from ${scoreIds.join(', ')}`);
  return [...new Set(names)];
}

export interface ScoreRequest {
  /** Class of each row, (n); absent where nobody knows: scores that need them are then left out. */
  readonly labels?: ArrayLike<number> | undefined;
  /** Those that need labels by default. */
  readonly scores?: readonly string[];
  readonly seed: number;
}

export type TapScores = Readonly<Record<string, number | undefined>>;

/** Scores of the features of one block; undefined where a score is not defined on them. */
export async function scoresOfTap(
  engine: Engine,
  matrix: FeatureMatrix,
  block: number,
  request: ScoreRequest,
): Promise<TapScores> {
  return scoresOn(await products(engine), await coordinatesOf(engine, matrix, block), request);
}

/** Scores of features in their coordinates. */
export async function scoresOn(
  multiply: Multiply,
  coordinates: Coordinates,
  { labels, scores, seed }: ScoreRequest,
): Promise<TapScores> {
  const found: Record<string, number | undefined> = {};
  const keep = (id: string, value: number) => {
    found[id] = Number.isFinite(value) ? value : undefined;
  };
  if (labels) {
    const groups = grouped(centred(coordinates.z), labels, coordinates.width);
    for (const { id, of } of featureScores) {
      if (scores?.includes(id) !== false) keep(id, await of(multiply, { ...coordinates, groups, seed }));
    }
  }
  const measures = spectralMeasures.filter(({ id }) => scores?.includes(id));
  const eigenvalues = measures.length > 0 ? await centredSpectrum(multiply, coordinates.z) : [];
  for (const { id, of } of measures) keep(id, of(eigenvalues));
  return found;
}
