/** What a protocol is: a way to turn a config into units, and records into what the report reads. */
import type { StudyBackbone } from '../backbones.js';
import type { StudyConfig } from '../config/index.js';
import type { Plan, Unit } from '../plan.js';
import type { StudyTask } from '../tasks.js';
import type { Cell } from './cells.js';

/** A study with its data and networks read and checked. */
export interface StudyInputs {
  readonly study: StudyConfig;
  readonly tasks: readonly StudyTask[];
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
}

export interface StudyPlan {
  readonly plan: Plan;
  /** Cells of the main table. */
  readonly cells: readonly Cell[];
  /** Cells of the learning curves. */
  readonly curve: readonly Cell[];
  /** By task: the unit that probes every tap by itself, and its score. */
  readonly layers: ReadonlyMap<string, { unit: Unit; score: Unit }>;
  /** By task: the extraction by the backbone under study. */
  readonly extractions: ReadonlyMap<string, Unit>;
  /** What a person should know before starting, one sentence each. */
  readonly remarks: readonly string[];
}
