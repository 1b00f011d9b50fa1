/** The executors of all kinds of units. */
import type { Engine } from '../../engine/index.js';
import { createOnnxRuntime } from '../../engine/index.js';
import type { StudyInputs } from '../protocols/protocol.js';
import type { Executor, Executors } from '../runner.js';
import { extractExecutor, type UnitWorld } from './extract.js';
import { probeExecutor } from './probe.js';
import { scoreExecutor } from './score.js';
import { trainExecutor } from './train.js';

export function executorsOf({ tasks, backbone, control }: StudyInputs, engine: Engine): Executors {
  const byName = new Map(tasks.map((t) => [t.name, t]));
  const backbones = new Map([backbone, ...(control ? [control] : [])].map((b) => [b.name, b]));
  let world: Promise<UnitWorld> | undefined;
  // Made when the first unit needs it: a run with nothing to do starts no second engine.
  const lazily =
    (make: (world: UnitWorld) => Executor): Executor =>
    async (context) => {
      world ??= createOnnxRuntime({ threads: 1 }).then((loading) => ({ engine, loading, tasks: byName, backbones }));
      return make(await world)(context);
    };
  return {
    extract: lazily(extractExecutor),
    probe: lazily(probeExecutor),
    train: lazily(trainExecutor),
    score: scoreExecutor(byName),
  };
}
