/** @module study: protocols as plans of units, the runner, the run folder, resume. */
export * from './config/index.js';
export { RunFolder, type UnitFailure, type UnitRecord } from './folder.js';
export { type Json, type Plan, PlanBuilder, shardOf, summarise, type Unit } from './plan.js';
export {
  type Executor,
  type Executors,
  type RunOptions,
  type RunOutcome,
  runPlan,
  type UnitContext,
} from './runner.js';
export { createView, type StudyView } from './view.js';
