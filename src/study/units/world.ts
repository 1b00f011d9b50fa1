/** What units are done with: the engine, and the data and networks that their sources name. */
import { WorkError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { StudyBackbone } from '../backbones.js';
import type { Unit } from '../plan.js';
import type { StudyInputs } from '../protocols/index.js';
import type { StudyTask } from '../tasks.js';

/** A task as units see it: what is true of its test examples is not part of it. */
export type UnseenTask = Omit<StudyTask, 'targets'>;

type Sourced = Pick<Unit, 'label' | 'sources'>;

export interface UnitWorld {
  readonly engine: Engine;
  taskOf(unit: Sourced): UnseenTask;
  backboneOf(unit: Sourced): StudyBackbone;
}

export function worldOf({ tasks, networks, control, engine }: StudyInputs): UnitWorld {
  const unseen = tasks.map(({ targets: _, ...task }): UnseenTask => task);
  const backbones = [...networks, ...(control ? [control] : [])];
  return {
    engine,
    taskOf: (unit) => named(unseen, unit, 'task'),
    backboneOf: (unit) => named(backbones, unit, 'backbone'),
  };
}

/** The item that the unit's source names. @throws WorkError when the study has none of that name */
export function named<T extends { readonly name: string }>(items: readonly T[], unit: Sourced, source: string): T {
  const found = items.find(({ name }) => name === unit.sources[source]);
  if (!found) throw new WorkError(`${unit.label}: this study has no ${source} '${unit.sources[source]}'`);
  return found;
}
