/** The section of the record that a layer-copy study fills: its networks, scored. */

import { given } from '../../base/index.js';
import type { CopyRun, CopySplit, Half, LayerCopy } from '../../record/index.js';
import { resultOf } from '../folder.js';
import type { Unit } from '../plan.js';
import type { Outcome } from '../runner.js';
import { classTargets } from '../tasks.js';
import type { ClassSplit, HalfRows } from './halves.js';
import type { CopyPlan, PlannedCopy } from './plan.js';
import type { CopyWorld } from './world.js';

/** Means and differences are the record's to compute. */
export function layerCopySection(plan: CopyPlan, world: CopyWorld, outcome: Outcome): LayerCopy {
  const { task, network, halves } = world;
  const resultFor = <R>(unit: Unit<R>): R | undefined => {
    const record = outcome.records.get(unit.id);
    return record && resultOf(unit.kind, record);
  };
  const probes = plan.probed.flatMap(({ split, target, seed, score }) =>
    (resultFor(score)?.layers ?? []).map((layer) => ({ split, target, seed, ...layer })),
  );
  return {
    network: world.backbone.name,
    task: task.name,
    layers: network.layers
      .filter(({ n }) => plan.depths.includes(n))
      .map(({ n, name, crossing }) => ({
        n,
        name,
        ...(crossing > 1 ? { about: `within a block: ${crossing} values cross the cut` } : {}),
      })),
    classes: [...task.classes],
    testLabels: Array.from(classTargets(task).labels),
    aggregate: plan.study.budget.aggregate,
    splits: halves.splits.map((split) => splitRecord(split, (half) => halves.of(split.name, half))),
    runs: plan.networks.map((planned) => runRecord(planned, outcome, resultFor)),
    ...(probes.length > 0 ? { probes } : {}),
    levels: [],
    contrasts: [],
    boosts: [],
    predictors: [],
  };
}

function splitRecord({ name, kind, seed, ...split }: ClassSplit, rowsOf: (half: Half) => HalfRows): CopySplit {
  const half = (which: Half) => {
    const { train, test } = rowsOf(which);
    const { name: called, classes } = split[which];
    return { name: called, classes: [...classes], train: train.length, test: test.length };
  };
  return { name, kind, ...given({ seed }), A: half('A'), B: half('B') };
}

function runRecord(
  { unit, score, split, target, treatment, n, preserve, perClass, seed }: PlannedCopy,
  { states, errors, records }: Outcome,
  resultFor: <R>(unit: Unit<R>) => R | undefined,
): CopyRun {
  const what = { split, target, treatment, ...given({ n, preserve, perClass }), seed };
  const [trained, scored] = [resultFor(unit), resultFor(score)];
  if (!trained || !scored) {
    const failed = [unit, score].some((u) => states.get(u.id) === 'failed');
    const error = errors.get(unit.id) ?? errors.get(score.id);
    return { ...what, status: failed ? 'failed' : 'not run', ...given({ error }) };
  }
  const { validation, learned, trainLoss, frozen, learningRate } = trained;
  const { score: accuracy, bestTen, correct } = scored;
  return {
    ...what,
    status: 'done',
    score: accuracy,
    validation,
    ...given({ bestTen }),
    correct,
    trainLoss,
    ...(learned ? {} : { failedToTrain: true }),
    frozen,
    learningRate,
    ...given({ seconds: records.get(unit.id)?.seconds }),
  };
}
