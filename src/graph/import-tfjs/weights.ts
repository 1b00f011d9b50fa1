/** model.json of TensorFlow.js and the files of weights that it names. What they say is checked before anything is read. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { fileError, UserError } from '../../base/index.js';
import { fromFloat16, sizeOf, type Tensor } from '../../ir/index.js';

/** A part of a JSON document of which nothing is known yet. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
/** An object's entry that is its own: 'constructor' is none. */
export const entry = (value: Json | undefined, key: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
export const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

/** Elements that one tensor may have: what a typed array of 32-bit numbers surely holds. */
const mostElements = 2 ** 30;

/** @throws UserError when the file is missing or holds no JSON object */
export async function readTopology(path: string): Promise<JsonObject> {
  const content = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path);
  });
  let json: Json;
  try {
    json = JSON.parse(content);
  } catch {
    throw new UserError(`${path} is not whole JSON: export or copy the model again`);
  }
  if (!isObject(json)) throw new UserError(`${path} is no model of TensorFlow.js: it holds no JSON object`);
  return json;
}

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly Json[];
}

function groupsOf(model: JsonObject, path: string): Group[] {
  const manifest = entry(model, 'weightsManifest');
  if (!isList(manifest))
    throw new UserError(`${path} names no weights: it is no model of TensorFlow.js, or not a whole one`);
  return manifest.map((group, i) => {
    const [paths, weights] = [entry(group, 'paths'), entry(group, 'weights')];
    if (!isList(paths) || !isList(weights) || !paths.every((p) => typeof p === 'string')) {
      throw new UserError(`${path}: group ${i} of its weights has no list of files and of weights`);
    }
    return { paths: paths.map((p) => shardPath(path, p)), weights };
  });
}

/** @throws UserError when that is outside the model's folder */
function shardPath(path: string, shard: string): string {
  const folder = dirname(path);
  if (
    isAbsolute(shard) ||
    /^[a-z]+:/i.test(shard) ||
    normalize(shard).split(/[\\/]/)[0] === '..' ||
    shard.includes('\0')
  ) {
    throw new UserError(`${path} names weights '${shard.slice(0, 200)}' outside its folder`);
  }
  return join(folder, shard);
}

/** All files of a model, the named one first. */
export async function tfjsFiles(path: string): Promise<string[]> {
  const groups = groupsOf(await readTopology(path), path);
  return [path, ...new Set(groups.flatMap((group) => group.paths))];
}

const widths: Readonly<Record<string, number>> = { float32: 4, int32: 4, float16: 2, uint16: 2, uint8: 1, bool: 1 };

interface Spec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: string;
  /** Type of the stored numbers, and what makes the weights of them. */
  readonly stored: string;
  readonly scale: number;
  readonly min: number;
}

function specOf(weight: Json, path: string): Spec {
  const [name, dtype, shape] = [text(entry(weight, 'name')), text(entry(weight, 'dtype')), entry(weight, 'shape')];
  const quantisation = entry(weight, 'quantization');
  if (name === undefined || dtype === undefined || !isList(shape)) {
    throw new UserError(`${path}: one of its weights has no name, type or shape`);
  }
  const dims = shape.map(Number);
  if (dims.some((d) => !Number.isSafeInteger(d) || d < 0) || sizeOf(dims) > mostElements) {
    throw new UserError(
      `${path}: weight '${name}' of shape [${dims.join(', ').slice(0, 80)}] cannot be: the file is damaged`,
    );
  }
  const stored = text(entry(quantisation, 'dtype')) ?? dtype;
  if (widths[stored] === undefined || widths[dtype] === undefined) {
    throw new UserError(`${path}: weight '${name}' is of type ${stored}, which toehold does not read`);
  }
  const [scale, min] = [Number(entry(quantisation, 'scale') ?? 1), Number(entry(quantisation, 'min') ?? 0)];
  if (!Number.isFinite(scale) || !Number.isFinite(min)) {
    throw new UserError(`${path}: weight '${name}' has scale ${scale} and minimum ${min}: the file is damaged`);
  }
  return { name: name.replace(/:0$/, ''), dims, type: dtype, stored, scale, min };
}

/**
 * The weights by name, in single precision or 32-bit integers.
 * @throws UserError when a file is missing, leaves the folder, or is not as long as its weights need
 */
export async function readWeights(model: JsonObject, path: string): Promise<Map<string, Tensor>> {
  const found = new Map<string, Tensor>();
  for (const { paths, weights } of groupsOf(model, path)) {
    const specs = weights.map((w) => specOf(w, path));
    const needed = specs.reduce((sum, s) => sum + sizeOf(s.dims) * (widths[s.stored] as number), 0);
    const sizes = await Promise.all(paths.map((p) => shardSize(p, path)));
    const held = sizes.reduce((sum, size) => sum + size, 0);
    if (held !== needed) {
      throw new UserError(
        `${path}: the weights of ${paths.length === 1 ? (paths[0] as string) : `${paths.length} files`} take ${needed} bytes, the files hold ${held}: export or copy the model again`,
      );
    }
    const bytes = Buffer.concat(await Promise.all(paths.map((p) => readFile(p))));
    let at = 0;
    for (const spec of specs) {
      const length = sizeOf(spec.dims) * (widths[spec.stored] as number);
      found.set(spec.name, decoded(spec, bytes.subarray(at, at + length)));
      at += length;
    }
  }
  return found;
}

async function shardSize(shard: string, path: string): Promise<number> {
  const info = await stat(shard).catch(() => undefined);
  if (!info?.isFile())
    throw new UserError(`weights ${shard} of ${path} are missing: put the file that was exported with the model there`);
  return info.size;
}

function decoded({ dims, type, stored, scale, min }: Spec, bytes: Buffer): Tensor {
  // Copied, so that elements begin where their type wants them to.
  const { buffer } = new Uint8Array(bytes);
  const count = sizeOf(dims);
  if (stored === 'float32') return { type: 'float32', dims, data: new Float32Array(buffer, 0, count) };
  if (stored === 'int32') return { type: 'int32', dims, data: new Int32Array(buffer, 0, count) };
  if (stored === 'bool') return { type: 'bool', dims, data: new Uint8Array(buffer, 0, count) };
  if (stored === 'float16')
    return { type: 'float32', dims, data: Float32Array.from(new Uint16Array(buffer, 0, count), fromFloat16) };
  const levels = stored === 'uint8' ? new Uint8Array(buffer, 0, count) : new Uint16Array(buffer, 0, count);
  if (type === 'int32')
    return { type: 'int32', dims, data: Int32Array.from(levels, (v) => Math.round(v * scale + min)) };
  return { type: 'float32', dims, data: Float32Array.from(levels, (v) => v * scale + min) };
}
