/**
 * What types forbid: that a method, a store, a unit or a trained network gets to know a test label. Checked by `npm run
 * types`: every line after an expectation of an error must be one. Nothing here runs.
 */
import type { ExtractionRequest } from '../../src/features/index.js';
import type { MethodContext } from '../../src/probe/context.js';
import type { Fit, Inputs, Labelled, ProbeTask, ScoredTask } from '../../src/probe/index.js';
import type { ClassTargets, Sheet, Targets, UnscoredCell } from '../../src/record/index.js';
import type { Unit } from '../../src/study/index.js';
import type { StudyTask } from '../../src/study/tasks.js';
import type { UnitWorld, UnseenTask } from '../../src/study/units/world.js';
import type { TrainRequest, TrainResult } from '../../src/transfer/index.js';

declare const task: ProbeTask;
declare const tested: Inputs;
declare const labelled: Labelled;
declare const context: MethodContext;
declare const fit: Fit;
declare const scored: ScoredTask;
declare const targets: ClassTargets;

// Test examples have no labels, and whoever is handed them cannot reach any.
// @ts-expect-error
tested.labels;
// @ts-expect-error
task.test?.labels;
// @ts-expect-error
task.targets;
// @ts-expect-error
context.test;
// @ts-expect-error
context.task;
// What is true stands beside the task, for the score alone.
scored.targets?.labels satisfies ArrayLike<number> | undefined;
// @ts-expect-error
scored.task.test?.labels;

// A fitted method predicts from features, and a bound cannot predict at all: it offers alternatives.
fit.predict?.(tested);
// @ts-expect-error
fit.predict?.(tested, targets);
// @ts-expect-error
fit.predict(tested);
if (fit.alternatives) {
  // @ts-expect-error
  fit.predict(tested);
}
// Who has labels may always be read without them; not the other way round.
labelled satisfies Inputs;
// @ts-expect-error
tested satisfies Labelled;

// A sheet has no place for a score.
declare const cell: UnscoredCell;
// @ts-expect-error
cell.score;
// @ts-expect-error
cell.suspect;
// @ts-expect-error
({ cell: { ...cell, score: 1 } }) satisfies { cell: UnscoredCell & { score?: never } };
declare const sheet: Sheet;
// @ts-expect-error
sheet.targets;

// Units see tasks without what is true of their test examples.
declare const unseen: UnseenTask;
declare const world: UnitWorld;
declare const unit: Unit;
declare const study: StudyTask;
// @ts-expect-error
unseen.targets;
// @ts-expect-error
world.taskOf(unit).targets;
// @ts-expect-error
study.test.labels;
study.targets satisfies Targets;

// Extraction may be given no labels, and training is handed test images that have none.
declare const request: ExtractionRequest;
({ ...request, splits: [{ name: 'test', rows: [0] }] }) satisfies ExtractionRequest;
declare const training: TrainRequest;
// @ts-expect-error
training.test?.labels;
declare const trained: TrainResult;
// @ts-expect-error
trained.test;
