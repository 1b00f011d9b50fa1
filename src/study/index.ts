/** @module study: protocols as plans of units, the runner, the run folder, resume. */

export { type Advice, advise, type Candidate } from './advice.js';
export { type AssembledStudy, type AssembledTask, assemble } from './assemble.js';
export * from './config/index.js';
export { demoConfig, prepareDemo, sourceTask, targetTasks } from './demo/index.js';
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
export {
  describePlan,
  type PreparedStudy,
  parseShard,
  prepareStudy,
  type RunStudyOptions,
  runStudy,
  type StudyRun,
} from './study.js';
export { createView, type StudyView } from './view.js';
