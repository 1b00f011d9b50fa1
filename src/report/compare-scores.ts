/** Scores that train nothing, of the backbones that runs compare, beside what these runs measured. */
import { percent } from '../record/index.js';
import type { ChosenCell } from './compare-pairs.js';
import type { Table } from './table.js';

/** Scores of one backbone's last layer on one task's training images. */
export interface BackboneScores {
  /** sha256 of the network's file. */
  readonly model: string;
  /** The data set's folder, by its last name. */
  readonly data: string;
  /** By label, higher is better. */
  readonly scores: readonly { readonly label: string; readonly value: number }[];
}

/** A row for each run's last layer that has scores; `undefined` where there are none. */
export function scoresTable(cells: readonly ChosenCell[], scored: readonly BackboneScores[]): Table | undefined {
  const rows = cells.flatMap((cell) => {
    const own = cell.what === 'last layer' ? scoresOf(cell, scored) : undefined;
    return own ? [{ cell, own }] : [];
  });
  if (rows.length === 0) return undefined;
  const labels = [...new Set(rows.flatMap(({ own }) => own.scores.map(({ label }) => label)))];
  return {
    id: 'scores',
    caption:
      'Scores of each last layer that train nothing, beside the test accuracy that its probe reached; of a score the higher is the better, on one task',
    columns: [
      { title: 'task' },
      { title: 'run' },
      { title: 'backbone' },
      { title: 'measured', format: percent },
      ...labels.map((title) => ({ title, format: (v: number) => v.toPrecision(3).replaceAll('-', '−') })),
    ],
    rows: rows.map(({ cell: { task, run, record, cell }, own }) => [
      task.task,
      run,
      record.backbone,
      cell.score,
      ...labels.map((label) => own.scores.find((s) => s.label === label)?.value),
    ]),
  };
}

/** The scores of a run's backbone on the task: by the fingerprint of the network, and by the data where it has several. */
function scoresOf({ record, task }: ChosenCell, scored: readonly BackboneScores[]): BackboneScores | undefined {
  const prints = record.run.fingerprints.filter(({ name }) => name === record.backbone).map(({ sha256 }) => sha256);
  const own = scored.filter(({ model }) => prints.includes(model));
  return (
    own.find(({ data }) => data === task.task) ?? (record.tasks.length === 1 && own.length === 1 ? own[0] : undefined)
  );
}
