/** Training curves of a study: every unit that trains keeps the epochs of its run beside its record. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/index.js';
import type { Curve, EpochRecord } from '../transfer/index.js';
import { RunFolder } from './folder.js';
import type { Plan } from './plan.js';
import type { UnitContext } from './runner.js';

/** As `toehold train` names it. */
const curveFile = 'log.jsonl';

/** Keeps the epochs of a unit's run in its folder. */
export function keepCurve({ folder }: Pick<UnitContext, 'folder'>, epochs: readonly EpochRecord[]): Promise<void> {
  return writeFileAtomic({ root: folder, file: curveFile }, epochs.map((e) => `${JSON.stringify(e)}\n`).join(''));
}

/** Curves of the plan's units that are done, in its order; units of earlier versions kept none. */
export async function curvesOf(plan: Plan, folder: string): Promise<Curve[]> {
  const run = new RunFolder(folder);
  const curves: Curve[] = [];
  for (const { id, label } of plan.units) {
    const [record, text] = await Promise.all([
      run.record(id),
      readFile(join(run.unit(id), curveFile), 'utf8').catch(() => ''),
    ]);
    if (!record || text === '') continue;
    const epochs = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as EpochRecord);
    const { settings = {} } = record.result as { settings?: Record<string, unknown> };
    const { method, seed } = record.inputs as { method?: string; seed?: number };
    const all = Object.entries({ method, seed, ...settings }).flatMap(([key, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value)
        ? [[key, value as string | number | boolean] as const]
        : [],
    );
    curves.push({
      name: label,
      epochs,
      settings: Object.fromEntries(all),
      end: {},
      time: Date.parse(record.finishedAt),
    });
  }
  return curves;
}
