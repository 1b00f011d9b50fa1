/** Every file of a store against what meta.json says of it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FileStamps } from './file-stamps.js';
import type { FeatureStore } from './store.js';

/** A file of a store that is not what was written. */
export interface StoreFault {
  /** Relative to the store. */
  readonly file: string;
  readonly fault: 'missing' | 'damaged' | 'not hashed';
}

/** Hashes all feature files anew. A store of 0.1 has no hashes: its files are there or not. */
export function verifyStore({ directory, meta }: FeatureStore): { files: number; faults: StoreFault[] } {
  const stamps = new FileStamps(directory, true);
  const faults: StoreFault[] = [];
  let files = 0;
  for (const tap of meta.taps) {
    for (const [split, file] of Object.entries(tap.file)) {
      files++;
      const sha256 = tap.sha256?.[split];
      if (!existsSync(join(directory, file))) faults.push({ file, fault: 'missing' });
      else if (sha256 === undefined) faults.push({ file, fault: 'not hashed' });
      else if (!stamps.isIntact(file, sha256)) faults.push({ file, fault: 'damaged' });
    }
  }
  return { files, faults };
}
