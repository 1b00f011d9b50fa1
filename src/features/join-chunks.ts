/** The chunks of a finished pass as the files of a store. */
import { WorkError } from '../base/index.js';
import type { PassPlan } from './chunk-pass.js';
import { FileStamps } from './file-stamps.js';
import { type JoinedSplit, SplitChunks, tapFile } from './split-chunks.js';
import type { StoredTap } from './store.js';
import type { PooledTap } from './tapped.js';

/** Files that are put together at the same time. */
const writersAtOnce = 4;

export interface Joined {
  readonly taps: readonly StoredTap[];
  readonly splits: ReadonlyMap<string, JoinedSplit>;
}

/** Joins the chunks of a finished pass to one file per split and tap. */
export async function joinChunks(output: string, plan: PassPlan, taps: readonly PooledTap[]): Promise<Joined> {
  const constant = new Map<string, number[]>();
  const stamps = new FileStamps(output);
  const hashes = new Map<string, Record<string, string>>(taps.map((tap) => [tap.name, {}]));
  const splits = new Map<string, JoinedSplit>();
  for (const { name, files } of plan.splits) {
    const chunks = await SplitChunks.open(plan, name, files.length);
    try {
      if (chunks.rows.length === 0) throw new WorkError(`no readable image is left in split '${name}'`);
      splits.set(name, { rows: chunks.rows, bad: chunks.bad });
      // Several at once: each waits for the disk most of the time.
      const queue = [...taps];
      const writer = async () => {
        for (let tap = queue.shift(); tap; tap = queue.shift()) {
          const found = await chunks.write(tap, { root: output, file: tapFile(name, tap.alias) });
          // Constancy is judged on the first split, which is train where there is one.
          if (!constant.has(tap.name)) constant.set(tap.name, found.constant);
          Object.assign(hashes.get(tap.name) ?? {}, { [name]: found.sha256 });
          stamps.note(tapFile(name, tap.alias), found.sha256);
        }
      };
      const writers = Array.from({ length: writersAtOnce }, writer);
      await Promise.allSettled(writers);
      await Promise.all(writers);
    } finally {
      await chunks.close();
    }
  }
  return {
    splits,
    taps: taps.map(({ standard, layout: { grid, ...layout }, ...tap }) => ({
      ...tap,
      layout: { ...layout, ...(grid && { grid: [...grid] as [number, number] }) },
      shape: [...tap.shape],
      pieces: tap.pieces.map((piece) => ({ ...piece, grid: [...piece.grid] as [number, number] })),
      constant: constant.get(tap.name) ?? [],
      file: Object.fromEntries(plan.splits.map(({ name }) => [name, tapFile(name, tap.alias)])),
      sha256: Object.fromEntries(plan.splits.map(({ name }) => [name, hashes.get(tap.name)?.[name] as string])),
    })),
  };
}
