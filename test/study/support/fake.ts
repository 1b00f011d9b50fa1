/** A study whose units cost nothing: numbers that depend on their inputs and needs alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Random, sha256 } from '../../../src/base/index.js';
import { type Executor, executor, type Plan, PlanBuilder, type UnitKind } from '../../../src/study/index.js';

interface FakeInputs {
  readonly task?: number | undefined;
  readonly method?: number | undefined;
  readonly engine?: { readonly threads: number } | undefined;
}
interface FakeResult {
  readonly value: number;
  readonly of: string;
}

/** A kind of unit that may be anything. */
export function fakeKind(name: string): UnitKind<FakeInputs, FakeResult> {
  return {
    name,
    inputs: z.object({
      task: z.int().optional(),
      method: z.int().optional(),
      engine: z.object({ threads: z.int() }).optional(),
    }),
    result: z.object({ value: z.number(), of: z.string() }),
  };
}
const extraction = fakeKind('extract');
const probe = fakeKind('probe');
const scoring = fakeKind('score');

/** Tasks x (extract -> probes -> score): a diamond per task. */
export function fakePlan(tasks = 4, probes = 3): Plan {
  const plan = new PlanBuilder();
  for (let t = 0; t < tasks; t++) {
    const extract = plan.add(extraction, { label: `task ${t}: extract`, inputs: { task: t }, seconds: 2 });
    const parts = Array.from({ length: probes }, (_, m) =>
      plan.add(probe, {
        label: `task ${t}: probe ${m}`,
        inputs: { task: t, method: m },
        needs: [extract],
        seconds: 1,
      }),
    );
    plan.add(scoring, { label: `task ${t}: score`, inputs: { task: t }, needs: parts, seconds: 0.1 });
  }
  return plan.build();
}

export interface FakeOptions {
  milliseconds?: number;
  /** Labels of units that fail. */
  failing?: readonly string[];
  /** Called with every unit's label as it starts. */
  onStart?: (label: string) => void;
}

export function fakeExecutors({ milliseconds = 0, failing = [], onStart }: FakeOptions = {}): Executor[] {
  return [extraction, probe, scoring].map((kind) =>
    executor(kind, async (_, { unit, needs, progress }) => {
      onStart?.(unit.label);
      for (let step = 0; step < 3 && milliseconds > 0; step++) {
        progress(step / 3);
        await sleep(milliseconds / 3);
      }
      if (failing.includes(unit.label)) throw new Error(`${unit.label} cannot be`);
      return {
        value: new Random(unit.id).uniform(),
        of: sha256(JSON.stringify(needs.map((r) => r.result))).slice(0, 8),
      };
    }),
  );
}
