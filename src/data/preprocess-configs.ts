/**
 * What other programs keep beside their models: `preprocessor_config.json` of transformers, `config.json` of timm. The former's
 * defaults are those of its image processors; both resize as Pillow does.
 */
import * as z from 'zod';
import { UserError } from '../base/index.js';

/** Fields of the sidecar that such files say something of; see preprocessSchema. */
export interface ForeignFields {
  readonly size?: [number, number];
  readonly resize?: 'exact' | 'crop';
  readonly resizeTo?: number;
  readonly interpolation?: 'bilinear' | 'bicubic';
  readonly scale?: number;
  readonly mean?: [number, number, number] | number;
  readonly std?: [number, number, number] | number;
  readonly channels?: 'rgb' | 'bgr';
}

const numbers = z.union([z.array(z.number()).length(3), z.number()]);
const sides = z.union([
  z.number(),
  z.object({ height: z.number(), width: z.number() }),
  z.object({ shortest_edge: z.number() }),
  z.tuple([z.number(), z.number()]),
]);

const processor = z.object({
  do_resize: z.boolean().default(true),
  size: sides.optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: sides.optional(),
  crop_pct: z.number().positive().max(1).nullish(),
  resample: z.number().nullish(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: numbers.nullish(),
  image_std: numbers.nullish(),
  do_flip_channel_order: z.boolean().default(false),
});

const timm = z.object({
  input_size: z.tuple([z.number(), z.number(), z.number()]).optional(),
  fixed_input_size: z.boolean().optional(),
  interpolation: z.string().default('bicubic'),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.string().default('center'),
  mean: numbers,
  std: numbers,
});

type Triple = [number, number, number];
const tripleOf = (value: z.infer<typeof numbers>) => value as Triple | number;

/** Pillow's codes. */
const interpolations: Readonly<Record<string, 'bilinear' | 'bicubic'>> = {
  2: 'bilinear',
  3: 'bicubic',
  bilinear: 'bilinear',
  bicubic: 'bicubic',
};

/** @throws UserError when the file asks for what toehold does not do */
export function fromPreprocessorConfig(value: unknown, path: string): ForeignFields | undefined {
  // Text and audio have files of this name, too.
  if (typeof value !== 'object' || value === null || !('image_mean' in value || 'size' in value)) return undefined;
  const config = check(processor, value, path);
  const { size, crop_size, resample, image_mean, image_std } = config;
  const scale = config.do_rescale ? config.rescale_factor : 1;
  const normalised = config.do_normalize && image_mean != null && image_std != null;
  const crop = config.do_center_crop ?? (crop_size !== undefined && crop_size !== null && shortOf(size) !== undefined);
  const common = {
    scale,
    ...(normalised && { mean: tripleOf(image_mean), std: tripleOf(image_std) }),
    ...(resample != null && { interpolation: interpolationOf(String(resample), path) }),
    ...(config.do_flip_channel_order && { channels: 'bgr' as const }),
  };
  const short = shortOf(size);
  if (crop && crop_size !== undefined) {
    const cut = squareOf(crop_size);
    const to = Math.max(short ?? Math.min(...squareOf(size ?? crop_size)), ...cut);
    return { ...common, size: cut, resize: 'crop', resizeTo: to };
  }
  if (short !== undefined) {
    // ConvNeXt's: below 384 pixels, the short side is resized beyond what is cut out.
    const to = config.crop_pct && short < 384 ? Math.floor(short / config.crop_pct) : short;
    return { ...common, size: [short, short], resize: 'crop', resizeTo: to };
  }
  return { ...common, ...(size !== undefined && { size: squareOf(size) }), resize: 'exact' };
}

/** @throws UserError when the file asks for what toehold does not do */
export function fromTimmConfig(value: unknown, path: string): ForeignFields | undefined {
  const own = (value as { pretrained_cfg?: unknown } | null)?.pretrained_cfg ?? value;
  if (typeof own !== 'object' || own === null || !('input_size' in own && 'mean' in own && 'std' in own))
    return undefined;
  const { input_size, interpolation, crop_pct, crop_mode, mean, std } = check(timm, own, path);
  const size: [number, number] = input_size ? [input_size[1], input_size[2]] : [224, 224];
  return {
    mean: tripleOf(mean),
    std: tripleOf(std),
    interpolation: interpolationOf(interpolation === 'random' ? 'bilinear' : interpolation, path),
    size,
    ...(crop_mode === 'squash'
      ? { resize: 'exact' as const }
      : { resize: 'crop' as const, resizeTo: Math.floor(Math.max(...size) / crop_pct) }),
  };
}

/** Names of the classes that a network was trained on, where its config has names for them. */
export function classNamesIn(value: unknown): string[] | undefined {
  const { id2label, label_names } = (value ?? {}) as { id2label?: Record<string, unknown>; label_names?: unknown };
  const names = Array.isArray(label_names)
    ? label_names
    : Object.entries(id2label ?? {})
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([, name]) => name);
  // LABEL_0 is what transformers writes where nobody named anything.
  const named = names.length > 0 && names.every((name) => typeof name === 'string' && !/^LABEL_\d+$/.test(name));
  return named ? (names as string[]) : undefined;
}

function check<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError(
    `${path} is not understood (${issue?.path.join('.')}: ${issue?.message}); give the preprocessing with --preprocess`,
  );
}

function shortOf(size: z.infer<typeof sides> | undefined): number | undefined {
  return typeof size === 'object' && 'shortest_edge' in size ? size.shortest_edge : undefined;
}

function squareOf(size: z.infer<typeof sides>): [number, number] {
  if (typeof size === 'number') return [size, size];
  if (Array.isArray(size)) return [size[0], size[1]];
  return 'shortest_edge' in size ? [size.shortest_edge, size.shortest_edge] : [size.height, size.width];
}

function interpolationOf(name: string, path: string): 'bilinear' | 'bicubic' {
  const known = interpolations[name];
  if (known) return known;
  throw new UserError(
    `${path} asks for the interpolation '${name}'; toehold does bilinear and bicubic: give one with --preprocess`,
  );
}
