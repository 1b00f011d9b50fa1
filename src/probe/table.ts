/** A probe's record as a person reads it in a terminal. */
import { percent as percentOf, textTable } from '../base/index.js';
import { type DoneCell, doneCells, type RunRecord, type TapProbe, type TaskRecord } from '../record/index.js';

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
    `${train} training${test > 0 ? `, ${test} test` : ''} examples${test > 0 && !task.testLabels ? ' without labels' : ''}, ${task.target.classes.length} classes, ${features} features of ${task.taps?.length ?? 0} taps; ${tuned}`,
    '',
    ...methodsTable(record, cells),
  ];
  if (cells.some(({ network }) => network?.macsShare !== undefined)) {
    lines.push('network: share of the multiply-adds up to the deepest tap that the probe reads');
  }
  for (const cell of cells) lines.push('', ...cellLines(record, cell, (task.taps?.length ?? 0) > 1));
  lines.push(...tapLines(task), ...windowLines(cells), ...answerLines(record));
  for (const warning of task.warnings) lines.push('', `warning: ${warning}`);
  return lines.join('\n');
}

function methodsTable(record: RunRecord, cells: readonly DoneCell[]): string[] {
  const header = [
    'method',
    'test %',
    '95 % interval',
    'per class',
    'log loss',
    'ECE',
    'val %',
    'features',
    'network',
    's',
  ];
  const rows = cells.map((cell) => [
    marked(record, cell),
    percent(cell.score),
    cell.interval ? `${percent(cell.interval[0])} - ${percent(cell.interval[1])}` : '',
    percent(cell.meanPerClass),
    cell.logLoss?.toFixed(3) ?? '',
    cell.calibrationError?.toFixed(3) ?? '',
    percent(cell.validation),
    cell.features === undefined ? '' : String(cell.features),
    cell.network?.macsShare === undefined ? '' : `${percent(cell.network.macsShare, 0)} %`,
    cell.seconds.toFixed(1),
  ]);
  return filledTable(header, rows);
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
  if (!selection) return lines;
  if (selection.stability) {
    lines.push(`  mean Jaccard index between the selections of the folds: ${selection.stability.jaccard.toFixed(2)}`);
  }
  const shares = selection.shares.filter((s) => s.kept > 0).sort((a, b) => b.share - a.share || b.kept - a.kept);
  const top = shares.slice(0, 8).map((s) => `${s.tap} ${s.kept} (${percent(s.share, 0)} %)`);
  if (byTap) {
    lines.push(
      `  kept features by tap (share of score): ${top.join(', ')}${shares.length > 8 ? `, and ${shares.length - 8} more taps` : ''}`,
    );
  }
  return lines;
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
