/**
 * Does what a plan asks for and is not done yet, one unit at a time (a unit uses every core), in an order in which
 * needs come first. Several processes may work on one folder: a unit is taken by a lock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from './budget.js';
import { type RunFolder, resultOf, type UnitRecord } from './folder.js';
import { closure, coresOf, type Json, jsonOf, type Plan, type Unit, type UnitKind, usesEngine } from './plan.js';

/** What an executor gets beside its inputs. */
export interface UnitContext {
  readonly unit: Unit;
  /** The unit's own folder; exists. Left-overs of a killed attempt may lie in it. */
  readonly folder: string;
  readonly run: RunFolder;
  /** Records of the units that it reads, in the order of `unit.reads`. */
  readonly needs: readonly UnitRecord[];
  /** Reports how far it is, 0 to 1. */
  progress(share: number, note?: string): void;
  /** Asks for an end: training leaves a checkpoint and throws. */
  readonly signal?: AbortSignal | undefined;
}

/** Does units of one kind. */
export interface Executor {
  readonly kind: string;
  /** @returns the unit's result */
  run(context: UnitContext): Promise<Json>;
}

/** An executor that is handed the inputs of its kind and returns its result. */
export function executor<I, R>(kind: UnitKind<I, R>, work: (inputs: I, context: UnitContext) => Promise<R>): Executor {
  return {
    kind: kind.name,
    run: async (context) => jsonOf(await work(kind.inputs.parse(context.unit.inputs), context)),
  };
}

/** Results of the needs that are of this kind, in order. */
export function needsOf<R>(kind: UnitKind<unknown, R>, { needs }: Pick<UnitContext, 'needs'>): R[] {
  return needs.flatMap((record) => (record.kind === kind.name ? [resultOf(kind, record)] : []));
}

/** What the runner tells an observer. */
export interface StudyView {
  /** Before the first unit. */
  begin(units: readonly Unit[], done: ReadonlyMap<string, UnitRecord>): void;
  /** A unit begins. */
  start(unit: Unit): void;
  /** How far a unit is, 0 to 1. */
  progress(unit: Unit, share: number, note?: string): void;
  /** A unit is done. */
  done(unit: Unit, record: UnitRecord): void;
  /** Another process finished it. */
  elsewhere(unit: Unit, record: UnitRecord): void;
  /** A unit failed. */
  failed(unit: Unit, error: string): void;
  /** A unit waits for another process. */
  waiting(unit: Unit): void;
  /** After the last unit. */
  end(outcome: RunOutcome): void;
}

/** Which units are done, and how. */
export interface RunOptions {
  /** Only these units and what they need; all by default. */
  only?: ReadonlySet<string>;
  /** Nothing that these need is done: it is taken from the folder, or they are not run. */
  strictly?: boolean;
  /** Units to do before the others, where several processes do all of them. */
  first?: ReadonlySet<string>;
  versions?: Readonly<Record<string, string>>;
  /** No unit is begun that it has no room for. */
  budget?: Budget;
  /** Of the engine: cores of the units that run on it. */
  threads?: number;
  /** Of the engine: a unit that runs on it has them for itself. */
  accelerators?: readonly string[];
  view?: StudyView;
  /** No unit is begun after it; one that stops for it has not failed. */
  signal?: AbortSignal | undefined;
}

export type UnitState = 'done' | 'failed' | 'not run';

/** How units stand, whoever did them. */
export interface Outcome {
  readonly states: ReadonlyMap<string, UnitState>;
  readonly records: ReadonlyMap<string, UnitRecord>;
  /** One sentence per failed unit, and per unit not run the label of the failed unit that it needs. */
  readonly errors: ReadonlyMap<string, string>;
}

/** What became of a plan's units. */
export interface RunOutcome extends Outcome {
  readonly units: { total: number; done: number; failed: number; cached: number };
}

const waitMilliseconds = 300;
const unbounded: Budget = { take: async () => () => undefined };

/** Runs `plan` in `folder`. Failures of units are part of the outcome; only a broken folder throws. */
export async function runPlan(
  plan: Plan,
  folder: RunFolder,
  executors: readonly Executor[],
  {
    only,
    strictly = false,
    first,
    versions = {},
    budget = unbounded,
    threads = 1,
    accelerators = [],
    view,
    signal,
  }: RunOptions = {},
): Promise<RunOutcome> {
  await folder.create();
  const wanted = only ? closure(plan, only) : new Set(plan.units.map((u) => u.id));
  const units = plan.units.filter((u) => wanted.has(u.id));
  if (first) units.sort((a, b) => Number(first.has(b.id)) - Number(first.has(a.id)));
  const run = new PlanRun(units, folder, executors, versions, budget, { threads, accelerators }, view, signal);
  await run.takeDone(strictly ? only : undefined);
  for (;;) {
    const step = await run.next();
    if (step === 'worked') continue;
    if (step === 'finished') return run.end();
    await sleep(waitMilliseconds);
  }
}

/** One process at work on the units of a plan. */
class PlanRun {
  /** Failures of earlier attempts, as they were found: the clocks of machines are not compared. */
  readonly #failedBefore = new Map<string, string>();
  readonly #states = new Map<string, UnitState>();
  readonly #records = new Map<string, UnitRecord>();
  readonly #errors = new Map<string, string>();
  #cached = 0;

  constructor(
    readonly units: readonly Unit[],
    readonly folder: RunFolder,
    readonly executors: readonly Executor[],
    readonly versions: Readonly<Record<string, string>>,
    readonly budget: Budget,
    readonly engine: Required<Pick<RunOptions, 'threads' | 'accelerators'>>,
    readonly view: StudyView | undefined,
    readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * Takes over what the folder holds.
   * @param only units that may be done, where not all may
   */
  async takeDone(only?: ReadonlySet<string>): Promise<void> {
    for (const unit of this.units) {
      const record = await this.folder.record(unit.id);
      if (record) this.#finish(unit, record);
      else if (only && !only.has(unit.id)) this.#states.set(unit.id, 'not run');
      else this.#failedBefore.set(unit.id, JSON.stringify(await this.folder.failure(unit.id)));
    }
    this.#cached = this.#records.size;
    this.view?.begin(this.units, this.#records);
  }

  /** Does the first unit that can be done; 'waiting' when other processes hold all that are left. */
  async next(): Promise<'worked' | 'waiting' | 'finished'> {
    let waiting: Unit | undefined;
    let elsewhere = false;
    for (const unit of this.units) {
      if (this.signal?.aborted) return 'finished';
      if (this.#states.has(unit.id) || this.#isBlocked(unit)) continue;
      if (unit.needs.some((id) => this.#states.get(id) !== 'done')) continue;
      const step = await this.#take(unit);
      // What another process finished meanwhile may come first: start over.
      if (step === 'worked') return step;
      if (step === 'elsewhere') elsewhere = true;
      else waiting ??= unit;
    }
    if (elsewhere) return 'worked';
    if (!waiting) return 'finished';
    this.view?.waiting(waiting);
    return 'waiting';
  }

  end(): RunOutcome {
    const outcome: RunOutcome = {
      states: this.#states,
      records: this.#records,
      errors: this.#errors,
      units: {
        total: this.units.length,
        done: this.#records.size,
        failed: [...this.#states.values()].filter((s) => s === 'failed').length,
        cached: this.#cached,
      },
    };
    this.view?.end(outcome);
    return outcome;
  }

  #finish(unit: Unit, record: UnitRecord): void {
    this.#states.set(unit.id, 'done');
    this.#records.set(unit.id, record);
  }

  #fail(unit: Unit, error: string): void {
    this.#states.set(unit.id, 'failed');
    this.#errors.set(unit.id, error);
  }

  /** Marks a unit whose need cannot be had. */
  #isBlocked(unit: Unit): boolean {
    const blocker = unit.needs.find((id) => ['failed', 'not run'].includes(this.#states.get(id) ?? ''));
    if (blocker === undefined) return false;
    this.#states.set(unit.id, 'not run');
    this.#errors.set(unit.id, `needs '${this.units.find((u) => u.id === blocker)?.label}'`);
    return true;
  }

  /** Does a unit under its lock, unless another process does or did, or there is no room for it. */
  async #take(unit: Unit): Promise<'worked' | 'elsewhere' | 'held'> {
    const { threads, accelerators } = this.engine;
    const giveBack = await this.budget.take({
      bytes: unit.memory,
      cores: coresOf(unit, threads),
      accelerators: usesEngine(unit) ? accelerators : [],
    });
    const lock = giveBack && (await this.folder.lock(unit.id));
    try {
      // Another process may have finished, or failed, between our look and our lock.
      const record = await this.folder.record(unit.id);
      if (record) {
        this.#finish(unit, record);
        this.view?.elsewhere(unit, record);
        return 'elsewhere';
      }
      if (!lock) return 'held';
      const failure = await this.folder.failure(unit.id);
      if (failure && JSON.stringify(failure) !== this.#failedBefore.get(unit.id)) this.#fail(unit, failure.error);
      else await this.#execute(unit);
      return 'worked';
    } finally {
      await lock?.release();
      giveBack?.();
    }
  }

  async #execute(unit: Unit): Promise<void> {
    this.view?.start(unit);
    const before = performance.now();
    try {
      const work = this.executors.find((e) => e.kind === unit.kind.name);
      if (!work) throw new Error(`nothing here can do a unit of kind '${unit.kind.name}'`);
      const result = await work.run({
        unit,
        folder: this.folder.unit(unit.id),
        run: this.folder,
        needs: unit.reads.map((id) => this.#records.get(id) as UnitRecord),
        progress: (share, note) => this.view?.progress(unit, share, note),
        signal: this.signal,
      });
      const record: UnitRecord = {
        id: unit.id,
        kind: unit.kind.name,
        label: unit.label,
        inputs: unit.inputs,
        needs: unit.reads,
        result,
        seconds: (performance.now() - before) / 1000,
        finishedAt: new Date().toISOString(),
        versions: this.versions,
      };
      await this.folder.writeRecord(record);
      this.#finish(unit, record);
      this.view?.done(unit, record);
    } catch (error) {
      if (this.signal?.aborted) return;
      const failure = await this.folder.writeFailure(unit, error);
      this.#fail(unit, failure.error);
      this.view?.failed(unit, failure.error);
    }
  }
}
