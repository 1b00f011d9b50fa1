/** Preprocessing as data: what a backbone expects of an image, by preset, by sidecar file or by flags. */
import { basename, dirname, extname, join } from 'node:path';
import * as z from 'zod';
import { given, nearest, readJson, UserError } from '../base/index.js';
import { classNamesIn, fromPreprocessorConfig, fromTimmConfig } from './preprocess-configs.js';

const side = z.number().int().positive().max(8192);
const triple = z.union([
  z.tuple([z.number(), z.number(), z.number()]),
  z.number().transform((v): [number, number, number] => [v, v, v]),
]);

/**
 * The sidecar `preprocess.json`. Pixels are 0 ... 255; the backbone sees (pixel * scale - mean) / std.
 */
export const preprocessSchema = z
  .strictObject({
    size: z
      .union([side.transform((n): [number, number] => [n, n]), z.tuple([side, side])])
      .describe('height and width of the input in pixels; one number for a square')
      .default([224, 224]),
    resize: z
      .enum(['exact', 'crop'])
      .describe("'exact' stretches to size; 'crop' resizes the short side to resizeTo, then cuts size from the centre")
      .default('exact'),
    resizeTo: side.describe("short side before the crop; only with resize 'crop', default size / 0.875").optional(),
    interpolation: z.enum(['bilinear', 'bicubic']).describe('antialiased, as Pillow does it').default('bilinear'),
    scale: z
      .number()
      .positive()
      .describe('factor that pixels are multiplied by first')
      .default(1 / 255),
    mean: triple.describe('per channel, in the order of channels, in scaled units').default([0, 0, 0]),
    std: triple
      .refine((v) => v.every((s) => s > 0), 'must be above 0')
      .describe('per channel, in the order of channels, in scaled units')
      .default([1, 1, 1]),
    layout: z.enum(['nchw', 'nhwc']).describe('axis order of the input').default('nchw'),
    channels: z.enum(['rgb', 'bgr']).describe('order of the colours').default('rgb'),
  })
  .transform((p, context) => {
    if (p.resize === 'exact') {
      if (p.resizeTo !== undefined) {
        context.addIssue({ code: 'custom', path: ['resizeTo'], message: "is used with resize 'crop' only" });
      }
      const { resizeTo: _, ...rest } = p;
      return rest as typeof p;
    }
    const resizeTo = p.resizeTo ?? Math.floor(Math.max(...p.size) / 0.875);
    if (resizeTo < Math.max(...p.size)) {
      context.addIssue({
        code: 'custom',
        path: ['resizeTo'],
        message: `${resizeTo} is smaller than the crop ${p.size.join(' x ')}`,
      });
    }
    return { ...p, resizeTo };
  });

/** What the sidecar and the flags may hold. */
export type PreprocessInput = z.input<typeof preprocessSchema>;
/** Complete preprocessing; `resizeTo` is there exactly when `resize` is 'crop'. */
export type Preprocess = z.output<typeof preprocessSchema>;

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } satisfies PreprocessInput;

/** Preprocessing by name: constants and sizes that published networks expect. */
export const preprocessPresets = {
  /** torchvision's constants, 224 x 224. */
  imagenet,
  /** The same after the customary centre crop: short side 256, 224 x 224. */
  'imagenet-crop': { ...imagenet, resize: 'crop', resizeTo: 256 },
  /** TensorFlow's: pixel / 127.5 - 1. */
  tf: { scale: 1 / 127.5, mean: 1, std: 1 },
  /** The same range, written as timm and ViTs do: (pixel / 255 - .5) / .5. */
  half: { mean: 0.5, std: 0.5 },
  /** 32 x 32 networks trained with ImageNet's constants. */
  cifar: { ...imagenet, size: 32 },
  /** CLIP's constants, bicubic, short side 224 and centre crop. */
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    resize: 'crop',
    resizeTo: 224,
    interpolation: 'bicubic',
  },
  /** Caffe's: BGR, pixel means subtracted, not scaled. */
  caffe: { channels: 'bgr', scale: 1, mean: [103.939, 116.779, 123.68], std: 1 },
  /** Pixels / 255. */
  unit: {},
  /** Pixels as they are, 0 ... 255. */
  none: { scale: 1 },
} as const satisfies Record<string, PreprocessInput>;

/** The name of a preset. */
export type PreprocessPreset = keyof typeof preprocessPresets;

/**
 * Completes and checks a preprocessing.
 * @param where what messages call its origin
 * @throws UserError naming the field
 */
export function parsePreprocess(value: unknown, where: string): Preprocess {
  const result = preprocessSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const known = Object.keys(preprocessSchema.in.shape);
    const key = issue.keys[0] as string;
    const guess = nearest(key, known);
    throw new UserError(
      `${where}: unknown field '${key}'; ${guess ? `did you mean '${guess}'?` : `known: ${known.join(', ')}`}`,
    );
  }
  const field = issue?.path.join('.');
  throw new UserError(`${where}: ${field ? `${field}: ` : ''}${issue?.message ?? 'not a preprocessing'}`);
}

/** A preprocessing with where it comes from. */
export interface ResolvedPreprocess {
  readonly preprocess: Preprocess;
  /** Where it came from: a preset's name, a file's path, or undefined for the defaults. */
  readonly source: string | undefined;
}

/**
 * Finds the preprocessing of a model: `named` (a preset or the path of a JSON file) if given, else the sidecar next to
 * the model (`<model>.preprocess.json`, then `preprocess.json` in its folder), else what other programs left beside it
 * (preprocess-configs.ts), else the defaults, which only divide by
 * 255. Fields of `overrides` (flags) win over all of these; undefined ones are passed over.
 *
 * @throws UserError when the preset is unknown, the file unreadable or a field wrong
 */
export async function resolvePreprocess(
  named: string | undefined,
  modelPath?: string,
  overrides: Partial<PreprocessInput> = {},
): Promise<ResolvedPreprocess> {
  const { value, source } = await find(named, modelPath);
  const fields = given(overrides);
  const merged: Record<string, unknown> = { ...value, ...fields };
  // Another size asks for another default short side, and 'exact' has none.
  if (fields.resizeTo === undefined && (fields.resize === 'exact' || fields.size)) delete merged.resizeTo;
  return { preprocess: parsePreprocess(merged, source ?? 'preprocessing'), source };
}

/** Files of other programs, the more specific first. */
const foreign = { 'preprocessor_config.json': fromPreprocessorConfig, 'config.json': fromTimmConfig } as const;

/** The model's folder, and the one above a folder `onnx`, which is where exporters put their files. */
function foldersAbove(modelPath: string): string[] {
  const folder = dirname(modelPath);
  return basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
}

/** Names of the classes that the model was trained on, from the config beside it; undefined where it has none. */
export async function modelClasses(modelPath: string): Promise<string[] | undefined> {
  for (const folder of foldersAbove(modelPath)) {
    const names = classNamesIn(await readJson(join(folder, 'config.json')).catch(() => undefined));
    if (names) return names;
  }
  return undefined;
}

async function find(named: string | undefined, modelPath: string | undefined) {
  if (named !== undefined) {
    if (Object.hasOwn(preprocessPresets, named)) {
      return { value: preprocessPresets[named as PreprocessPreset], source: named };
    }
    if (extname(named) === '.json' || named.includes('/')) {
      const value = await fieldsIn(named);
      if (value === undefined) throw new UserError(`no such file: ${named}; give a preset or a JSON file`);
      return { value, source: named };
    }
    const guess = nearest(named, Object.keys(preprocessPresets));
    throw new UserError(
      `there is no preprocessing preset '${named}'; ${guess ? `did you mean '${guess}'?` : `presets: ${Object.keys(preprocessPresets).join(', ')}`}`,
    );
  }
  if (modelPath !== undefined) {
    const stem = basename(modelPath, extname(modelPath));
    for (const name of [`${stem}.preprocess.json`, 'preprocess.json']) {
      const path = join(dirname(modelPath), name);
      const value = await fieldsIn(path);
      if (value !== undefined) return { value, source: path };
    }
    for (const folder of foldersAbove(modelPath)) {
      for (const [name, convert] of Object.entries(foreign)) {
        const path = join(folder, name);
        const value = convert(await readJson(path), path);
        if (value !== undefined) return { value, source: path };
      }
    }
  }
  return { value: {}, source: undefined };
}

/** The object in a JSON file, or undefined when there is no file. */
async function fieldsIn(path: string): Promise<object | undefined> {
  const value = await readJson(path);
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return value;
  throw new UserError(`${path} must hold one JSON object with fields such as size, mean and std`);
}
