/** The version of this package. */
import { readFileSync } from 'node:fs';
import { ownFile } from './own-file.js';

export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(ownFile('package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
