/** Says what is wrong with a config: in a person's words, with the line. */
import type { z } from 'zod';
import { nearest } from '../../base/index.js';

export type ConfigPath = readonly (string | number)[];

export interface Problem {
  readonly path: ConfigPath;
  readonly message: string;
  /** The problem is the key itself, not its value. */
  readonly key?: boolean;
}

/** zod's issues as problems. `schema` is asked which keys are known where a key is not. */
export function problemsOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], value: unknown): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((k): k is string | number => typeof k !== 'symbol');
    const at = path.length === 0 ? '' : ` in ${show(path)}`;
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const known = keysAt(schema, path);
        const guess = nearest(key, known);
        const hint = guess ? `did you mean '${guess}'?` : `known: ${known.join(', ')}`;
        return { path: [...path, key], key: true, message: `unknown key '${key}'${at}; ${hint}` };
      });
    }
    return [
      { path, message: `${path.length === 0 ? 'the config' : show(path)} ${explain(issue, valueAt(value, path))}` },
    ];
  });
}

function explain(issue: z.core.$ZodIssue, given: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return given === undefined
        ? 'is missing'
        : `must be ${article(issue.expected === 'int' ? 'whole number' : kind(issue.expected))}, not ${quote(given)}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      if (given === undefined) return `is missing; one of ${values.join(', ')}`;
      const guess = nearest(String(given), values);
      return `is ${quote(given)}; ${guess ? `did you mean '${guess}'?` : `one of ${values.join(', ')}`}`;
    }
    case 'too_small':
    case 'too_big': {
      const low = issue.code === 'too_small';
      const bound = low ? issue.minimum : issue.maximum;
      if (issue.origin === 'array' || issue.origin === 'string' || issue.origin === 'record')
        return 'must not be empty';
      return `is ${quote(given)}; it must be ${low ? (issue.inclusive ? 'at least' : 'more than') : issue.inclusive ? 'at most' : 'less than'} ${bound}`;
    }
    case 'invalid_union': {
      const forms = issue.errors.flatMap((branch) => branch.slice(0, 1).map(form));
      return `is ${quote(given)}; it takes ${[...new Set(forms)].join(' or ')}`;
    }
    case 'invalid_key':
      return `has an unusable name: ${issue.issues[0]?.message ?? issue.message}`;
    default:
      return `is ${quote(given)}: ${issue.message}`;
  }
}

function form(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map((v) => `'${String(v)}'`).join(' or ');
  if (issue.code === 'invalid_type') return article(kind(issue.expected));
  if (issue.code === 'unrecognized_keys') return 'other keys';
  return issue.message;
}

const kinds: Readonly<Record<string, string>> = {
  object: 'block of keys',
  record: 'block of named entries',
  array: 'list',
  boolean: 'yes-or-no value (true, false)',
  int: 'whole number',
  string: 'text',
};
const kind = (expected: string): string => kinds[expected] ?? expected;
const article = (noun: string): string => (noun === 'text' ? noun : /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`);

function quote(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a block of keys' : String(value);
}

/** backbones.small.taps[0] */
export function show(path: ConfigPath): string {
  return path.reduce<string>((text, k) => (typeof k === 'number' ? `${text}[${k}]` : text ? `${text}.${k}` : k), '');
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>(
    (v, k) => (v !== null && typeof v === 'object' ? (v as Record<string | number, unknown>)[k] : undefined),
    value,
  );
}

interface AnyDef {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  valueType?: z.ZodType;
  element?: z.ZodType;
  options?: z.ZodType[];
}

/** Keys of the object schema at `path`; empty when there is none. */
function keysAt(schema: z.ZodType, path: ConfigPath): string[] {
  const def = schema.def as unknown as AnyDef;
  if (def.innerType) return keysAt(def.innerType, path);
  if (def.options) return [...new Set(def.options.flatMap((option) => keysAt(option, path)))];
  const [first, ...rest] = path;
  if (first === undefined) return def.shape ? Object.keys(def.shape).filter((k) => !k.startsWith('$')) : [];
  const next = def.shape?.[String(first)] ?? def.valueType ?? def.element;
  return next ? keysAt(next, rest) : [];
}
