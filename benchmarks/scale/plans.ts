/** Plans of the papers' size, and the bytes that their units read and write. */
import { z } from 'zod';
import { type Plan, PlanBuilder, type Unit, type UnitKind } from '../../src/study/index.js';

const kind = (name: string): UnitKind<{ what: string }, unknown> => ({
  name,
  inputs: z.object({ what: z.string() }),
  result: z.unknown(),
});
const kinds = {
  extract: kind('extract'),
  probe: kind('probe'),
  trial: kind('trial'),
  train: kind('train'),
  score: kind('score'),
};

/**
 * Kornblith et al. (2019): 16 networks on 12 data sets, each cell a probe, 49 settings tried by fine-tuning and as many from
 * scratch on a part of the cells, and the trainings that these choose. Seconds as on a node with a GPU: from the networks'
 * multiply-adds and the data sets' sizes, both spread over a factor of ten.
 */
export function kornblithPlan(networks = 16, tasks = 12, settings = 49): Plan {
  const plan = new PlanBuilder();
  const add = (of: keyof typeof kinds, what: string, seconds: number, needs: Unit[] = []) =>
    plan.add(kinds[of], { label: `${what}: ${of}`, inputs: { what: `${of} ${what}` }, seconds, needs });
  for (let n = 0; n < networks; n++) {
    for (let t = 0; t < tasks; t++) {
      const cell = `network ${n}, task ${t}`;
      const scale = 10 ** (n / (networks - 1)) * 10 ** (((t * 7) % tasks) / (tasks - 1));
      const extract = add('extract', cell, 6 * scale);
      const probe = add('probe', cell, 4 * scale, [extract]);
      add('score', `${cell}, probe`, 0.01, [probe]);
      const trials = Array.from({ length: settings }, (_, i) => add('trial', `${cell}, ${i}`, 40 * scale));
      const train = add('train', cell, 50 * scale, trials);
      add('score', `${cell}, training`, 0.01, [train]);
    }
  }
  return plan.build();
}

/** Of a run's plan, as it lies in the run folder. */
export interface Bytes {
  /** Left in the run folder. */
  readonly written: number;
  /** Read from it by jobs that did not write it. */
  readonly read: number;
}

const record = 5e3;

/** @param outputs bytes of a unit's outputs beside its record */
export function bytesOf(plan: Plan, placeOf: (id: string) => number, outputs: (unit: Unit) => number): Bytes {
  const sizes = new Map(plan.units.map((unit) => [unit.id, record + outputs(unit)]));
  let [written, read] = [0, 0];
  for (const unit of plan.units) {
    written += sizes.get(unit.id) ?? 0;
    for (const need of unit.needs) if (placeOf(need) !== placeOf(unit.id)) read += sizes.get(need) ?? 0;
  }
  return { written, read };
}
