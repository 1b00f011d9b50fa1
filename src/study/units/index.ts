/** The executors of all kinds of units. */
import type { Targets } from '../../record/index.js';
import type { StudyInputs } from '../protocols/index.js';
import type { Executor } from '../runner.js';
import { extractExecutor, type UnseenTask } from './extract.js';
import { probeExecutor } from './probe.js';
import { scoreExecutor } from './score.js';
import { trainExecutor } from './train.js';

export function executorsOf({ tasks, backbone, control, engine }: StudyInputs): Executor[] {
  const unseen = new Map(tasks.map(({ targets: _, ...task }): [string, UnseenTask] => [task.name, task]));
  const backbones = new Map([backbone, ...(control ? [control] : [])].map((b) => [b.name, b]));
  const world = { engine, tasks: unseen, backbones };
  const targetsOf = (name: string) => tasks.find((t) => t.name === name)?.targets as Targets;
  return [extractExecutor(world), probeExecutor(world), trainExecutor(world), scoreExecutor(targetsOf)];
}
