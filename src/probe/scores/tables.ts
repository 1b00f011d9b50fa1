/** Scores as people and other programs read them. */
import { csv, textTable, trueMinus } from '../../base/index.js';
import { featureScores, sourceScores, spectralMeasures } from './catalogue.js';
import type { ScoredStore, Scoring } from './score-stores.js';

/** What a terminal shows: a table per store, who comes first by each score, and stores beside each other. */
export function scoringText(scoring: Scoring): string {
  const lines: string[] = [];
  let from = 0;
  for (const store of scoring.stores) {
    const { model, n, classes } = store;
    lines.push(
      `${model}, ${store.store} (${classes ? `${n} examples of ${classes} classes` : `${n} images, no labels`}):`,
    );
    lines.push(...tapTable(store, comparedWithLast(scoring, from, store)), '');
    const said = [...firsts(store), ...ofSource(store)];
    if (said.length > 0) lines.push(...said, '');
    from += store.taps.length;
  }
  if (scoring.stores.length > 1) lines.push(...storesTable(scoring), '');
  lines.push(...scoring.notes.map((text) => `note: ${text}`));
  lines.push(...(scoring.target === 'class' ? [ofScores] : ofMeasures(scoring)));
  return lines.join('\n');
}

const ofScores = 'Higher is better. What each score is and how far to trust it: docs/scores.md';

/** What the columns are that need no labels. */
function ofMeasures({ stores, alignment, neighbours }: Scoring): string[] {
  const most = (stores[0]?.n ?? 1) - 1;
  return [
    `Effective rank, participation ratio: directions that the images spread over, at most ${most} or the features.`,
    ...(alignment ? ['CKA: 1 for taps that are alike but for rotation and scale, about 0 for unrelated ones.'] : []),
    ...(neighbours
      ? [
          `kNN: share of the ${neighbours.k} nearest neighbours of an image that two taps agree on, ${shown(neighbours.chance)} by chance.`,
        ]
      : []),
    'Without labels nothing says which tap suits a task: docs/scores.md',
  ];
}

const shown = (value: number | undefined) => (value === undefined ? '' : trueMinus(digits(value)));
const digits = (value: number) => {
  const size = Math.abs(value);
  if (size > 0 && size < 5e-4) return value.toExponential(0);
  return size >= 100 ? value.toFixed(0) : value.toFixed(size >= 10 ? 1 : 3);
};

/** A column of the table: a value per tap. */
type Compared = Readonly<Record<string, readonly (number | undefined)[]>>;

/** How alike each tap is to the last layer; of neighbours where there are no scores, which need the room. */
function comparedWithLast(
  { target, alignment, neighbours }: Scoring,
  from: number,
  { last, taps }: ScoredStore,
): Compared {
  const column = (pairs: readonly (readonly number[])[]) => taps.map((_, t) => pairs[from + last]?.[from + t]);
  return {
    ...(alignment && { 'CKA, last': column(alignment) }),
    ...(neighbours && target === 'none' && { 'kNN, last': column(neighbours.agreement) }),
  };
}

function tapTable({ taps }: ScoredStore, compared: Compared): string[] {
  const own = [...featureScores, ...spectralMeasures].filter(({ id }) => taps.some(({ scores }) => id in scores));
  const header = ['tap', 'features', ...own.map(({ label }) => label), ...Object.keys(compared)];
  const rows = taps.map(({ alias, features, scores }, t) => [
    alias,
    String(features),
    ...own.map(({ id }) => shown(scores[id])),
    ...Object.values(compared).map((column) => shown(column[t])),
  ]);
  return textTable(header, rows);
}

function firsts({ taps }: ScoredStore): string[] {
  const parts = featureScores.flatMap(({ id, label }) => {
    const best = taps.filter(({ ranks }) => ranks[id] === 1).map(({ alias }) => alias);
    if (best.length === 0) return [];
    return [`${label} ${best.slice(0, 2).join(', ')}${best.length > 2 ? ` and ${best.length - 2} more` : ''}`];
  });
  return parts.length > 0 ? [`First by ${parts.join('; ')}.`] : [];
}

function ofSource({ source }: ScoredStore): string[] {
  const parts = sourceScores.flatMap(({ id, label }) =>
    source[id] === undefined ? [] : [`${label} ${shown(source[id])}`],
  );
  return parts.length > 0 ? [`By the backbone's own classifier: ${parts.join(', ')}.`] : [];
}

/** Backbones by their last layers, each value with its place. */
function storesTable({ target, stores, ranks, alignment, neighbours }: Scoring): string[] {
  const scoreOf = ({ taps, last, source }: ScoredStore, id: string) => taps[last]?.scores[id] ?? source[id];
  const ids = [...featureScores, ...sourceScores, ...spectralMeasures].filter(({ id }) =>
    stores.some((store) => scoreOf(store, id) !== undefined),
  );
  const isRanked = target === 'class';
  const header = [
    `${isRanked ? 'score of the' : 'of the'} last layer`,
    ...stores.map(({ model }) => model),
    ...(isRanked ? ['first'] : []),
  ];
  const rows = ids.map(({ id, label }) => [
    label,
    ...stores.map((store) => shown(scoreOf(store, id))),
    ...(isRanked ? [stores.flatMap(({ model }, i) => (ranks[i]?.[id] === 1 ? [model] : [])).join(', ')] : []),
  ]);
  const starts = startsOf(stores);
  const pairs = (of: readonly (readonly number[])[]) =>
    stores
      .flatMap((a, i) =>
        stores.slice(i + 1).map((b, k) => {
          const j = i + 1 + k;
          return `${a.model} and ${b.model} ${shown(of[(starts[i] ?? 0) + a.last]?.[(starts[j] ?? 0) + b.last])}`;
        }),
      )
      .join('; ');
  return [
    ...textTable(header, rows),
    ...(alignment ? [`CKA of last layers: ${pairs(alignment)}.`] : []),
    ...(neighbours && !isRanked ? [`kNN agreement of last layers: ${pairs(neighbours.agreement)}.`] : []),
  ];
}

function startsOf(stores: readonly ScoredStore[]): number[] {
  let from = 0;
  return stores.map(({ taps }) => {
    const start = from;
    from += taps.length;
    return start;
  });
}

/** One row per store, tap and score. */
export function scoringCsv({ stores, ranks }: Scoring): Promise<string> {
  const rows = stores.flatMap(({ store, model, taps, source }, i) => [
    ...taps.flatMap(({ alias, depth, features, scores, ranks: own }) =>
      Object.keys(scores).map((id) => [store, model, alias, depth, features, id, scores[id], own[id]]),
    ),
    ...Object.keys(source).map((id) => [store, model, '', undefined, undefined, id, source[id], ranks[i]?.[id]]),
  ]);
  return csv(['store', 'model', 'tap', 'depth', 'features', 'score', 'value', 'rank'], rows);
}

/** One row per pair of taps, the first not after the second. */
export function alignmentCsv({ stores, alignment, neighbours }: Scoring): Promise<string> {
  const taps = stores.flatMap(({ store, taps }) => taps.map(({ alias }) => [store, alias] as const));
  const finite = (value: number | undefined) => (Number.isFinite(value) ? value : undefined);
  const rows = (alignment ?? []).flatMap((row, i) =>
    row
      .slice(i)
      .map((value, k) => [
        ...(taps[i] ?? []),
        ...(taps[i + k] ?? []),
        finite(value),
        neighbours?.agreement[i]?.[i + k],
      ]),
  );
  return csv(['store', 'tap', 'other store', 'other tap', 'cka', 'mutual knn'], rows);
}
