/** Versions of what a result depends on. */
import { packageVersion } from '../base/index.js';
import type { Engine } from './engine.js';

export function versionsOf(engine: Engine): Record<string, string> {
  return { toehold: packageVersion(), node: process.versions.node, engine: engine.name };
}
