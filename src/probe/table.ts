/** A probe's record as a person reads it in a terminal. */
import { percent as percentOf, textTable } from '../base/index.js';
import {
  boundSentence,
  classesOf,
  type DoneCell,
  doneCells,
  isUnbalanced,
  layerSharesOf,
  overlapMeaning,
  overlapText,
  points,
  type RunRecord,
  type Selection,
  signed,
  signedShare,
  type TapProbe,
  type TaskRecord,
} from '../record/index.js';

function percent(value: number | undefined, digits = 1): string {
  return value === undefined ? '' : percentOf(value, digits);
}

function marked(record: RunRecord, cell: DoneCell): string {
  const card = record.methods.find((m) => m.id === cell.method);
  return `${cell.method}${card?.role === 'bound' ? ' (chosen by TEST score)' : ''}${doubt(cell)}`;
}

/** The table of methods, what was selected, taps and windows, the answer, and every warning. */
export function probeTable(record: RunRecord): string {
  const [task] = record.tasks as [TaskRecord, ...TaskRecord[]];
  const cells = doneCells(task);
  const { train, test, folds, groups } = task.examples;
  const tuned =
    folds === undefined
      ? `tuned on ${task.examples.validation} validation examples`
      : `tuned by ${folds} folds${groups === undefined ? '' : ' that keep groups together'}`;
  const features = task.taps?.reduce((sum, tap) => sum + tap.features, 0) ?? 0;
  const lines = [
    task.task,
    `${train} training${test > 0 ? `, ${test} test` : ''} examples${test > 0 && !task.testLabels ? ' without labels' : ''}, ${classesOf(task.target).length} classes, ${features} features of ${task.taps?.length ?? 0} taps; ${tuned}`,
    '',
    ...methodsTable(record, task, cells),
  ];
  if (cells.some((cell) => cell.validation !== undefined)) {
    lines.push('val: score over validation rows, less what choosing settings by it has gained');
  }
  if (cells.some(({ network }) => network?.macsShare !== undefined)) {
    lines.push('network: share of the multiply-adds up to the deepest tap that the probe reads');
  }
  for (const cell of cells) lines.push('', ...cellLines(record, cell, (task.taps?.length ?? 0) > 1));
  lines.push(...tapLines(task), ...windowLines(cells), ...answerLines(record));
  for (const warning of task.warnings) lines.push('', `warning: ${warning}`);
  return lines.join('\n');
}

function methodsTable(record: RunRecord, task: TaskRecord, cells: readonly DoneCell[]): string[] {
  // Where classes are alike in size these say what accuracy says.
  const balanced = (value: number | undefined) => (isUnbalanced(task) ? percent(value) : '');
  const columns: readonly (readonly [string, (cell: DoneCell) => string])[] = [
    ['method', (cell) => marked(record, cell)],
    ['test %', (cell) => percent(cell.score)],
    ['95 % interval', ({ interval: i }) => (i ? `${percent(i[0])} - ${percent(i[1])}` : '')],
    ['balanced %', (cell) => balanced(cell.meanPerClass)],
    ['macro F1', (cell) => balanced(cell.macroF1)],
    ['log loss', (cell) => cell.logLoss?.toFixed(3) ?? ''],
    ['ECE', (cell) => cell.calibrationError?.toFixed(3) ?? ''],
    ['val %', (cell) => percent(cell.validation)],
    ['val balanced %', (cell) => balanced(cell.validationMeanPerClass)],
    ['features', (cell) => (cell.features === undefined ? '' : String(cell.features))],
    ['network', ({ network }) => (network?.macsShare === undefined ? '' : `${percent(network.macsShare, 0)} %`)],
    ['s', (cell) => cell.seconds.toFixed(1)],
  ];
  return filledTable(
    columns.map(([title]) => title),
    cells.map((cell) => columns.map(([, text]) => text(cell))),
  );
}

/** A table without the columns that nothing stands in: there is no score without test labels. */
function filledTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const filled = (line: readonly string[]) => line.filter((_, j) => rows.some((row) => row[j] !== ''));
  return textTable(filled(header), rows.map(filled));
}

/** How one method was tuned, what it says of itself, its path and its selection. */
function cellLines(record: RunRecord, cell: DoneCell, byTap: boolean): string[] {
  const card = record.methods.find((m) => m.id === cell.method);
  const settings = Object.entries(cell.settings ?? {}).map(
    ([key, v]) => `${key} ${typeof v === 'number' ? short(v) : v}`,
  );
  const tuned = cell.pool === undefined ? settings : [`pool ${cell.pool}`, ...settings];
  const lines = [`${cell.method}: ${card?.title ?? ''}${tuned.length > 0 ? `; ${tuned.join(', ')}` : ''}`];
  if (cell.suspect !== undefined) lines.push(`  WRONG: ${cell.suspect}`);
  for (const note of cell.notes) lines.push(`  note: ${note}`);
  const points = cell.path?.points ?? [];
  const worst = Math.max(...points.map((p) => p.gap)).toExponential(1);
  const open = points.filter((p) => p.converged === false).length;
  if (open > 0) {
    lines.push(`  NOT CONVERGED at ${open} of ${points.length} lambdas: largest relative duality gap ${worst}`);
  } else if (!cell.converged)
    lines.push('  NOT CONVERGED: a solver stopped before its tolerance; its best iterate is shown');
  if (points.length > 0 && open === 0) {
    lines.push(`  path of ${points.length} lambdas, largest relative duality gap ${worst}`);
  }
  const { selection } = cell;
  if (selection?.keepFractions) lines.push(...keepLines(selection.keepFractions));
  if (selection?.stability) {
    const { stability } = selection;
    lines.push(`  stability: ${overlapText(stability)}. ${overlapMeaning(stability)}`);
    lines.push(...boundSentence(stability).map((sentence) => `  ${sentence}`));
  }
  if (byTap) lines.push(...layerLines(cell));
  return lines;
}

/** Which share of the features is kept, beside the one with the highest score. */
function keepLines({ points, chosen, rule, best }: NonNullable<Selection['keepFractions']>): string[] {
  const [kept, top] = [chosen, best].map((fraction) => points.find((p) => p.fraction === fraction));
  if (!kept || !top || !rule || points.length < 2) return [];
  const said = ({ fraction, features, score }: typeof kept) =>
    `${short(fraction)} (${features} features, ${percent(score)} %)`;
  if (kept === top) return [`  keeps ${said(kept)}: the highest validation score`];
  const within =
    rule === 'margin' ? 'the margin of the highest' : 'one standard error of the highest on the same examples';
  return [`  keeps ${said(kept)}: the smallest within ${within}, ${said(top)}`];
}

/** Layers shown of each probe. */
const LAYERS = 8;

/** What the probe owes to each layer, the largest shares first. */
function layerLines(cell: DoneCell): string[] {
  const shares = layerSharesOf(cell);
  if (!shares || shares.parts.length < 2) return [];
  const sorted = [...shares.parts].sort((a, b) => b.share - a.share || b.features - a.features);
  const rows = sorted
    .slice(0, LAYERS)
    .map(({ tap, features, share, entry, leftOut }) => [
      `  ${tap}`,
      signedShare(share),
      String(features),
      entry === undefined ? '' : String(entry),
      leftOut ? points(leftOut.score) : '',
      leftOut ? signed(leftOut.logLoss) : '',
    ]);
  const more = sorted.length - rows.length;
  const rest = sorted.slice(LAYERS).reduce((sum, part) => sum + part.share, 0);
  return [
    `  layers by their ${shares.of}${more > 0 ? ` (${more} more have ${signedShare(rest)} together)` : ''}; without: accuracy (points) and log loss when the probe is refitted without the layer`,
    ...filledTable(['  layer', 'share', 'features', 'enters', 'without', 'log loss'], rows),
  ];
}

function tapLines({ taps = [], tapBudget }: TaskRecord): string[] {
  const probed = taps.filter((t) => t.alone);
  if (probed.length === 0) return [];
  const both = probed.some((t) => t.withLast);
  const budget = tapBudget === undefined ? '' : `, at most ${tapBudget} features each`;
  const figures = (probe: TapProbe | undefined) => [percent(probe?.validation), percent(probe?.score)];
  const rows = probed.map(({ alias, alone, withLast }) => [
    `${alias}${doubt(alone)}${doubt(withLast, 'with last: ')}`,
    ...figures(alone),
    alone?.l2 === undefined ? '' : short(alone.l2),
    ...(both ? figures(withLast) : []),
  ]);
  const suspect = probed.flatMap((t) => t.alone?.suspect ?? t.withLast?.suspect ?? [])[0];
  return [
    '',
    `taps: accuracy alone${both ? ', and with the last layer' : ''}; each at its own l2 penalty${budget}`,
    ...filledTable(
      ['tap', 'val alone', 'test alone', 'l2', ...(both ? ['val with last', 'test with last'] : [])],
      rows,
    ),
    ...(suspect === undefined ? [] : [`WRONG: ${suspect}`]),
  ];
}

function windowLines(cells: readonly DoneCell[]): string[] {
  return cells.flatMap(({ method, selection }) => {
    const windows = selection?.rankWindows;
    if (!windows) return [];
    const rows = windows.map((w) => [
      `${w.first + 1} - ${w.first + w.count}${doubt(w)}`,
      percent(w.validation),
      percent(w.score),
    ]);
    return ['', `windows of the ${method} ranking`, ...filledTable(['ranks', 'val', 'test'], rows)];
  });
}

/** A setting to three digits: 0.416, 5.78e-4. */
const short = (v: number): string => {
  const rounded = Number(v.toPrecision(3));
  return rounded !== 0 && Math.abs(rounded) < 1e-3 ? rounded.toExponential() : String(rounded);
};

/** What is not what it seems is said beside the name. */
function doubt(figure: { converged: boolean; suspect?: string | undefined } | undefined, of = ''): string {
  if (!figure) return '';
  const { converged, suspect } = figure;
  return `${converged ? '' : ` (${of}NOT CONVERGED)`}${suspect === undefined ? '' : ` (${of}WRONG: see below)`}`;
}

function answerLines({ answer }: RunRecord): string[] {
  const says = answer.comparisons.length > 0 ? [answer.headline, ...answer.missing] : answer.missing;
  return says.length > 0 ? ['', ...says] : [];
}
