/** Any network in a browser: its taps, and pooled activations of images. */
import { UserError } from '../base/index.js';
import {
  type PreprocessInput,
  type PreprocessPreset,
  parsePreprocess,
  preprocessImage,
  preprocessPresets,
} from '../data/index.js';
import type { Program } from '../engine/index.js';
import { createOnnxRuntimeWeb, type WebEngineOptions } from '../engine/onnxruntime-web/index.js';
import { parsePool, pooledOutput, poolTaps, specialiseBackbone, tappedGraph, tapsOf } from '../features/index.js';
import { imageInput, normalForm, prune, readModel, replaceInput, selectTaps, type Tap } from '../graph/index.js';
import { type ModelSource, modelBytes, sourceName } from './bytes.js';
import { type ImageSource, rgbOf } from './image.js';

/** How a page opens a network. */
export interface BackboneOptions extends WebEngineOptions {
  /** A preset's name or the fields themselves; without, ImageNet's constants at the size that the input declares. */
  readonly preprocess?: PreprocessPreset | PreprocessInput;
}

/** A value that can be read. */
export type BrowserTap = Pick<
  Tap,
  'alias' | 'name' | 'kind' | 'op' | 'shape' | 'depth' | 'params' | 'macs' | 'standard'
>;

/** What of every image is asked for. */
export interface ExtractOptions {
  /** As --taps: names, aliases, globs, 'default' or 'all'. */
  readonly taps?: string;
  /** As --pool: 'gap', 'target:512' ... */
  readonly pool?: string;
}

/** One tap's features of some images. */
export interface TapFeatures {
  readonly alias: string;
  readonly name: string;
  /** p. */
  readonly features: number;
  /** (n, p), row after row: raw pooled values, as `toehold extract` stores them. */
  readonly values: Float32Array;
}

/** A network opened in a page. */
export interface BrowserBackbone {
  /** 'webgpu' or 'wasm'. */
  readonly device: string;
  readonly taps: readonly BrowserTap[];
  /** Pooled activations of images, one pass an image for all taps. */
  extract(images: readonly ImageSource[], options?: ExtractOptions): Promise<TapFeatures[]>;
  /** Frees the memory of the network; nothing can be extracted afterwards. */
  dispose(): Promise<void>;
}

/**
 * Opens an ONNX file that takes one image.
 * @throws UserError when it is no such network, or the preprocessing is wrong
 */
export async function openBackbone(source: ModelSource, options: BackboneOptions = {}): Promise<BrowserBackbone> {
  const engine = await createOnnxRuntimeWeb(options);
  const graph = await normalForm(readModel(await modelBytes(source), { path: sourceName(source) }), engine);
  const preprocess = parsePreprocess(fieldsOf(options.preprocess, imageInput(graph).shape), 'preprocess');
  const backbone = { graph, preprocess };
  const { taps } = await tapsOf(backbone, engine);
  const network = await specialiseBackbone(backbone, engine, 1);
  const programs = new Map<string, Promise<{ program: Program; pooled: ReturnType<typeof poolTaps> }>>();
  const compile = async (request: string, pool: string) => {
    const items = parsePool(pool);
    const pooled = poolTaps(selectTaps(taps, request), items);
    const whole = replaceInput(
      tappedGraph(network, pooled, items),
      { name: 'image', type: 'uint8', shape: ['H', 'W', 3] },
      (b, image) => preprocessImage(b, image, preprocess),
    );
    return { program: await engine.compile(prune(whole)), pooled };
  };
  return {
    device: engine.device,
    taps,
    async extract(images, { taps: request = 'default', pool = 'target:512' } = {}) {
      const key = `${request} ${pool}`;
      const found = programs.get(key) ?? compile(request, pool);
      programs.set(key, found);
      const { program, pooled } = await found;
      const result = pooled.map(({ alias, name, features }) => ({
        alias,
        name,
        features,
        values: new Float32Array(images.length * features),
      }));
      for (const [i, image] of images.entries()) {
        const { width, height, data } = await rgbOf(image);
        const outputs = await program.run({ image: { type: 'uint8', dims: [height, width, 3], data } });
        for (const [t, tap] of pooled.entries()) {
          const { features, values } = result[t] as TapFeatures;
          const own = outputs[pooledOutput(tap)]?.data as Float32Array;
          values.set(own, i * features);
        }
      }
      return result;
    },
    async dispose() {
      for (const found of programs.values()) await (await found).program.dispose();
      programs.clear();
    },
  };
}

function fieldsOf(
  named: BackboneOptions['preprocess'],
  shape: readonly (number | string | null)[] | undefined,
): PreprocessInput {
  if (typeof named === 'object') return named;
  if (named !== undefined && !Object.hasOwn(preprocessPresets, named)) {
    throw new UserError(
      `there is no preprocessing preset '${named}'; presets: ${Object.keys(preprocessPresets).join(', ')}`,
    );
  }
  const [, a, b, c] = shape ?? [];
  const nhwc = c === 3 && a !== 3;
  const [height, width] = nhwc ? [a, b] : [b, c];
  const sized =
    typeof height === 'number' && typeof width === 'number' ? { size: [height, width] as [number, number] } : {};
  return { ...preprocessPresets[named ?? 'imagenet'], ...sized, ...(nhwc && { layout: 'nhwc' as const }) };
}
