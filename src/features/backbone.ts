/** A backbone ready to tap: its graph in canonical form, its preprocessing, the shape of its input. */
import { basename, dirname } from 'node:path';
import { messageOf, sha256File, UserError } from '../base/index.js';
import { type Preprocess, type PreprocessInput, resolvePreprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  dequantize,
  findTaps,
  type Graph,
  type InputShape,
  imageInput,
  type ObservedValue,
  observe,
  readModelFile,
  specialise,
  type Tap,
  toFloat32,
  upgrade,
} from '../graph/index.js';

export interface Backbone {
  /** For tables and messages: the file's name, or its folder's when the file is called model.onnx. */
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  /** Upgraded, float32, weights dequantised; the batch is still free. */
  readonly graph: Graph;
  readonly preprocess: Preprocess;
  /** What a user should know: a preprocessing that was guessed, say. */
  readonly notes: readonly string[];
}

export interface BackboneOptions {
  /** Preset or path of a JSON file; by default the sidecar beside the model, else ImageNet's constants. */
  preprocess?: string | undefined;
  /** Fields that win over preset and sidecar. */
  overrides?: Partial<PreprocessInput>;
}

/** @throws UserError when the file is no model with one image input, or the preprocessing is wrong. */
export async function loadBackbone(path: string, options: BackboneOptions = {}): Promise<Backbone> {
  const graph = dequantize(toFloat32(upgrade(await readModelFile(path))));
  const notes: string[] = [];
  const declared = declaredInput(graph, path);
  const overrides = { ...declared, ...options.overrides };
  let resolved = await resolvePreprocess(options.preprocess, path, options.overrides);
  // A sidecar or preset speaks for itself; the declared size fills in where neither gives one.
  const own = options.preprocess ?? resolved.source;
  if (resolved.source === undefined) {
    resolved = await resolvePreprocess('imagenet', undefined, overrides);
    notes.push(
      `no preprocess.json beside ${basename(path)}: using ImageNet mean and std; --preprocess NAME or a sidecar changes that`,
    );
  } else if (own !== undefined && !own.endsWith('.json')) {
    resolved = await resolvePreprocess(options.preprocess, path, overrides);
  }
  const file = basename(path).replace(/\.onnx$/, '');
  return {
    name: file === 'model' ? basename(dirname(path)) || file : file,
    path,
    sha256: await sha256File(path),
    graph,
    preprocess: resolved.preprocess,
    notes,
  };
}

/** Size and layout that the model's input declares. @throws UserError when it is not an image of three channels. */
function declaredInput(graph: Graph, path: string): Partial<PreprocessInput> {
  const { name, shape } = imageInput(graph);
  if (!shape) return {};
  if (shape.length !== 4) {
    throw new UserError(`${path}: input '${name}' has ${shape.length} dimensions; a batch of images has 4`);
  }
  const [, a, b, c] = shape;
  const nhwc = c === 3 && a !== 3;
  if (!nhwc && typeof a === 'number' && a !== 3) {
    throw new UserError(`${path}: input '${name}' has ${a} channels; toehold reads RGB images, 3 channels`);
  }
  const [height, width] = nhwc ? [a, b] : [b, c];
  return {
    ...(nhwc && { layout: 'nhwc' as const }),
    ...(typeof height === 'number' &&
      typeof width === 'number' &&
      height > 0 && { size: [height, width] as [number, number] }),
  };
}

/** Shape of the image input for a batch. */
export function inputShape({ size: [height, width], layout }: Preprocess, batch: number): InputShape {
  return layout === 'nchw' ? [batch, 3, height, width] : [batch, height, width, 3];
}

/** @throws UserError when the model does not take images of this size or this batch. */
export async function specialiseBackbone(
  backbone: Pick<Backbone, 'graph' | 'path' | 'preprocess'>,
  engine: Engine,
  batch: number,
): Promise<Graph> {
  const shape = inputShape(backbone.preprocess, batch);
  try {
    return await specialise(backbone.graph, engine, shape);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const declared = imageInput(backbone.graph).shape;
    throw new UserError(
      `${backbone.path} does not run on input [${shape.join(', ')}]${declared ? ` (it declares [${declared.map((d) => d ?? '?').join(', ')}])` : ''}: give another --size or a model exported with a free batch; the engine says: ${messageOf(error).slice(0, 300)}`,
    );
  }
}

export interface TappedBackbone {
  /** The network specialised to a batch of two. */
  readonly graph: Graph;
  /** All values that can be tapped, in topological order; the defaults are marked. */
  readonly taps: readonly Tap[];
  /** Type and dims of every value, at a batch of two. */
  readonly observed: ReadonlyMap<string, ObservedValue>;
}

/** Batch at which shapes are observed: not one, so that the batch axis cannot be mistaken. */
const observedBatch = 2;

/** Finds the taps of a backbone. */
export async function tapsOf(backbone: Backbone, engine: Engine): Promise<TappedBackbone> {
  const graph = await specialiseBackbone(backbone, engine, observedBatch);
  const observed = await observe(graph, engine, inputShape(backbone.preprocess, observedBatch));
  return { graph, taps: findTaps(graph, observed, observedBatch), observed };
}
