/** A network that was opened: what the other verbs are done to. */
import { given } from '../base/index.js';
import type { Preprocess, PreprocessInput } from '../data/index.js';
import { createEngine, type Engine, type EngineOptions } from '../engine/index.js';
import {
  type Backbone,
  loadBackbone,
  type PooledTap,
  parsePool,
  poolTaps,
  type ReadyPass,
  readyPass,
  type TappedBackbone,
  tapsOf,
} from '../features/index.js';
import { selectTaps } from '../graph/index.js';

/** The preprocessing, where it is not to be read beside the model, and the engine. */
export interface LoadOptions extends Partial<EngineOptions> {
  /** A preset's name, the path of a JSON file, or fields that win over what lies beside the model. */
  readonly preprocess?: string | Partial<PreprocessInput> | undefined;
  /** Height and width of the input, in pixels; one number for both. */
  readonly size?: number | readonly [height: number, width: number] | undefined;
}

/** Which values are read, and how each is pooled. */
export interface TapsOptions {
  /** Aliases, names, globs, 'default' or 'all': a list of them, or one text with commas. */
  readonly taps?: string | readonly string[] | undefined;
  /** gap, cls, mean, max, std, target:T, head2toe:T: one, a list of them, or one text with commas. */
  readonly pool?: string | readonly string[] | undefined;
}

/** What is asked of every tap, in the words of the commands; every default tap's mean where nothing is said. */
export function requestedTaps({ taps = 'default', pool = 'gap' }: TapsOptions): { taps: string; pool: string } {
  const words = (asked: string | readonly string[]) => (typeof asked === 'string' ? asked : asked.join(','));
  return { taps: words(taps), pool: words(pool) };
}

/** An opened network: what `load` gives. */
export class Model {
  #tapped: Promise<TappedBackbone> | undefined;
  readonly #passes = new Map<string, Promise<ReadyPass>>();

  constructor(
    /** The network, its preprocessing and where these come from. */
    readonly backbone: Backbone,
    readonly engine: Engine,
  ) {}

  get name(): string {
    return this.backbone.name;
  }
  get preprocess(): Preprocess {
    return this.backbone.preprocess;
  }
  /** Names of the classes that it was trained on, where a config beside it says so. */
  get classes(): readonly string[] | undefined {
    return this.backbone.classes;
  }
  /** What a user should know: a preprocessing that was guessed, say. */
  get notes(): readonly string[] {
    return this.backbone.notes;
  }

  /** Its values that can be read; found once. */
  tapped(): Promise<TappedBackbone> {
    this.#tapped ??= tapsOf(this.backbone, this.engine);
    return this.#tapped;
  }

  /** The extraction pass of a request, compiled once and kept until `dispose`. */
  async pass(request: { taps: string; pool: string; batch: number }, note: (line: string) => void): Promise<ReadyPass> {
    const key = JSON.stringify(request);
    const known = this.#passes.get(key);
    if (known) return known;
    const compiling = this.tapped().then((tapped) =>
      readyPass(this.backbone, tapped, this.engine, { ...request, log: note }),
    );
    this.#passes.set(key, compiling);
    compiling.catch(() => this.#passes.delete(key));
    return compiling;
  }

  /** Frees the memory of compiled passes. An idle model keeps no process alive; extracting once more compiles anew. */
  async dispose(): Promise<void> {
    const passes = [...this.#passes.values()];
    this.#passes.clear();
    for (const pass of await Promise.allSettled(passes)) if (pass.status === 'fulfilled') await pass.value.dispose();
  }
}

/** A model that was loaded, or the name that load takes. */
export type ModelLike = Model | string;

let shared: Promise<Engine> | undefined;

/** The engine of whoever asks for no other: one, so that programs are compiled once. */
export function defaultEngine(): Promise<Engine> {
  shared ??= createEngine();
  return shared;
}

/**
 * Opens a network.
 * @param model ONNX file, model.json of TensorFlow.js, or a name of a hub: `hf:owner/name[@revision][/file]`
 * @throws UserError when it is not there or no network with one image input
 */
export async function load(model: string, { preprocess, size, ...engine }: LoadOptions = {}): Promise<Model> {
  const asked = given(engine);
  const runtime = Object.keys(asked).length === 0 ? await defaultEngine() : await createEngine(asked);
  const sides: [number, number] | undefined =
    size === undefined ? undefined : typeof size === 'number' ? [size, size] : [...size];
  const backbone = await loadBackbone(model, runtime, {
    preprocess: typeof preprocess === 'string' ? preprocess : undefined,
    overrides: { ...(typeof preprocess === 'object' && preprocess), ...(sides && { size: sides }) },
  });
  return new Model(backbone, runtime);
}

export async function modelOf(model: ModelLike): Promise<Model> {
  return typeof model === 'string' ? load(model) : model;
}

/**
 * The values of a network that can be read, shallowest first: alias, kind, layout, shape, depth, parameters, multiply-adds, and
 * how many features the pooling makes of each.
 */
export async function taps(model: ModelLike, options: TapsOptions = {}): Promise<PooledTap[]> {
  const { taps: wanted, pool } = requestedTaps(options);
  const tapped = await (await modelOf(model)).tapped();
  return poolTaps(selectTaps(tapped.taps, wanted), parsePool(pool));
}
