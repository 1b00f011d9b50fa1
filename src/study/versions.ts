/** Versions of what a result depends on. */
import { readFileSync } from 'node:fs';
import type { Engine } from '../engine/index.js';

export function versionsOf(engine: Engine): Record<string, string> {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return { toehold: manifest.version, node: process.versions.node, engine: engine.name };
}
