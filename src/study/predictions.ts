/** Tables of what every method of a run said of every test example. */
import { csv } from '../base/index.js';
import { resultOf } from './folder.js';
import { cellsOf, type StudyInputs, type StudyPlan } from './protocols/index.js';
import type { Outcome } from './runner.js';
import { probe, scoring, training } from './units/kinds.js';

type Planned = StudyPlan & { readonly inputs: StudyInputs };

/** What every method said of every test example, at every number of labels. */
export function predictionsCsv(prepared: Planned, { records }: Outcome): Promise<string> {
  const several = prepared.inputs.networks.length > 1;
  const rows = cellsOf(prepared).flatMap(({ task, network, perClass, cell }) => {
    if (task.targets.kind !== 'class') return [];
    const record = records.get(cell.score.id);
    const predicted = record && resultOf(scoring, record).predicted;
    const { classes, labels } = task.targets;
    const name = (c: number | undefined) => classes[c ?? -1] ?? String(c);
    return (predicted ?? []).map((top, i) => [
      task.name,
      ...(several ? [network] : []),
      cell.method,
      cell.seed,
      perClass,
      task.test.inputs[i]?.file,
      name(labels[i]),
      name(top),
      top === labels[i] ? 1 : 0,
    ]);
  });
  const columns = ['task', ...(several ? ['network'] : []), 'method'];
  return csv([...columns, 'seed', 'per class', 'file', 'label', 'predicted', 'correct'], rows);
}

/** What every method said of every test example of tasks of values and of several labels: a row an example and output. */
export function valuesCsv(prepared: Planned, { records }: Outcome): Promise<string> {
  const rows = cellsOf(prepared).flatMap(({ task, cell }) => {
    const { targets } = task;
    const record = records.get(cell.unit.id);
    if (targets.kind === 'class' || !record) return [];
    const { sheet } = record.kind === probe.name ? resultOf(probe, record) : resultOf(training, record);
    const said = sheet?.predictions;
    if (said?.kind !== 'values') return [];
    const q = targets.outputs.length;
    return said.values.map((value, at) => [
      task.name,
      cell.method,
      cell.seed,
      task.test.inputs[Math.floor(at / q)]?.file,
      targets.outputs[at % q],
      targets.values[at],
      value,
    ]);
  });
  return csv(['task', 'method', 'seed', 'file', 'output', 'truth', 'predicted'], rows);
}
