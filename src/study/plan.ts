/**
 * A plan is a directed acyclic graph of units of work. A unit's id is the hash of everything that determines its
 * result, the ids of the units whose results it reads included: equal work has equal ids, in every run and on every machine.
 */
import type { z } from 'zod';
import { canonicalJson, sha256 } from '../base/index.js';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * A kind of unit: what it is called, and the shapes of its inputs and of its result. Whatever is read back from JSON goes
 * through these shapes.
 */
export interface UnitKind<I, R> {
  readonly name: string;
  readonly inputs: z.ZodType<I>;
  readonly result: z.ZodType<R>;
}

/** A unit of work that leaves an R. */
export interface Unit<R = unknown> {
  readonly id: string;
  readonly kind: UnitKind<unknown, R>;
  /** What people read: 'gtsrb: fine-tune, lr 0.01, seed 0'. */
  readonly label: string;
  /** All that determines the result, beside what it reads. */
  readonly inputs: Json;
  /** Ids of the units that must be done before it. */
  readonly needs: readonly string[];
  /** Those of them whose results it reads; the others only leave less to do. */
  readonly reads: readonly string[];
  /** Files it leaves in its folder, beside record.json. */
  readonly outputs: readonly string[];
  /** Expected seconds on two cores. */
  readonly seconds: number;
  /** Expected bytes of the process that does it. */
  readonly memory: number;
  /** Where its inputs lie: needed to run, not part of what determines the result. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Cores that a unit keeps busy: those of the engine, where it runs a network or a solver on one. */
export const coresOf = (unit: Pick<Unit, 'inputs'>, threads: number): number => (usesEngine(unit) ? threads : 1);

/** Whether it runs a network, or a solver, on the engine. */
export const usesEngine = ({ inputs }: Pick<Unit, 'inputs'>): boolean =>
  inputs !== null && typeof inputs === 'object' && 'engine' in inputs;

/** Units of work and what each needs. */
export interface Plan {
  /** In an order in which every unit comes after what it needs. */
  readonly units: readonly Unit[];
}

/** A process with the engine and small tables. */
export const processBytes = 1e9;

export interface UnitOptions<I> {
  label: string;
  inputs: I;
  /** Units whose results it reads. */
  needs?: readonly Unit[];
  /** Units that must be done before it, and decide nothing of its result: no part of its id. */
  after?: readonly Unit[];
  outputs?: readonly string[];
  seconds?: number;
  memory?: number;
  sources?: Readonly<Record<string, string>>;
}

const idsOf = (units: readonly Unit[]): string[] => units.map(({ id }) => id);

/** The id of a unit with these inputs, which reads what these units leave. */
export function unitId<I>(kind: UnitKind<I, unknown>, inputs: I, needs: readonly Unit[] = []): string {
  const content = canonicalJson({ kind: kind.name, inputs: jsonOf(inputs), needs: idsOf(needs) });
  return `${kind.name}-${sha256(content).slice(0, 16)}`;
}

/** Collects units; the same unit asked for twice is one. */
export class PlanBuilder {
  readonly #units = new Map<string, Unit>();

  /** Adds a unit, or returns the one that is the same. @returns what others name it by */
  add<I, R>(
    kind: UnitKind<I, R>,
    {
      label,
      inputs,
      needs = [],
      after = [],
      outputs = [],
      seconds = 0,
      memory = processBytes,
      sources = {},
    }: UnitOptions<I>,
  ): Unit<R> {
    for (const need of [...needs, ...after]) {
      if (this.#units.get(need.id) !== need)
        throw new Error(`${label} needs '${need.label}', which is not in the plan`);
    }
    const reads = idsOf(needs);
    const id = unitId(kind, inputs, needs);
    const order = [...reads, ...idsOf(after)];
    const unit: Unit<R> = {
      id,
      kind,
      label,
      inputs: jsonOf(inputs),
      needs: order,
      reads,
      outputs,
      seconds,
      memory,
      sources,
    };
    const known = this.#units.get(id);
    // Its id holds the kind, so what is known leaves an R too.
    if (known) return known as Unit<R>;
    this.#units.set(id, unit);
    return unit;
  }

  /** The plan of what was added. */
  build(): Plan {
    return { units: [...this.#units.values()] };
  }
}

/** A value as JSON has it: undefined entries gone, typed arrays as lists. */
export function jsonOf(value: unknown): Json {
  const text = JSON.stringify(value, (_, v: unknown) => (ArrayBuffer.isView(v) ? Array.from(v as Float64Array) : v));
  return JSON.parse(text) as Json;
}

/** Units that `ids` need, directly or not, themselves included. */
export function closure(plan: Plan, ids: Iterable<string>): Set<string> {
  const wanted = new Set(ids);
  for (const unit of [...plan.units].reverse()) {
    if (wanted.has(unit.id)) for (const need of unit.needs) wanted.add(need);
  }
  return wanted;
}

/** Counts and expected seconds by kind, for --dry-run. */
export function summarise(plan: Plan): { kind: string; units: number; seconds: number }[] {
  const kinds = new Map<string, { kind: string; units: number; seconds: number }>();
  for (const { kind, seconds } of plan.units) {
    const row = kinds.get(kind.name) ?? { kind: kind.name, units: 0, seconds: 0 };
    kinds.set(kind.name, { ...row, units: row.units + 1, seconds: row.seconds + seconds });
  }
  return [...kinds.values()];
}
