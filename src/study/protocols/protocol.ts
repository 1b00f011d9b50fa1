/** What a protocol is: its budgets, and a way to turn a config into units. One file each, listed in index.ts. */
import { given } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { Measured } from '../../record/index.js';
import type { StudyBackbone } from '../backbones.js';
import type { Cell, CellContext, ExtractUnit, ProbeUnit, ScoreUnit } from '../cells.js';
import type { Budgets } from '../config/budgets.js';
import type { Problem } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import type { StudyConfig } from '../config/study-config.js';
import type { TrainingPace } from '../pace.js';
import type { Plan } from '../plan.js';
import type { Executor, Outcome } from '../runner.js';
import type { KnownNetwork } from '../source-accuracy.js';
import type { StudyTask } from '../tasks.js';

/** A kind of study: config in, plan out. */
export interface Protocol {
  readonly name: string;
  /** One line for the config's schema. */
  readonly about: string;
  /** What it spends by default, and what its lite form spends. */
  readonly full: Budgets;
  readonly lite: Budgets;
  /** Measures learning curves: the config's `perClass` belongs to it. */
  readonly curves: boolean;
  /** Takes tasks of real values and of several labels. */
  readonly valued?: true;
  /** Methods beside its default ones that a config may name; absent: all. */
  readonly also?: readonly string[];
  /** Trains a network of the config's own (`network`) on the halves of its `splits`, and takes no backbones. */
  readonly trainsNetwork?: true;
  /** What a config does less of than the full form, beyond probes and training: one sentence each. */
  scaledDown?(config: Config): string[];
  /** Mistakes in a config that only this protocol knows. */
  check?(config: Config): Problem[];
  /** The units of a study, in order. */
  plan(inputs: StudyInputs): StudyPlan;
}

/** A study with its data and networks read and checked. */
export interface StudyInputs {
  readonly study: StudyConfig;
  readonly tasks: readonly StudyTask[];
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
  /** All that are compared; the backbone alone, where no networks are. */
  readonly networks: readonly StudyBackbone[];
  /** What is known of networks beforehand, by name. */
  readonly known?: ReadonlyMap<string, KnownNetwork>;
  readonly engine: Engine;
  /** How long training takes here, where it was measured, by network. */
  readonly paces?: ReadonlyMap<string, TrainingPace> | undefined;
}

/** Cells at one number of labels. */
export interface PlannedPoint {
  readonly perClass: number | undefined;
  readonly cells: readonly Cell[];
}

/** Cells trained for so many updates. */
export interface ConvergedAt {
  readonly steps: number;
  readonly cells: readonly Cell[];
}

export interface PlannedTask {
  readonly task: StudyTask;
  /** The network, where several are compared. */
  readonly backbone?: StudyBackbone;
  /** Runs of other lengths, by rising length. */
  readonly convergence?: readonly ConvergedAt[];
  /** By rising number of labels; the last are the main table's. */
  readonly points: readonly PlannedPoint[];
  /** The extraction by the backbone under study, where there is one. */
  readonly extraction?: ExtractUnit | undefined;
  /** Probes on every tap by itself, and their scores. */
  readonly taps?: { readonly unit: ProbeUnit; readonly score: ScoreUnit } | undefined;
}

/** A plan with the tasks and what becomes of their results. */
export interface StudyPlan {
  readonly plan: Plan;
  readonly tasks: readonly PlannedTask[];
  /** What a person should know before starting, one sentence each. */
  readonly remarks: readonly string[];
  /** What does not fit in the time that there is, and when it would: a clause; absent where everything fits. */
  readonly leftOut?: string | undefined;
  /** Does the kinds of units that are this protocol's own. */
  readonly executors?: (() => readonly Executor[]) | undefined;
  /** What the record holds beside cells. */
  readonly sections?: ((outcome: Outcome) => Pick<Measured, 'layerCopy'>) | undefined;
  /** Bytes that all of it needs at most, where that is known: on disk, and in memory at once. */
  readonly bytes?: { readonly disk: number; readonly memory: number } | undefined;
}

/** Every cell of a plan. */
export function cellsOf({
  tasks,
}: Pick<StudyPlan, 'tasks'>): { task: StudyTask; network?: string; perClass?: number; cell: Cell }[] {
  return tasks.flatMap(({ task, backbone, points }) =>
    points.flatMap(({ perClass, cells }) =>
      cells.map((cell) => ({
        task,
        ...given({ network: backbone?.name, perClass }),
        cell,
      })),
    ),
  );
}

export const contextOf = (
  { study, backbone, control, engine, paces }: StudyInputs,
  task: StudyTask,
  plan: CellContext['plan'],
): CellContext => ({ plan, study, task, backbone, control, engine, pace: paces?.get(backbone.name) });
