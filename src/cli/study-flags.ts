/** Flags that say which study of a config is meant, and the words of a command that means the same one elsewhere. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { given, readJson } from '../base/index.js';
import { machineTopology } from '../engine/index.js';
import { loadConfig, type Moved, type StudyConfig } from '../study/index.js';
import { addEngineFlags, addPixelFlag, type EngineFlags, margin, marginHelp } from './flags.js';

export interface ConfigFlags extends EngineFlags {
  output: string;
  lite?: boolean;
  margin?: number;
  sourceAccuracy?: string;
  maxPixels?: number;
  data?: readonly Moved[];
}

/** Declares them, and those of the engine. */
export function addConfigFlags(command: Command, engine: { readonly several?: boolean } = {}): Command {
  command
    .option('--lite', 'small budgets: about ten minutes a task on two cores; says what it gives up')
    .option('--margin <points>', marginHelp, margin)
    .option(
      '--source-accuracy <file>',
      'CSV of network,accuracy[,source]: how good networks are on what they were pretrained on (protocol kornblith)',
    );
  command.option(
    '--data <old=new>',
    'data and networks that were moved since the config was written: a path of it, or one above, and its new place',
    movedFrom,
  );
  return addPixelFlag(addEngineFlags(command, engine));
}

/** One --data after others. */
function movedFrom(text: string, before: readonly Moved[] = []): readonly Moved[] {
  const at = text.indexOf('=');
  const [from, to] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || to === '')
    throw new InvalidArgumentError('it must be OLD=NEW, for example --data /scratch/photos=/data/photos.');
  return [...before, { from, to: resolve(to) }];
}

/** @throws UserError as loadConfig does */
export function studyOf(config: string, flags: ConfigFlags, planning = false): Promise<StudyConfig> {
  const { lite = false, margin: points, sourceAccuracy, data: moved } = flags;
  return loadConfig(config, {
    lite,
    planning,
    ...given({ margin: points, sourceAccuracy: sourceAccuracy && resolve(sourceAccuracy), moved }),
  });
}

/** What the config says of the engine and the command line does not. */
export function engineOf({ engine, device }: StudyConfig['config'], command: Command): Partial<EngineFlags> {
  const isOpen = (flag: string) => command.getOptionValueSource(flag) === 'default';
  return {
    ...(engine !== undefined && isOpen('engine') && { engine }),
    ...(device !== undefined && isOpen('device') && { device: device as EngineFlags['device'] }),
  };
}

/** On a cluster, a login node's cores say nothing of those that jobs get. */
const mostCores = 8;

/**
 * Threads of a study that other machines work on too: they are part of what decides the bytes of trained networks. Those asked
 * for; else those that the run began with; else the config's cores of a job.
 */
export async function threadsOf(flags: Pick<ConfigFlags, 'threads' | 'output'>, study: StudyConfig): Promise<number> {
  if (flags.threads > 0) return flags.threads;
  const run = (await readJson(resolve(flags.output, 'run.json'), 'delete it and run again')) as
    | { threads?: number }
    | undefined;
  return run?.threads ?? study.config.slurm?.cpus ?? Math.min(mostCores, machineTopology().processors);
}

/** The command `toehold NAME CONFIG -o RUN ...` for the same study on the same engine, in any folder. */
export function wordsOf(
  name: string,
  config: string,
  flags: ConfigFlags,
  engine: Pick<EngineFlags, 'engine' | 'device' | 'threads'>,
): string[] {
  const { lite, margin: points, sourceAccuracy, maxPixels, output, data = [] } = flags;
  const main = process.argv[1] as string;
  return [
    process.execPath,
    ...process.execArgv.filter((flag) => !/^--(inspect|debug)/.test(flag)),
    main,
    name,
    resolve(config),
    '-o',
    resolve(output),
    '--engine',
    engine.engine,
    '--device',
    engine.device,
    '--threads',
    String(engine.threads),
    ...(lite ? ['--lite'] : []),
    ...(points === undefined ? [] : ['--margin', String(points)]),
    ...(sourceAccuracy === undefined ? [] : ['--source-accuracy', resolve(sourceAccuracy)]),
    ...(maxPixels === undefined ? [] : ['--max-pixels', String(maxPixels)]),
    ...data.flatMap(({ from, to }) => ['--data', `${from}=${to}`]),
  ];
}
