/** toehold unit CONFIG -o RUN ID...: some units of a study, and nothing else: what a job of a cluster does. */
import type { Command } from 'commander';
import { WorkError } from '../base/index.js';
import { createView, doUnits, prepareStudy } from '../study/index.js';
import { addOutput, assertOneDevice, createEngine } from './flags.js';
import { printJson } from './output.js';
import { onStop } from './signals.js';
import { addConfigFlags, type ConfigFlags, engineOf, studyOf, threadsOf } from './study-flags.js';

interface UnitFlags extends ConfigFlags {
  needs?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** As a shell says it of a process that a signal ended: it is to be started again. */
const stoppedCode = 128 + 10;

export function registerUnit(program: Command): void {
  const command = program
    .command('unit')
    .description('do some units of a study, and nothing else: what a job of a cluster does')
    .argument('<config>', 'the study')
    .argument('<id...>', 'units, as toehold plan lists them')
    .option('--needs', 'also do what they need, where it is not done')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', required: true });
  addConfigFlags(command).action(async (config: string, ids: string[], flags: UnitFlags) => {
    const stop = new AbortController();
    let signalled = false;
    const onSignal = () => {
      signalled = true;
      stop.abort();
    };
    process.on('SIGUSR1', onSignal);
    const forget = onStop(() => stop.abort());
    try {
      const study = await studyOf(config, flags);
      const threads = await threadsOf(flags, study);
      const wanted = { ...flags, ...engineOf(study.config, command), threads };
      assertOneDevice(wanted.device, 'toehold unit');
      const engine = await createEngine(wanted);
      const prepared = await prepareStudy(study, engine, { keep: flags.output });
      const { units, errors, states } = await doUnits(prepared, {
        folder: flags.output,
        ids,
        needs: flags.needs,
        signal: stop.signal,
        ...(flags.quiet ? {} : { view: createView() }),
      });
      if (flags.json) printJson({ run: flags.output, units });
      const isOpen = ids.some((id) => states.get(id) !== 'done');
      if (stop.signal.aborted && isOpen) {
        if (signalled) process.exit(stoppedCode);
        throw new WorkError(
          'stopped; training left a checkpoint, an extraction its chunks, and the same command continues there',
        );
      }
      const failed = ids.find((id) => states.get(id) !== 'done');
      if (failed !== undefined) throw new WorkError(`unit ${failed} is not done: ${errors.get(failed) ?? 'it failed'}`);
    } finally {
      forget();
      process.removeListener('SIGUSR1', onSignal);
    }
  });
  command.addHelpText('after', '\nExit code 138 says that SIGUSR1 stopped it: start it again, and it continues.');
}
