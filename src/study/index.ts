/** @module study: protocols as plans of units, the runner, the run folder, resume. */
export { configOf, configText, fitInto, type Question } from './ask.js';
export { assemble } from './assemble.js';
export { type Budget, type GiveBack, type Resources, SharedBudget } from './budget.js';
export { catalogue, methodIds } from './catalogue.js';
export type { Config } from './config/schema.js';
export type { StudyConfig } from './config/study-config.js';
export { curvesOf } from './curves.js';
export { demoConfig, drawnImages, prepareDemo, sourceTask, targetTasks } from './demo/index.js';
export { type Exportable, exportableOf, folderKind, type RunChoice } from './export/run.js';
export { type ExportedNetwork, trainedNetwork } from './export/trained.js';
export { RunFolder, resultOf, type UnitFailure, type UnitRecord } from './folder.js';
export { type Job, type JobOptions, jobsOf, shardOf } from './jobs.js';
export { ConfigSchema, configJsonSchema, loadConfig, type Moved, parseConfig, resolveConfig } from './load.js';
export { type Json, jsonOf, type Plan, PlanBuilder, summarise, type Unit, type UnitKind } from './plan.js';
export { cellsOf, type Protocol, protocols, type StudyInputs, type StudyPlan } from './protocols/index.js';
export {
  type Executor,
  executor,
  needsOf,
  type RunOptions,
  type RunOutcome,
  runPlan,
  type StudyView,
  type UnitContext,
} from './runner.js';
export { noPrices, type Prices, queuePrices, type Schedule, scheduled, searchedOrder } from './schedule.js';
export {
  assembleRun,
  describePlan,
  doUnits,
  type PreparedStudy,
  prepareStudy,
  type RunStudyOptions,
  runStudy,
  type StudyRun,
  type UnitsOptions,
  workOn,
  writeRunFile,
} from './study.js';
export { extraction, extractionShare, probe, scoring, training, trial } from './units/kinds.js';
export { createView } from './view.js';
