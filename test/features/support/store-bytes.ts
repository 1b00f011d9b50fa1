/** What two stores that are to be the same are compared by. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from '../../../src/base/index.js';

/** sha256 of every file of a finished store. */
export async function storeBytes(root: string): Promise<Record<string, string>> {
  const files = (await readdir(root, { recursive: true })).filter((f) => /(\.npy|meta\.json)$/.test(f)).sort();
  return Object.fromEntries(await Promise.all(files.map(async (f) => [f, await sha256File(join(root, f))] as const)));
}
