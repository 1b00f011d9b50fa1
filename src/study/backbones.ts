/** A backbone as the study sees it: named by the content of its file, with the size and cost of one image. */
import { canonicalJson, given, messageOf, packageVersion, sha256, UserError } from '../base/index.js';
import { type Preprocess, parsePreprocess, resolvePreprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Backbone,
  loadBackbone,
  type Precision,
  parsePool,
  poolTaps,
  storages,
  tapsOf,
} from '../features/index.js';
import { architectures, buildArchitecture, imageInput, selectTaps, type Tap } from '../graph/index.js';
import { notTrained } from '../transfer/index.js';
import { needsControl, trainedNamed } from './catalogue.js';
import type { StudyConfig } from './config/study-config.js';
import { Kept, type NetworkFacts } from './kept.js';
import { type NetworkLayers, networkLayers } from './layer-copy/network.js';

export interface StudyBackbone {
  readonly name: string;
  readonly model: Backbone;
  readonly sha256: string;
  readonly preprocess: Preprocess;
  /** Request for taps, see selectTaps. */
  readonly taps: string;
  readonly pool: string;
  /** Of its stored features. */
  readonly precision: Precision;
  /** Numbers that these leave of an image. */
  readonly features: number;
  /** Learned numbers, and multiply-adds for one image of its own size. */
  readonly params: number;
  readonly macs: number;
  /** Where it is an architecture that is trained from fresh weights, and comes from no file: its layers. */
  readonly fresh?: NetworkLayers | undefined;
}

/** Bytes of a feature store of so many images. */
export const storeBytes = ({ precision, features }: StudyBackbone, images: number): number =>
  storages[precision].bytes * images * features;

/** Multiply-adds for an image of another size: convolutions cost by area. */
export function macsAt({ macs, preprocess }: StudyBackbone, side: number | undefined): number {
  if (side === undefined) return macs;
  const [height, width] = preprocess.size;
  return (macs * side * side) / (height * width);
}

/** The backbone's preprocessing at another size: same constants, no crop. */
export function preprocessAt({ preprocess }: StudyBackbone, side: number | undefined): Preprocess {
  if (side === undefined) return preprocess;
  const { resizeTo: _, ...rest } = preprocess;
  return parsePreprocess({ ...rest, resize: 'exact', size: side }, 'training size');
}

/** The networks of a study. */
export interface StudyBackbones {
  /** Under study. */
  readonly backbone: StudyBackbone;
  /** The second one, where a method reads two. */
  readonly control: StudyBackbone | undefined;
  /** All that are compared; the one under study alone, where the protocol compares no networks. */
  readonly networks: readonly StudyBackbone[];
}

/** Reads and checks the backbones that the study uses. @throws UserError with the config's line. */
export async function readBackbones(
  study: StudyConfig,
  engine: Engine,
  kept = new Kept(undefined),
): Promise<StudyBackbones> {
  const { config, budgets, backbone } = study;
  if (budgets.networks === 'all') return { ...(await readAll(study, engine, kept)), control: undefined };
  if (config.network !== undefined) {
    const fresh = await architectureOf(study, engine, config.network);
    return { backbone: fresh, networks: [fresh], control: undefined };
  }
  const { taps = [], pool } = config.backbones[backbone] ?? {};
  const own = await readBackbone(study, engine, backbone, { taps: taps.join(','), pool: pool ?? budgets.pool }, kept);
  return {
    backbone: own,
    networks: [own],
    control:
      config.control !== undefined && budgets.methods.some(needsControl)
        ? // Only its last layer is read.
          await readBackbone(study, engine, config.control, lastLayer, kept)
        : undefined,
  };
}

/** Every network of the config, by its last layer; accuracies on their sources come with the config. */
async function readAll(
  study: StudyConfig,
  engine: Engine,
  kept: Kept,
): Promise<Pick<StudyBackbones, 'backbone' | 'networks'>> {
  const networks: StudyBackbone[] = [];
  for (const name of Object.keys(study.config.backbones)) {
    networks.push(await readBackbone(study, engine, name, lastLayer, kept));
  }
  const backbone = networks.find(({ name }) => name === study.backbone) as StudyBackbone;
  return { backbone, networks };
}

const lastLayer = { taps: 'features', pool: 'gap' };

async function readBackbone(
  study: StudyConfig,
  engine: Engine,
  name: string,
  read: Pick<StudyBackbone, 'taps' | 'pool'>,
  kept: Kept,
): Promise<StudyBackbone> {
  const entry = study.config.backbones[name];
  try {
    if (!entry) throw new UserError('it is not described');
    const preprocess = entry.preprocess?.endsWith('.json') ? study.path(entry.preprocess) : entry.preprocess;
    const load = (size: number | undefined) =>
      loadBackbone(study.path(entry.model), engine, { preprocess, overrides: given({ size }) });
    const wanted = study.config.input ?? entry.size;
    const { largestInput } = study.budgets;
    let model = await load(wanted);
    const side = Math.max(...model.preprocess.size);
    if (wanted === undefined && largestInput !== undefined && side > largestInput && takesAnySize(model))
      model = await load(largestInput);
    if (model.quantised && study.budgets.methods.some(trainedNamed))
      throw new UserError(notTrained(model.origin?.file));
    const { sha256, preprocess: resolved } = model;
    const key = { ...read, sha256, preprocess: resolved, engine: engine.name, toehold: packageVersion() };
    const facts = await kept.network(key, async () => factsOf((await tapsOf(model, engine)).taps, read));
    return { ...read, ...facts, precision: entry.store ?? 'float32', name, model, sha256, preprocess: resolved };
  } catch (error) {
    throw study.error(['backbones', name], `backbone '${name}': ${messageOf(error)}`);
  }
}

const factsOf = (taps: readonly Tap[], read: Pick<StudyBackbone, 'taps' | 'pool'>): NetworkFacts => ({
  features: poolTaps(selectTaps(taps, read.taps), parsePool(read.pool)).reduce((sum, tap) => sum + tap.features, 0),
  params: Math.max(...taps.map((t) => t.params)),
  macs: Math.max(...taps.map((t) => t.macs)),
});

/** Its file leaves height and width free. */
function takesAnySize({ graph }: Backbone): boolean {
  const { shape } = imageInput(graph);
  return shape === undefined || !shape.slice(1).some((d) => typeof d === 'number' && d > 3);
}

/** An architecture, fresh, at the study's size or its own. @throws UserError with the config's line */
async function architectureOf(study: StudyConfig, engine: Engine, name: string): Promise<StudyBackbone> {
  try {
    const size = study.config.input ?? architectures[name]?.defaults.size;
    const graph = buildArchitecture(name, given({ size }));
    const { preprocess } = await resolvePreprocess('imagenet', undefined, given({ size }));
    const { taps } = await tapsOf({ graph, preprocess }, engine);
    const key = sha256(canonicalJson({ architecture: name, size: size ?? null }));
    return {
      name,
      fresh: await networkLayers(engine, { graph, preprocess }),
      model: { name, path: '', sha256: key, graph, preprocess, notes: [] },
      sha256: key,
      preprocess,
      taps: 'default',
      pool: study.budgets.pool,
      precision: 'float32',
      ...factsOf(taps, { taps: 'default', pool: study.budgets.pool }),
    };
  } catch (error) {
    throw study.error(['network'], messageOf(error));
  }
}
