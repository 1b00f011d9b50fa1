/** Reads a study's config and checks all that can be checked before any work. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';
import { fileError, given, nearest, UserError } from '../base/index.js';
import { dataExists } from '../data/index.js';
import { isHubName } from '../hub/index.js';
import { methodIds, needsControl } from './catalogue.js';
import { budgetsOf, gaveUp } from './config/budgets.js';
import { type ConfigPath, type Problem, problemsOf } from './config/problems.js';
import { type Config, configSchema } from './config/schema.js';
import type { StudyConfig } from './config/study-config.js';
import { type Protocol, protocols } from './protocols/index.js';

/** The schema of config files: one source of their types, validation, defaults and documentation. */
export const ConfigSchema = configSchema({ protocols, methods: methodIds });

/** The JSON Schema of config files. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(ConfigSchema, { io: 'input', target: 'draft-2020-12' });
}

export function protocolNamed(name: string): Protocol {
  const found = protocols.find((p) => p.name === name);
  if (!found) throw new Error(`there is no protocol '${name}'`);
  return found;
}

/** A file, or a folder with all that is in it: as the config calls it or as an absolute path, and where it is now. */
export interface Moved {
  readonly from: string;
  readonly to: string;
}

export interface LoadOptions {
  /** The flag --lite: takes the protocol's lite budgets where the config gives none. */
  lite?: boolean;
  /** The flag --margin: instead of the config's. */
  margin?: number;
  /** The flag --source-accuracy: instead of the config's; an absolute path. */
  sourceAccuracy?: string;
  /** The flag --data: where folders and files of the config have gone. */
  moved?: readonly Moved[];
  /** Nothing is run: data may be missing where the config says what to expect of it. */
  planning?: boolean;
}

/** Where a path has gone, if it has. */
function movedPath(path: string, moved: readonly Moved[]): string | undefined {
  for (const { from, to } of moved) {
    const below = relative(from, path);
    if (isAbsolute(from) === isAbsolute(path) && below.split(sep)[0] !== '..' && !isAbsolute(below))
      return join(to, below);
  }
  return undefined;
}

/** Reads a config's file. @throws UserError listing every mistake, one line each, with file and line. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<StudyConfig> {
  const text = await readFile(file, 'utf8').catch((error) => {
    throw fileError(error, file);
  });
  return parseConfig(text, file, options);
}

/**
 * Reads a config's text.
 * @param file names the config in messages; its folder is what paths are relative to
 * @throws UserError listing every mistake, one line each
 */
export function parseConfig(text: string, file: string, options: LoadOptions = {}): StudyConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const shown = relative(process.cwd(), resolve(file)).startsWith('..') ? file : relative(process.cwd(), resolve(file));
  const [broken] = document.errors;
  if (broken) {
    const line = lines.linePos(broken.pos[0]).line;
    throw new UserError(
      `${shown}:${line}: this is not YAML: ${broken.message.split('\n')[0]?.replace(/ at line.*$/, '')}`,
    );
  }
  const lineOf = (path: ConfigPath, key = false): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const last = path[length - 1];
      if (isMap(parent)) {
        const pair = parent.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === String(last));
        const node = (key || length < path.length ? pair?.key : (pair?.value ?? pair?.key)) as
          | { range?: [number, number, number] }
          | undefined;
        if (node?.range) return lines.linePos(node.range[0]).line;
      }
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
      if (node?.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  const say = ({ path, message, key }: Problem): string => {
    const line = lineOf(path, key);
    return `${shown}${line === undefined ? '' : `:${line}`}: ${message}`;
  };
  const value: unknown = document.toJS();
  const parsed = ConfigSchema.safeParse(value ?? {});
  if (!parsed.success) throw new UserError(problemsOf(ConfigSchema, parsed.error.issues, value).map(say).join('\n'));
  const { lite, margin, sourceAccuracy, planning = false, moved = [] } = options;
  const config: Config = { ...parsed.data, ...(lite ? { lite } : {}), ...given({ margin, sourceAccuracy }) };
  return resolveConfig(config, dirname(resolve(file)), say, { planning, moved });
}

/** Checks a config that comes from no file (the demo's): `folder` is what its paths are relative to. */
export function resolveConfig(
  config: Config,
  folder: string,
  say: (problem: Problem) => string = (p) => p.message,
  { planning = false, moved = [] }: Pick<LoadOptions, 'planning' | 'moved'> = {},
): StudyConfig {
  const path = (p: string) => {
    const written = isAbsolute(p) || isHubName(p) ? p : join(folder, p);
    return movedPath(p, moved) ?? movedPath(written, moved) ?? written;
  };
  const protocol = protocolNamed(config.protocol);
  const budgets = budgetsOf(config, protocol);
  const problems: Problem[] = [];
  const report = (at: ConfigPath, message: string) => problems.push({ path: at, message });
  const names = Object.keys(config.backbones);
  if (protocol.trainsNetwork) {
    for (const key of ['network', 'splits'] as const)
      if (config[key] === undefined) report([key], `\`${key}\` is missing: the protocol '${protocol.name}' needs it`);
    if (names.length > 0)
      report(['backbones'], `the protocol '${protocol.name}' trains its own \`network\` and takes no backbones`);
    if (Object.keys(config.tasks).length > 1)
      report(
        ['tasks'],
        `the protocol '${protocol.name}' divides the classes of one data set; there are ${Object.keys(config.tasks).length}`,
      );
  } else {
    if (names.length === 0) report(['backbones'], 'name at least one backbone');
    for (const key of ['network', 'splits', 'copy'] as const)
      if (config[key] !== undefined) report([key], `\`${key}\` belongs to protocols that copy layers (yosinski)`);
  }
  for (const key of ['backbone', 'control'] as const) {
    const name = config[key];
    if (name === undefined || names.includes(name)) continue;
    const guess = nearest(name, names);
    report(
      [key],
      `there is no backbone '${name}'; ${guess ? `did you mean '${guess}'?` : `known: ${names.join(', ')}`}`,
    );
  }
  const backbone = config.backbone ?? names[0] ?? config.network ?? '';
  for (const [i, method] of (config.methods ?? []).entries()) {
    if (config.control !== undefined || !needsControl(method)) continue;
    report(
      ['methods', i],
      `the method '${method}' needs a second backbone: add one to \`backbones\` and name it with \`control:\``,
    );
  }
  if (config.control !== undefined && config.control === backbone) {
    report(['control'], `the control must be another network than the backbone '${backbone}'`);
  }
  for (const [name, { model, preprocess }] of Object.entries(config.backbones)) {
    if (!isHubName(model) && !existsSync(path(model))) report(['backbones', name, 'model'], `no such file: ${model}`);
    if (preprocess?.endsWith('.json') && !existsSync(path(preprocess))) {
      report(['backbones', name, 'preprocess'], `no such file: ${preprocess}`);
    }
  }
  for (const [name, task] of Object.entries(config.tasks)) {
    if (!dataExists(path(task.data)) && !(planning && task.expect))
      report(['tasks', name, 'data'], `no such folder or file: ${task.data}`);
  }
  if (config.train?.epochs !== undefined && config.train.steps !== undefined) {
    report(['train', 'steps'], 'give either `epochs` or `steps`, not both');
  }
  const withCurve = Object.keys(config.tasks).find((name) => config.tasks[name]?.perClass);
  if ((config.perClass || withCurve !== undefined) && !protocol.curves) {
    const curves = protocols.filter((p) => p.curves).map((p) => `'${p.name}'`);
    report(
      config.perClass ? ['perClass'] : ['tasks', withCurve as string, 'perClass'],
      `\`perClass\` belongs to protocols with learning curves (${curves.join(', ')}); for a label budget write \`labels: {perClass: n}\``,
    );
  }
  if (budgets.networks !== 'all') {
    const comparing = protocols.filter((p) => p.full.networks === 'all').map((p) => `'${p.name}'`);
    const belongs = (key: string) => `\`${key}\` belongs to protocols that compare networks (${comparing.join(', ')})`;
    for (const key of ['where', 'sourceAccuracy'] as const) {
      if (config[key] !== undefined) report([key], belongs(key));
    }
    for (const key of ['weightDecays', 'scratchWeightDecays', 'stepBudgets', 'scratchSteps'] as const) {
      if (config.train?.[key] !== undefined) report(['train', key], belongs(key));
    }
  }
  if (protocol.also) {
    const known = [...protocol.full.methods, ...protocol.also];
    for (const [i, method] of (config.methods ?? []).entries()) {
      if (!known.includes(method)) report(['methods', i], `the protocol '${protocol.name}' has no method '${method}'`);
    }
  }
  for (const [name, { target = 'class', metric, perClass }] of Object.entries(config.tasks)) {
    if (target === 'class') continue;
    if (!protocol.valued)
      report(
        ['tasks', name, 'target'],
        `the protocol '${protocol.name}' is for classes; ${protocols
          .filter((p) => p.valued)
          .map((p) => `'${p.name}'`)
          .join(' and ')} take target ${target}`,
      );
    if (metric !== undefined || perClass !== undefined)
      report(['tasks', name, metric === undefined ? 'perClass' : 'metric'], `is for classes, not for target ${target}`);
  }
  problems.push(...(protocol.check?.(config) ?? []));
  if (problems.length > 0) throw new UserError(problems.map(say).join('\n'));
  return {
    config,
    budgets,
    backbone,
    scaledDown: [...gaveUp(config, protocol), ...(protocol.scaledDown?.(config) ?? [])],
    moved: moved.length > 0,
    path,
    error: (at, message) => new UserError(say({ path: at, message })),
  };
}
