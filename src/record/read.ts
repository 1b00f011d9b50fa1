/** Records from files: checked, and brought to the current version. */
import { join } from 'node:path';
import * as z from 'zod';
import { given, readJson, UserError } from '../base/index.js';
import { domainAffinityOf } from './affinity.js';
import { answerOf } from './answer.js';
import { balanceWarnings } from './balance.js';
import type { MethodCard } from './cards.js';
import { measurementsOf, Pairing } from './comparisons.js';
import { layerCopyAnswer, withEffects } from './layer-copy/index.js';
import { networkSentences } from './network-words.js';
import { type Measured, type RunRecord, RunRecord as schema } from './schema.js';
import { upgradeV1 } from './v1.js';

/** Name of the record in a run or probe folder. */
export const recordFile = 'record.json';
/** Its name up to version 0.1. */
const oldFile = 'study.json';

/** Measurements with their answer: the whole record. @throws UserError naming the field that is wrong */
export function recordOf(measured: Measured): RunRecord {
  const bare = check(schema.omit({ answer: true }), measured, 'the record');
  const measurements = measurementsOf(bare);
  const pairing = new Pairing(measurements, bare.methods);
  const main = new Map(measurements.map((m) => [m.task, m]));
  const labelOf = (id: string) => bare.methods.find((m) => m.id === id)?.label ?? id;
  const weighted = weighs(bare.run.config);
  const tasks = bare.tasks.map(({ domainAffinity: _, ...task }) => {
    const measurement = main.get(task.task);
    const unbalanced = balanceWarnings(task, { labelOf, weighted });
    const warnings = [...new Set([...task.warnings, ...unbalanced])];
    const affinity = measurement && domainAffinityOf(measurement, pairing, bare.methods);
    return { ...task, warnings, ...given({ domainAffinity: affinity }) };
  });
  const layerCopy = bare.layerCopy && withEffects(bare.layerCopy);
  const answer = layerCopy ? layerCopyAnswer(layerCopy, bare.margin) : answerOf({ ...bare, tasks });
  const networks = networkSentences({ ...bare, tasks, answer });
  const own = networks ? { headline: networks.headline, deck: [...networks.deck, ...answer.deck] } : {};
  return check(schema, { ...bare, tasks, ...given({ layerCopy }), answer: { ...answer, ...own } }, 'the record');
}

/** Whether classes counted alike in the probes of a run: of a probe's options, or of a study's config. */
function weighs(config: Measured['run']['config']): boolean {
  const found = z.looseObject({ classWeight: z.string().optional() }).optional();
  const { data } = z.looseObject({ options: found, probe: found }).safeParse(config);
  return [data?.options, data?.probe].some((part) => part?.classWeight === 'balanced');
}

/** The same measurements with the answer that another margin gives. @param margin in points */
export function withMargin({ answer: _, ...measured }: RunRecord, margin: number): RunRecord {
  return recordOf({ ...measured, margin: margin / 100 });
}

/**
 * A record of any version as the current one.
 * @param cards what methods are drawn with where the record carries no cards (version 1)
 * @throws UserError naming the field that is wrong
 */
export function parseRecord(value: unknown, where: string, cards: readonly MethodCard[] = []): RunRecord {
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > 2)
    throw new UserError(`${where}: written by a newer toehold (record version ${version}); update toehold to read it`);
  return version === 1 ? recordOf(upgradeV1(value, where, cards)) : check(schema, value, where);
}

/** Reads the record of a run or probe folder; see parseRecord. @throws WorkError when it is cut off */
export async function readRecord(folder: string, cards: readonly MethodCard[] = []): Promise<RunRecord> {
  for (const name of [recordFile, oldFile]) {
    const path = join(folder, name);
    const value = await readJson(path, 'run the command that wrote it again');
    if (value === undefined) continue;
    return parseRecord(value, path, cards);
  }
  throw new UserError(
    `${join(folder, recordFile)} is missing: ${folder} was not written by "toehold run -o" or "toehold probe -o"`,
  );
}

function check<T extends z.ZodType>(type: T, value: unknown, where: string): z.output<T> {
  const parsed = type.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(
    `${where}: ${issue?.path.join('.') || 'the record'}: ${issue?.message ?? z.prettifyError(parsed.error)}; run the command that wrote it again`,
  );
}
