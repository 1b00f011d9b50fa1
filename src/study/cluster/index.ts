/** @module study/cluster: a study as jobs of Slurm, as a plan for other engines, and how it stands. */
export { arraysOf, type JobArray } from './arrays.js';
export { type Forecast, forecast } from './forecast.js';
export { type PlanFile, planFile } from './plan-file.js';
export { type QueuedJob, QueueFull, slurm } from './queue.js';
export { quoted } from './script.js';
export { snakefile } from './snakefile.js';
export { cancel, type RunStatus, statusOf, type UnitStateNow, type UnitStatus, unitStates } from './status.js';
export { type Queue, type SubmitOptions, type Submitted, submit } from './submit.js';
