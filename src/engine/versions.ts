/** Versions of what a result depends on. */
import { given, packageCommit, packageVersion } from '../base/index.js';
import type { Engine } from './engine.js';

/** Versions of toehold (its commit too), Node and the engine, for records. */
export function versionsOf(engine: Engine): Record<string, string> {
  const { node } = process.versions;
  return { toehold: packageVersion(), ...given({ commit: packageCommit() }), node, engine: engine.name };
}
