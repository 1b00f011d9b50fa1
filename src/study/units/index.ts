/** The executors of all kinds of units. */
import type { Engine } from '../../engine/index.js';
import type { StudyInputs } from '../protocols/protocol.js';
import type { Executors } from '../runner.js';
import { extractExecutor } from './extract.js';
import { probeExecutor } from './probe.js';
import { scoreExecutor } from './score.js';
import { trainExecutor } from './train.js';

export function executorsOf({ tasks, backbone, control }: StudyInputs, engine: Engine): Executors {
  const byName = new Map(tasks.map((t) => [t.name, t]));
  const backbones = new Map([backbone, ...(control ? [control] : [])].map((b) => [b.name, b]));
  const world = { engine, tasks: byName, backbones };
  return {
    extract: extractExecutor(world),
    probe: probeExecutor(world),
    train: trainExecutor(world),
    score: scoreExecutor(byName),
  };
}
