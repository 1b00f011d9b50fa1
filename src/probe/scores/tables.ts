/** Scores as people and other programs read them. */
import { csv, textTable, trueMinus } from '../../base/index.js';
import { featureScores, sourceScores } from './catalogue.js';
import type { ScoredStore, Scoring } from './score-stores.js';

/** What a terminal shows: a table per store, who comes first by each score, and stores beside each other. */
export function scoringText(scoring: Scoring): string {
  const lines: string[] = [];
  let from = 0;
  for (const store of scoring.stores) {
    lines.push(`${store.model}, ${store.store} (${store.n} examples of ${store.classes} classes):`);
    lines.push(...tapTable(store, alignedWithLast(scoring, from, store)), '');
    lines.push(...firsts(store), ...ofSource(store), '');
    from += store.taps.length;
  }
  if (scoring.stores.length > 1) lines.push(...storesTable(scoring), '');
  lines.push(...scoring.notes.map((text) => `note: ${text}`));
  lines.push('Higher is better. What each score is and how far to trust it: docs/scores.md');
  return lines.join('\n');
}

const shown = (value: number | undefined) => (value === undefined ? '' : trueMinus(digits(value)));
const digits = (value: number) => {
  const size = Math.abs(value);
  if (size > 0 && size < 5e-4) return value.toExponential(0);
  return size >= 100 ? value.toFixed(0) : value.toFixed(size >= 10 ? 1 : 3);
};

function alignedWithLast({ alignment }: Scoring, from: number, { last, taps }: ScoredStore) {
  return alignment && taps.map((_, t) => alignment[from + last]?.[from + t]);
}

function tapTable({ taps }: ScoredStore, aligned: readonly (number | undefined)[] | undefined): string[] {
  const own = featureScores.filter(({ id }) => taps.some(({ scores }) => id in scores));
  const header = ['tap', 'features', ...own.map(({ label }) => label), ...(aligned ? ['CKA, last'] : [])];
  const rows = taps.map(({ alias, features, scores }, t) => [
    alias,
    String(features),
    ...own.map(({ id }) => shown(scores[id])),
    ...(aligned ? [shown(aligned[t])] : []),
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
function storesTable({ stores, ranks, alignment }: Scoring): string[] {
  const ids = [...featureScores, ...sourceScores].filter(({ id }) => ranks.some((own) => own[id] !== undefined));
  const header = ['score of the last layer', ...stores.map(({ model }) => model), 'first'];
  const rows = ids.map(({ id, label }) => [
    label,
    ...stores.map(({ taps, last, source }) => shown(taps[last]?.scores[id] ?? source[id])),
    stores.flatMap(({ model }, i) => (ranks[i]?.[id] === 1 ? [model] : [])).join(', '),
  ]);
  const starts = startsOf(stores);
  const pairs = stores.flatMap((a, i) =>
    stores.slice(i + 1).map((b, k) => {
      const j = i + 1 + k;
      const value = alignment?.[(starts[i] ?? 0) + a.last]?.[(starts[j] ?? 0) + b.last];
      return `${a.model} and ${b.model} ${shown(value)}`;
    }),
  );
  return [...textTable(header, rows), ...(alignment ? [`CKA of last layers: ${pairs.join('; ')}.`] : [])];
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
export function alignmentCsv({ stores, alignment }: Scoring): Promise<string> {
  const taps = stores.flatMap(({ store, taps }) => taps.map(({ alias }) => [store, alias] as const));
  const rows = (alignment ?? []).flatMap((row, i) =>
    row
      .slice(i)
      .map((value, k) => [...(taps[i] ?? []), ...(taps[i + k] ?? []), Number.isFinite(value) ? value : undefined]),
  );
  return csv(['store', 'tap', 'other store', 'other tap', 'cka'], rows);
}
