/** A question without a file: one network, one data set, and the study that answers it within some minutes. */
import { basename, relative } from 'node:path';
import { stringify } from 'yaml';
import { formatSeconds, given, sha256 } from '../base/index.js';
import type { SeveralLabels } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { backboneName } from '../features/index.js';
import { isHubName } from '../hub/index.js';
import { trainedNamed } from './catalogue.js';
import type { Config } from './config/schema.js';
import { ConfigSchema, protocolNamed, resolveConfig } from './load.js';
import { measuredPace } from './pace.js';
import { type PreparedStudy, prepareStudy } from './study.js';

/** What `toehold ask` and `init` are asked. */
export interface Question {
  /** ONNX file. */
  readonly model: string;
  /** Folder of images or manifest. */
  readonly data: string;
  readonly preprocess?: string | undefined;
  /** Side of the images in pixels, for every method; the network's own by default. */
  readonly size?: number | undefined;
  readonly groupFrom?: string | undefined;
  readonly encoding?: string | undefined;
  readonly allowOutside?: boolean | undefined;
  readonly nearDuplicates?: boolean | undefined;
  readonly columns?: string | undefined;
  readonly severalLabels?: SeveralLabels | undefined;
  readonly holdout?: number | undefined;
  readonly testSplit?: string | undefined;
  readonly margin?: number | undefined;
  /** Whether networks are trained, too. */
  readonly training?: boolean | undefined;
}

/** Everything that a question may be answered by. */
const methods = ['linear', 'auto', 'head2toe', 'finetune', 'scratch'];

/** The config that answers a question in full. @param folder what its paths are relative to */
export function configOf(
  { model, data, preprocess, size, margin, training = true, ...settings }: Question,
  folder: string,
): Config {
  const path = (file: string) => (isHubName(file) ? file : relative(folder, file) || '.');
  const network = nameOf(backboneName(model));
  const task = nameOf(basename(data).replace(/\.(csv|tsv|jsonl?|ndjson|parquet|tar|np[yz]|tfrecords?)$/i, ''));
  return ConfigSchema.parse({
    title: `What ${network} knows of ${task}`,
    protocol: 'head2toe',
    backbones: {
      [network]: {
        model: path(model),
        pool: 'target:512',
        ...given({ preprocess: preprocess?.endsWith('.json') ? path(preprocess) : preprocess }),
      },
    },
    tasks: {
      [task]: {
        data: path(data),
        ...given(settings),
      },
    },
    methods: training ? methods : methods.filter((m) => !trainedNamed(m)),
    labels: 'all',
    ...given({ input: size, margin }),
    probe: {
      lambdas: 15,
      ratio: 0.03,
      fractions: [0.005, 0.02, 0.1, 0.5],
      repetitions: 1,
      leaveOut: 3,
      rankWindows: false,
    },
    train: {
      epochs: 8,
      scratchEpochs: 16,
      learningRates: [0.003, 0.01, 0.03],
      scratchLearningRates: [0.01, 0.03, 0.1],
    },
  });
}

/** A name for a config, from that of a file. */
function nameOf(text: string): string {
  const name = text
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[._-]+/, '');
  return name === '' ? sha256(text).slice(0, 8) : name;
}

/** A config as people edit it. @param heading comment lines at its top */
export const configText = (config: Config, heading: readonly string[]): string =>
  `${heading.map((line) => `# ${line}\n`).join('')}${stringify(config, { lineWidth: 110 })}`;

/** What is left out of an answer, from what is missed least. */
const steps: readonly { readonly what: string; readonly without: (config: Config) => Config }[] = [
  { what: 'training with three seeds', without: (config) => ({ ...config, seeds: [0] }) },
  {
    what: 'a probe on every layer by itself',
    without: (config) => ({ ...config, probe: { ...config.probe, perTap: false } }),
  },
  { what: 'training from scratch', without: (config) => withoutMethod(config, 'scratch') },
  { what: 'fine-tuning', without: (config) => withoutMethod(config, 'finetune') },
  { what: 'Head2Toe', without: (config) => withoutMethod(config, 'head2toe') },
];

const withoutMethod = (config: Config, method: string): Config => ({
  ...config,
  methods: config.methods?.filter((m) => m !== method),
});

/**
 * As much of a study as fits in some minutes, by its own estimates; training steps are timed where training could fit.
 * @param folder what the config's paths are relative to
 */
export async function fitInto(config: Config, folder: string, minutes: number, engine: Engine): Promise<PreparedStudy> {
  const seconds = 60 * minutes;
  const whole = await prepareStudy(resolveConfig(config, folder), engine);
  let { inputs } = whole;
  const planned = (own: Config): PreparedStudy => {
    const study = resolveConfig(own, folder);
    const all = { ...inputs, study };
    return { ...protocolNamed(study.config.protocol).plan(all), inputs: all };
  };
  const [first] = steps as [(typeof steps)[number]];
  if (config.methods?.some(trainedNamed) && cost(planned(first.without(config))) < 3 * seconds) {
    const { backbone, study } = inputs;
    inputs = {
      ...inputs,
      paces: new Map([[backbone.name, await measuredPace(engine, backbone, study.budgets.train)]]),
    };
  }
  let own = config;
  let prepared = planned(own);
  const needed = cost(prepared);
  const left: string[] = [];
  for (const { what, without } of steps) {
    if (cost(prepared) <= seconds) break;
    own = without(own);
    const before = cost(prepared);
    prepared = planned(own);
    if (cost(prepared) < before) left.push(what);
  }
  if (left.length === 0) return prepared;
  // Of what is not done at all, how it would have been done says nothing.
  const said = left.includes('fine-tuning') ? left.slice(1) : left;
  const all = Math.ceil(needed / 60);
  return {
    ...prepared,
    leftOut: `not within ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}: ${said.join(', ')} (all of it: about ${formatSeconds(needed)}, --minutes ${all}${left.includes('fine-tuning') ? '; smaller images, --size 96 say, train faster' : ''})`,
  };
}

const cost = ({ plan }: PreparedStudy): number => plan.units.reduce((sum, unit) => sum + unit.seconds, 0);
