/** Files that come with the package: assets, the manifest. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Wherever a bundler has put the code that asks.
 * @param path from the package's folder: 'assets/report/page.css'
 * @returns its absolute path
 */
export function ownFile(path: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, path);
}
