/** toehold extract MODEL DATA -o DIR: one pass, all taps, pooled, resumable. */
import { type Command, Option } from 'commander';
import { claimFolder, formatSeconds, given, parseShare, quantity } from '../base/index.js';
import { readExamples } from '../data/index.js';
import {
  type ExtractedShare,
  type Extraction,
  extract,
  extractShare,
  holdsLabels,
  loadBackbone,
  type Precision,
  precisionOf,
  precisions,
  requestOf,
  storages,
} from '../features/index.js';
import { addBackboneFlags, type BackboneFlags, backboneOptions, modelHelp } from './backbone-flags.js';
import { addDataFlags, type DataFlags, dataHelp, dataInput, dataOptions } from './data-flags.js';
import {
  addEngineFlags,
  addOutput,
  bytes,
  createEngine,
  type EngineFlags,
  type OutputFlags,
  wholeNumber,
} from './flags.js';
import { note, printJson, printText } from './output.js';

interface ExtractFlags extends EngineFlags, BackboneFlags, DataFlags, OutputFlags {
  taps: string;
  tokens?: string;
  pool: string;
  store: Precision;
  batch: number;
  memory?: number;
  target?: 'none';
  skipBad?: boolean;
  shard?: string;
  quiet?: boolean;
  json?: boolean;
}

export function registerExtract(program: Command): void {
  const command = program
    .command('extract')
    .description('run a network over images once and keep the pooled activations of every tap')
    .argument('<model>', modelHelp)
    .argument('<data>', dataHelp)
    .option('--taps <globs>', 'which: aliases, names, globs, default, modules (of attention blocks), all', 'default')
    .option(
      '--pool <spec>',
      'gap, cls, mean, mean+cls, max, std, tokens, target:T, head2toe:T; several with commas',
      'gap',
    )
    .addOption(
      new Option(
        '--tokens <tap>',
        'keep every position of one layer, in float16: --taps TAP --pool tokens --store float16',
      )
        .conflicts('taps')
        .implies({ pool: 'tokens', store: 'float16' }),
    )
    .addOption(
      new Option('--store <precision>', 'of the stored features: float16 takes half of the bytes')
        .choices(precisions)
        .default('float32'),
    )
    .option('--batch <n>', 'images per run of the network; 0 chooses', wholeNumber, 0)
    .option(
      '--memory <size>',
      'what copies of the network that run side by side may take: 16G (default: a quarter)',
      bytes,
    )
    .addOption(
      new Option(
        '--target <kind>',
        'none: extract all images without labels; default: with those that there are',
      ).choices(['none']),
    )
    .option('--skip-bad', 'leave unreadable images out and list them in meta.json')
    .option(
      '--shard <i/n>',
      'run the network over the i-th of n shares of the images (from 0); when all are done, the same command without it makes the store',
    )
    .option('--quiet', 'no progress')
    .option('--json', 'print one JSON document');
  addOutput(command, { kind: 'dir', text: 'feature store to write or to add taps to', fallback: 'features' });
  addBackboneFlags(addEngineFlags(addDataFlags(command), { several: true })).action(
    async (model: string, data: string, flags: ExtractFlags) => {
      const share = flags.shard === undefined ? undefined : parseShare(flags.shard, '--shard');
      await claimFolder(flags.output, 'a feature store', {
        force: flags.force,
        inputs: [model, await dataInput(data)],
      });
      const engine = await createEngine(flags);
      const backbone = await loadBackbone(model, engine, backboneOptions(flags));
      for (const line of backbone.notes) note(`note: ${line}`);
      const dataset = await readExamples(data, { ...dataOptions(flags), target: flags.target });
      if (dataset.kind === 'none')
        note(`note: no labels (${dataset.reason}): toehold score reads such a store, probes do not`);
      const options = {
        output: flags.output,
        taps: flags.tokens ?? flags.taps,
        pool: flags.pool,
        precision: flags.store,
        batch: flags.batch,
        memory: flags.memory ?? 0,
        skipBad: flags.skipBad ?? false,
        quiet: flags.quiet ?? false,
        log: note,
      };
      if (share) {
        const done = await extractShare(backbone, requestOf(dataset), engine, options, share);
        if (flags.json) printJson({ store: flags.output, shard: flags.shard, ...done });
        else printText([describeShare(flags, done)]);
        return;
      }
      const extraction = await extract(backbone, requestOf(dataset), engine, options);
      for (const line of extraction.meta.data.warnings) note(`warning: ${line}`);
      if (flags.json) printJson(documentOf(flags.output, extraction));
      else printText(describe(flags.output, extraction));
    },
  );
}

/** "8 streams of 1 thread". */
const quantityOf = ({ count, threads }: NonNullable<Extraction['streams']>): string =>
  `${count} ${count === 1 ? 'stream' : 'streams'} of ${threads} ${threads === 1 ? 'thread' : 'threads'}`;

const describeShare = ({ output, shard }: ExtractFlags, { images, of, seconds }: ExtractedShare): string =>
  `${output}: share ${shard} is done, ${images} of ${of} images in ${formatSeconds(seconds)}; when all shares are, the same command without --shard makes the store`;

function sizeOf({ meta }: Extraction): { images: number; features: number } {
  return {
    images: Object.values(meta.splits).reduce((sum, split) => sum + split.n, 0),
    features: meta.taps.reduce((sum, tap) => sum + tap.features, 0),
  };
}

function documentOf(store: string, extraction: Extraction) {
  const { meta, computed, streams, seconds } = extraction;
  return { store, computed, ...given({ streams }), seconds, ...sizeOf(extraction), ...meta };
}

function describe(store: string, extraction: Extraction): string[] {
  const { meta, computed, streams, seconds } = extraction;
  const { images, features } = sizeOf(extraction);
  const splits = Object.entries(meta.splits).map(([name, { n }]) => `${n} ${name}`);
  const did =
    computed.length > 0
      ? `${computed.length} taps of ${images} images in ${formatSeconds(seconds)} (${(images / seconds).toFixed(0)} images/s${streams ? ` in ${quantityOf(streams)}` : ''})`
      : 'nothing to compute: everything asked for is there';
  return [
    `${meta.model.name}: ${did}`,
    `${store}: ${splits.join(', ')} images, ${holdsLabels(meta) ? `${meta.classes.length} classes` : 'no labels'}, ${meta.taps.length} taps, ${features} features (${quantity(features * images * storages[precisionOf(meta)].bytes, 'B')})`,
    ...(meta.model.preprocessing?.how === 'guessed'
      ? [`preprocessing guessed: ${meta.model.preprocessing.from}; --preprocess says otherwise`]
      : []),
    ...meta.dropped.map((d) => `skipped ${d.alias}: ${d.reason}`),
    ...(meta.skipped.length > 0 ? [`left out ${meta.skipped.length} unreadable images (listed in meta.json)`] : []),
  ];
}
