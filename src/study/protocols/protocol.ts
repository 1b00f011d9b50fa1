/** What a protocol is: its budgets, and a way to turn a config into units. One file each, listed in index.ts. */
import type { Engine } from '../../engine/index.js';
import type { StudyBackbone } from '../backbones.js';
import type { Cell, CellContext, ExtractUnit, ProbeUnit, ScoreUnit } from '../cells.js';
import type { Budgets } from '../config/budgets.js';
import type { Problem } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import type { StudyConfig } from '../config/study-config.js';
import type { TrainingPace } from '../pace.js';
import type { Plan } from '../plan.js';
import type { StudyTask } from '../tasks.js';

export interface Protocol {
  readonly name: string;
  /** One line for the config's schema. */
  readonly about: string;
  /** What it spends by default, and what its lite form spends. */
  readonly full: Budgets;
  readonly lite: Budgets;
  /** Measures learning curves: the config's `perClass` belongs to it. */
  readonly curves: boolean;
  /** Methods beside its default ones that a config may name; absent: all. */
  readonly also?: readonly string[];
  /** Mistakes in a config that only this protocol knows. */
  check?(config: Config): Problem[];
  plan(inputs: StudyInputs): StudyPlan;
}

/** A study with its data and networks read and checked. */
export interface StudyInputs {
  readonly study: StudyConfig;
  readonly tasks: readonly StudyTask[];
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
  readonly engine: Engine;
  /** How long training takes here, where it was measured. */
  readonly pace?: TrainingPace | undefined;
}

/** Cells at one number of labels. */
export interface PlannedPoint {
  readonly perClass: number | undefined;
  readonly cells: readonly Cell[];
}

export interface PlannedTask {
  readonly task: StudyTask;
  /** By rising number of labels; the last are the main table's. */
  readonly points: readonly PlannedPoint[];
  /** The extraction by the backbone under study. */
  readonly extraction: ExtractUnit;
  /** Probes on every tap by itself, and their scores. */
  readonly taps?: { readonly unit: ProbeUnit; readonly score: ScoreUnit } | undefined;
}

export interface StudyPlan {
  readonly plan: Plan;
  readonly tasks: readonly PlannedTask[];
  /** What a person should know before starting, one sentence each. */
  readonly remarks: readonly string[];
}

/** Every cell of a plan. */
export function cellsOf({ tasks }: Pick<StudyPlan, 'tasks'>): { task: StudyTask; perClass?: number; cell: Cell }[] {
  return tasks.flatMap(({ task, points }) =>
    points.flatMap(({ perClass, cells }) =>
      cells.map((cell) => ({ task, ...(perClass === undefined ? {} : { perClass }), cell })),
    ),
  );
}

export const contextOf = (
  { study, backbone, control, engine, pace }: StudyInputs,
  task: StudyTask,
  plan: CellContext['plan'],
): CellContext => ({ plan, study, task, backbone, control, engine, pace });
