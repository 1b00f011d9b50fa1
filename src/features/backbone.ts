/** A backbone ready to tap: its graph in canonical form, its preprocessing, the shape of its input. */
import { basename, dirname } from 'node:path';
import { given, UserError } from '../base/index.js';
import { modelClasses, type Preprocess, type PreprocessInput, resolvePreprocess } from '../data/index.js';
import { type Engine, Refusal } from '../engine/index.js';
import {
  findTaps,
  type Graph,
  imageInput,
  type NetworkFact,
  networkHash,
  readNetwork,
  type StaticGraph,
  specialise,
  type Tap,
} from '../graph/index.js';
import { fetchModel, isHubName, type Origin } from '../hub/index.js';
import { inputShape } from './pixels.js';
import { refusedShape } from './refused-shape.js';

/** A network with its preprocessing, and where both come from. */
export interface Backbone {
  /** For tables and messages: the file's name, or its folder's when the file is called model.onnx or model.json. */
  readonly name: string;
  readonly path: string;
  /** See networkHash. */
  readonly sha256: string;
  /** See readNetwork. */
  readonly graph: Graph;
  readonly preprocess: Preprocess;
  /** Where the preprocessing comes from: a preset, the name of a file beside the model, or a guess. */
  readonly preprocessing?: PreprocessOrigin;
  /** What the network was trained to tell apart, where a config beside it says so. */
  readonly classes?: readonly string[];
  /** Where the file comes from, if by name from a hub. */
  readonly origin?: Origin;
  /** Whether its file is called as those of rounded weights are, which are not trained. */
  readonly quantised?: boolean;
  /** What a user should know: a preprocessing that was guessed, say. */
  readonly notes: readonly string[];
}

export interface PreprocessOrigin {
  readonly how: 'asked' | 'read' | 'guessed';
  /** Preset or file name; of a guess, what was guessed. */
  readonly from: string;
}

/** What is said of a network's preprocessing and input. */
export interface BackboneOptions {
  /** Preset or path of a JSON file; by default the sidecar beside the model, else ImageNet's constants. */
  preprocess?: string | undefined;
  /** Fields that win over preset and sidecar. */
  overrides?: Partial<PreprocessInput>;
}

/**
 * @param model path of a file, or a name of a hub (`hf:owner/name[@revision][/file]`)
 * @throws UserError when the file is not a model with one image input, or the preprocessing is wrong.
 */
export async function loadBackbone(model: string, engine: Engine, options: BackboneOptions = {}): Promise<Backbone> {
  if (!isHubName(model)) return loadFile(model, engine, options);
  const { path, origin, quantised, notes } = await fetchModel(model);
  const backbone = await loadFile(path, engine, options);
  return {
    ...backbone,
    name: origin.repo.split('/').at(-1) ?? backbone.name,
    origin,
    quantised,
    notes: [...notes, ...backbone.notes],
  };
}

async function loadFile(path: string, engine: Engine, options: BackboneOptions): Promise<Backbone> {
  const facts = new Set<NetworkFact>();
  const graph = await readNetwork(path, engine, { onFact: (fact) => facts.add(fact) });
  const notes: string[] = [];
  if (facts.has('training mode')) {
    notes.push(`${basename(path)} was exported in training mode: its norms and dropout are put into inference mode`);
  }
  const declared = { ...declaredInput(graph, path), ...(facts.has('levels') && { scale: 1 }) };
  const overrides = { ...declared, ...options.overrides };
  let resolved = await resolvePreprocess(options.preprocess, path, options.overrides);
  // A sidecar or preset speaks for itself; the declared size fills in where neither gives one.
  const own = options.preprocess ?? resolved.source;
  let preprocessing: PreprocessOrigin = {
    how: options.preprocess === undefined ? 'read' : 'asked',
    from: own?.includes('/') ? basename(own) : (own ?? ''),
  };
  if (resolved.source === undefined) {
    const levels = facts.has('levels');
    // A network that takes whole numbers takes pixels as they are.
    const raw: Partial<PreprocessInput> = { ...overrides, mean: [0, 0, 0], std: [1, 1, 1] };
    resolved = await resolvePreprocess('imagenet', undefined, levels ? raw : overrides);
    const used = levels ? 'pixels as they are, since it takes whole numbers' : 'ImageNet mean and std';
    preprocessing = { how: 'guessed', from: used };
    notes.push(
      `no preprocess.json beside ${basename(path)}: using ${used}; --preprocess NAME or a sidecar changes that`,
    );
  } else if (own !== undefined && !own.endsWith('.json')) {
    resolved = await resolvePreprocess(options.preprocess, path, overrides);
  }
  return {
    name: backboneName(path),
    path,
    sha256: await networkHash(path),
    graph,
    preprocess: resolved.preprocess,
    preprocessing,
    ...given({ classes: await modelClasses(path) }),
    notes,
  };
}

/** What a network is called: its file's name, or its folder's when the file is called model.onnx or model.json. */
export function backboneName(path: string): string {
  const file = basename(path).replace(/\.(onnx|json)$/, '');
  return file === 'model' ? basename(dirname(path)) || file : file;
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

/** @throws UserError when the model does not take images of this size or this batch. */
export async function specialiseBackbone(
  { graph, preprocess, path = 'the model' }: PreprocessedNetwork,
  engine: Engine,
  batch: number,
): Promise<StaticGraph> {
  const shape = inputShape(preprocess, batch);
  try {
    return await specialise(graph, engine, shape);
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'shape')
      throw refusedShape(error, imageInput(graph).shape, shape, path);
    throw error;
  }
}

/** A network and how images get into it; its path, if it has one, is for messages. */
export type PreprocessedNetwork = Pick<Backbone, 'graph' | 'preprocess'> & { readonly path?: string };

/** A network with the values in it that can be read. */
export interface TappedBackbone {
  /** Specialised to a batch of two: not one, so that the batch axis cannot be mistaken. */
  readonly network: StaticGraph;
  /** All values that can be tapped, in topological order; the defaults are marked. */
  readonly taps: readonly Tap[];
}

/** Finds the taps of a backbone. */
export async function tapsOf(backbone: PreprocessedNetwork, engine: Engine): Promise<TappedBackbone> {
  const network = await specialiseBackbone(backbone, engine, 2);
  return { network, taps: findTaps(network) };
}
