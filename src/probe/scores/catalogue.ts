/** The scores of features without training: their names, sources and work. */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { type FeatureMatrix, type Multiply, products } from '../../solver/index.js';
import { bhattacharyya } from './bhattacharyya.js';
import { type Coordinates, centred, coordinatesOf } from './coordinates.js';
import { selfChallengingFisher } from './fisher.js';
import { logEvidence } from './log-evidence.js';
import { nLeep } from './n-leep.js';
import { type Grouped, grouped } from './scatter.js';
import { shrinkageHScore } from './shrinkage-h-score.js';
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

/** Scores of what the backbone's own classifier says: one value per backbone. */
export const sourceScores = [
  { id: 'leep', label: 'LEEP', source: 'Nguyen et al., 2020' },
  { id: 'nce', label: 'NCE', source: 'Tran et al., 2019' },
] as const;

export const scoreIds: readonly string[] = [...featureScores, ...sourceScores].map(({ id }) => id);

/** @throws UserError for a name that is none */
export function selectScores(names: readonly string[]): string[] {
  const unknown = names.find((name) => !scoreIds.includes(name));
  if (unknown !== undefined) throw new UserError(`there is no score '${unknown}': choose from ${scoreIds.join(', ')}`);
  return [...new Set(names)];
}

export interface ScoreRequest {
  /** Class of each row, (n). */
  readonly labels: ArrayLike<number>;
  /** All by default. */
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
  const groups = grouped(centred(coordinates.z), labels, coordinates.width);
  const found: Record<string, number | undefined> = {};
  for (const { id, of } of featureScores) {
    if (scores && !scores.includes(id)) continue;
    const value = await of(multiply, { ...coordinates, groups, seed });
    found[id] = Number.isFinite(value) ? value : undefined;
  }
  return found;
}
