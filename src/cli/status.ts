/** toehold status RUN: how a run stands, whoever works on it; toehold cancel RUN: takes its jobs out of the queue. */
import type { Command } from 'commander';
import { formatSeconds, textTable, UserError } from '../base/index.js';
import { cancel, type RunStatus, slurm, statusOf, type UnitStatus } from '../study/cluster/index.js';
import { note, printJson, printText } from './output.js';

/** Lines that are printed of each state. */
const shown = 20;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('how a run stands: units by state, what runs where, why others failed')
    .argument('<run>', 'run folder')
    .option('--json', 'one JSON document on stdout')
    .action(async (run: string, flags: { json?: boolean }) => {
      const status = await statusWithQueue(run);
      if (flags.json) printJson(status);
      else printText(describe(status));
    });
}

/** Where no Slurm can be asked, what the folder knows. */
async function statusWithQueue(run: string): Promise<RunStatus> {
  try {
    return await statusOf(run, slurm);
  } catch (error) {
    if (!(error instanceof UserError) || !error.message.startsWith('there is no squeue')) throw error;
    note('note: there is no squeue here: jobs of the queue are not known');
    return statusOf(run);
  }
}

export function registerCancel(program: Command): void {
  program
    .command('cancel')
    .description('take all jobs of a run out of the queue; what is done stays')
    .argument('<run>', 'run folder')
    .option('--json', 'one JSON document on stdout')
    .action(async (run: string, flags: { json?: boolean }) => {
      const jobs = await cancel(run, slurm);
      if (flags.json) printJson({ run, cancelled: jobs });
      else
        printText([jobs === 0 ? 'no job of this run is in the queue' : `${jobs} jobs cancelled; what is done stays`]);
    });
}

function describe({ counts, units, jobs, secondsLeft }: RunStatus): string[] {
  const of = (state: UnitStatus['state']) => units.filter((unit) => unit.state === state);
  const open = counts.running + counts.queued + counts.open;
  const table = (state: UnitStatus['state']) => {
    const found = of(state);
    const rows = found.slice(0, shown).map(({ label, where = '', job = '' }) => [state, label, where, job]);
    return found.length === 0
      ? []
      : [
          '',
          ...textTable(['', 'unit', 'where', 'job'], rows),
          ...(found.length > shown ? [`and ${found.length - shown} more`] : []),
        ];
  };
  return [
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state}`)
      .join(', '),
    ...(jobs > 0 ? [`${jobs} jobs in the queue`] : []),
    ...(open > 0 ? [`about ${formatSeconds(secondsLeft)} left`] : []),
    ...table('running'),
    ...table('queued'),
    ...[...of('failed'), ...of('lost')]
      .slice(0, shown)
      .flatMap(({ label, state, error, lines = [], log }) => [
        '',
        `${state}: ${label}: ${error}`,
        ...lines.map((line) => `  | ${line}`),
        ...(log === undefined ? [] : [`  (${log})`]),
      ]),
  ];
}
