/**
 * Does what a plan asks for and is not done yet, one unit at a time (a unit uses every core), in an order in which
 * needs come first. Several processes may work on one folder: a unit is taken by a lock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunFolder, UnitRecord } from './folder.js';
import { closure, type Json, type Plan, type Unit } from './plan.js';
import type { StudyView } from './view.js';

/** What an executor gets. */
export interface UnitContext {
  readonly unit: Unit;
  /** The unit's own folder; exists. Left-overs of a killed attempt may lie in it. */
  readonly folder: string;
  readonly run: RunFolder;
  /** Records of the units it needs, in the order of `unit.needs`. */
  readonly needs: readonly UnitRecord[];
  /** Reports how far it is, 0 to 1. */
  progress(share: number, note?: string): void;
}

/** Does a unit and returns the result that goes into its record. */
export type Executor = (context: UnitContext) => Promise<Json>;
export type Executors = Readonly<Record<string, Executor>>;

export interface RunOptions {
  /** Only these units and what they need; all by default. */
  only?: ReadonlySet<string>;
  versions?: Readonly<Record<string, string>>;
  view?: StudyView;
}

export type UnitState = 'done' | 'failed' | 'not run';

export interface RunOutcome {
  readonly states: ReadonlyMap<string, UnitState>;
  readonly records: ReadonlyMap<string, UnitRecord>;
  /** One sentence per failed unit, and per unit not run the label of the failed unit that it needs. */
  readonly errors: ReadonlyMap<string, string>;
  readonly units: { total: number; done: number; failed: number; cached: number };
}

const waitMilliseconds = 300;

/** Runs `plan` in `folder`. Failures of units are part of the outcome; only a broken folder throws. */
export async function runPlan(
  plan: Plan,
  folder: RunFolder,
  executors: Executors,
  { only, versions = {}, view }: RunOptions = {},
): Promise<RunOutcome> {
  await folder.create();
  const started = new Date().toISOString();
  const wanted = only ? closure(plan, only) : new Set(plan.units.map((u) => u.id));
  const units = plan.units.filter((u) => wanted.has(u.id));
  const states = new Map<string, UnitState>();
  const records = new Map<string, UnitRecord>();
  const errors = new Map<string, string>();

  const finish = (unit: Unit, record: UnitRecord) => {
    states.set(unit.id, 'done');
    records.set(unit.id, record);
  };
  for (const unit of units) {
    const record = await folder.record(unit.id);
    if (record) finish(unit, record);
  }
  const cached = records.size;
  view?.begin(units, records);

  for (;;) {
    let worked = false;
    let waiting: Unit | undefined;
    for (const unit of units) {
      if (states.has(unit.id)) continue;
      const blocker = unit.needs.find((id) => states.get(id) === 'failed' || states.get(id) === 'not run');
      if (blocker !== undefined) {
        states.set(unit.id, 'not run');
        errors.set(unit.id, `needs '${plan.units.find((u) => u.id === blocker)?.label}'`);
        continue;
      }
      if (unit.needs.some((id) => states.get(id) !== 'done')) continue;
      const lock = await folder.lock(unit.id);
      // Another process may have finished, or failed, between our look and our lock.
      const record = await folder.record(unit.id);
      if (record) {
        finish(unit, record);
        view?.elsewhere(unit, record);
        await lock?.release();
        worked = true;
        continue;
      }
      if (!lock) {
        waiting ??= unit;
        continue;
      }
      try {
        const failure = await folder.failure(unit.id);
        if (failure && failure.failedAt > started) {
          states.set(unit.id, 'failed');
          errors.set(unit.id, failure.error);
        } else {
          await execute(unit);
        }
      } finally {
        await lock.release();
      }
      worked = true;
      // Start over: what another process finished meanwhile may come first.
      break;
    }
    if (worked) continue;
    if (!waiting) break;
    view?.waiting(waiting);
    await sleep(waitMilliseconds);
  }
  const outcome: RunOutcome = {
    states,
    records,
    errors,
    units: {
      total: units.length,
      done: records.size,
      failed: [...states.values()].filter((s) => s === 'failed').length,
      cached,
    },
  };
  view?.end(outcome);
  return outcome;

  async function execute(unit: Unit): Promise<void> {
    view?.start(unit);
    const before = performance.now();
    try {
      const executor = executors[unit.kind];
      if (!executor) throw new Error(`nothing here can do a unit of kind '${unit.kind}'`);
      const result = await executor({
        unit,
        folder: folder.unit(unit.id),
        run: folder,
        needs: unit.needs.map((id) => records.get(id) as UnitRecord),
        progress: (share, note) => view?.progress(unit, share, note),
      });
      const record: UnitRecord = {
        id: unit.id,
        kind: unit.kind,
        label: unit.label,
        inputs: unit.inputs,
        needs: unit.needs,
        result,
        seconds: (performance.now() - before) / 1000,
        finishedAt: new Date().toISOString(),
        versions,
      };
      await folder.writeRecord(record);
      finish(unit, record);
      view?.done(unit, record);
    } catch (error) {
      const failure = await folder.writeFailure(unit, error);
      states.set(unit.id, 'failed');
      errors.set(unit.id, failure.error);
      view?.failed(unit, failure.error);
    }
  }
}
