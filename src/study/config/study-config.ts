/** A config that has passed every check that needs no image. */
import type { UserError } from '../../base/index.js';
import type { Budgets } from './budgets.js';
import type { ConfigPath } from './problems.js';
import type { Config } from './schema.js';

/** A study's config with what follows from it: paths, budgets, settings per method. */
export interface StudyConfig {
  readonly config: Config;
  readonly budgets: Budgets;
  /** The network under study. */
  readonly backbone: string;
  /** What this study does less of than its protocol's full form. */
  readonly scaledDown: readonly string[];
  /** Files lie elsewhere than the config says. */
  readonly moved: boolean;
  /** Absolute path of a path in the config, there where it is now. */
  path(relativePath: string): string;
  /** Error that names the config's line: "configs/a.yaml:12: ...". */
  error(path: ConfigPath, message: string): UserError;
}
