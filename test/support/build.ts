/** The program as it is shipped, put together once for all tests that start it: Node loads the sources five times as long. */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundle } from '../../scripts/bundle.mjs';

export default async function setup(): Promise<() => void> {
  // Below the package's folder, where it finds its assets.
  const folder = resolve('node_modules/.cache', `toehold-tests-${process.pid}`);
  await bundle(folder);
  process.env.TOEHOLD_TESTED = join(folder, 'cli/main.js');
  return () => rmSync(folder, { recursive: true, force: true });
}
