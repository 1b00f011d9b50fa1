/** A plan for other programs: every unit, what it needs and leaves, what it will cost, and the command that does it. */
import { coresOf, type Plan } from '../plan.js';
import { quoted } from './script.js';

export interface PlannedUnit {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  /** Ids. */
  readonly needs: readonly string[];
  /** Files, relative to the run folder. The first one is there if and only if the unit is done. */
  readonly outputs: readonly string[];
  readonly threads: number;
  /** Expected. */
  readonly seconds: number;
  readonly megabytes: number;
  /** A line of a shell, to be run in any folder. */
  readonly command: string;
}

export interface PlanFile {
  readonly format: 'toehold-plan';
  readonly version: 1;
  /** Absolute path of the run folder. */
  readonly run: string;
  readonly units: readonly PlannedUnit[];
  /** What writes record and report, when units have ended: a line of a shell. */
  readonly assemble: string;
}

export interface PlanFileOptions {
  readonly folder: string;
  readonly threads: number;
  /** Words before the ids of units, and those that assemble. */
  readonly unitCommand: readonly string[];
  readonly assembleCommand: readonly string[];
}

export function planFile(plan: Plan, { folder, threads, unitCommand, assembleCommand }: PlanFileOptions): PlanFile {
  const line = (words: readonly string[]) => words.map(quoted).join(' ');
  return {
    format: 'toehold-plan',
    version: 1,
    run: folder,
    units: plan.units.map(({ id, kind, label, needs, outputs, seconds, memory, inputs }) => ({
      id,
      kind: kind.name,
      label,
      needs,
      outputs: ['record.json', ...outputs].map((file) => `units/${id}/${file}`),
      threads: coresOf({ inputs }, threads),
      seconds: Number(seconds.toPrecision(3)),
      megabytes: Math.ceil(memory / 1e6),
      command: line([...unitCommand, id]),
    })),
    assemble: line(assembleCommand),
  };
}
