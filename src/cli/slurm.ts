/** A study as jobs of Slurm: submitting it, watching it, and its record at the end. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStatus, formatSeconds } from '../base/index.js';
import { readRecord } from '../record/index.js';
import { forecast, type QueuedJob, type RunStatus, slurm, statusOf, submit } from '../study/cluster/index.js';
import { assembleRun, type PreparedStudy, RunFolder, writeRunFile } from '../study/index.js';
import { note, printJson, printText } from './output.js';
import { onStop } from './signals.js';
import { draw, printStudy, type StudyFlags } from './study.js';

export interface SlurmFlags extends Pick<StudyFlags, 'log'> {
  output: string;
  wait?: boolean;
  /** In the last job of a wave: what failed is not tried again. */
  continue?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export interface SlurmRun extends SlurmFlags {
  /** That was typed. */
  readonly command: string;
  readonly unitCommand: readonly string[];
  readonly lastCommand: readonly string[];
}

/** Record and report of what a run folder holds. */
export async function assembleOnly(
  prepared: PreparedStudy,
  flags: Pick<SlurmFlags, 'output' | 'json' | 'log'>,
  command: string,
  errors?: ReadonlyMap<string, string>,
): Promise<void> {
  const folder = flags.output;
  let page = '';
  const { outcome, record } = await assembleRun(prepared, { folder, command }, errors, async (found) => {
    page = await draw(prepared, found, flags);
  });
  printStudy({ record, outcome, folder, page, json: flags.json === true, prepared });
}

/** Says what all units would be as jobs. Without a Slurm, 64 are taken to run side by side, where the config does not say. */
export async function noteJobs({ plan, inputs }: PreparedStudy): Promise<void> {
  const settings = inputs.study.config.slurm ?? {};
  const limits = await slurm
    .limits(settings.partition)
    .catch(() => ({ cores: 64 * inputs.engine.threads, maxArray: 1001 }));
  const parallel = settings.parallel ?? Math.max(1, Math.floor(limits.cores / inputs.engine.threads));
  const { jobs, arrays, longest, seconds } = forecast(plan, settings, parallel, limits.maxArray);
  note(
    `nothing is submitted; as jobs of Slurm: ${jobs} jobs in ${arrays} arrays, the longest about ${formatSeconds(longest)}; with ${parallel} side by side about ${formatSeconds(seconds)}`,
  );
}

/** Submits what is not done; where nothing is left, writes the record. */
export async function runOnSlurm(prepared: PreparedStudy, run: SlurmRun): Promise<void> {
  const { output, command, json = false, quiet = false } = run;
  const { plan, inputs } = prepared;
  if (!run.continue) await writeRunFile(prepared, { folder: output, command });
  const submitted = await submit({
    plan,
    folder: resolve(output),
    settings: inputs.study.config.slurm ?? {},
    cpus: inputs.engine.threads,
    unitCommand: run.unitCommand,
    lastCommand: run.lastCommand,
    queue: slurm,
    continues: run.continue,
  });
  const { jobs, units, underWay, later, last, busy } = submitted;
  if (last === undefined && !busy) {
    await assembleOnly(prepared, run, command, await errorsOf(output));
    return;
  }
  if (busy) note('another command is submitting this run now: its jobs do the work');
  else {
    const also = [
      ...(underWay > 0 ? [`${underWay} units are under way`] : []),
      ...(later > 0 ? [`${later} units follow as these end`] : []),
    ];
    note([`${units} units submitted in ${jobs} jobs`, ...also, `job ${last} writes the report`].join('; '));
  }
  if (!(run.wait ?? process.stderr.isTTY === true)) {
    if (json) printJson({ run: output, submitted });
    else printText([`toehold status ${output} shows how it stands, toehold cancel ${output} ends it`]);
    return;
  }
  const spared = await watch(output, quiet);
  if (spared) {
    await slurm.cancel([spared.id]);
    await assembleOnly(prepared, run, command);
    return;
  }
  const { counts } = await statusOf(output, slurm);
  const record = await readRecord(output);
  const total = plan.units.length;
  const done = counts.done;
  printStudy({
    record,
    outcome: {
      units: { total, done, failed: counts.failed + counts.lost, cached: total - units - underWay },
      ...(await failuresOf(output)),
    },
    folder: output,
    page: resolve(output, 'report.html'),
    json,
    prepared,
  });
}

/** A sentence for each unit that is not done and left none, or that failed. */
async function errorsOf(folder: string): Promise<Map<string, string>> {
  const { units } = await statusOf(folder, slurm);
  return new Map(units.flatMap(({ id, error, state }) => (error && state !== 'blocked' ? [[id, error] as const] : [])));
}

async function failuresOf(folder: string) {
  const errors = await errorsOf(folder);
  return { errors, states: new Map([...errors.keys()].map((id) => [id, 'failed' as const])) };
}

/** Between two looks at the queue, which cost a part of a second each: of a long run a fiftieth of the time that it has taken. */
const pauseAfter = (seconds: number): number => Math.min(15, Math.max(2, seconds / 50));

/**
 * Shows how the run stands until its last job has ended.
 * @returns this job, where all units are done and it waits for its turn: who watched can write the report at once
 */
async function watch(path: string, quiet: boolean): Promise<QueuedJob | undefined> {
  const folder = new RunFolder(path);
  const status = createStatus({ quiet, plainSeconds: 60 });
  const told = new Set<string>();
  const began = performance.now();
  let stopped: NodeJS.Signals | undefined;
  const forget = onStop(() => {
    stopped = 'SIGINT';
  });
  try {
    for (;;) {
      const now = await statusOf(path, slurm);
      for (const { id, label, state, error } of now.units) {
        if ((state !== 'failed' && state !== 'lost') || told.has(id)) continue;
        told.add(id);
        status.line(`FAILED: ${label}: ${error}`);
      }
      if (now.jobs === 0) return undefined;
      const open = now.units.filter(({ state }) => state !== 'done').map(({ id }) => id);
      const isWork = open.length > 0;
      if (!isWork && now.last?.state === 'PENDING') return now.last;
      status.show(lineOf(now));
      const pause = pauseAfter((performance.now() - began) / 1000);
      for (let waited = 0; waited < pause && !stopped; waited += 0.1) {
        await sleep(100);
        // A look at the folder costs little, and says when one at the queue is worth it.
        while (open.length > 0 && folder.has(open.at(-1) as string)) open.pop();
        if (isWork && open.length === 0) break;
      }
      if (stopped) break;
    }
  } finally {
    forget();
    status.end();
  }
  note(`the jobs stay in the queue; toehold status ${path} shows how they stand, toehold cancel ${path} ends them`);
  process.kill(process.pid, stopped);
  await sleep(1000);
  return undefined;
}

function lineOf({ counts, units, secondsLeft }: RunStatus): string {
  const parts = [
    `[${counts.done}/${units.length}]`,
    `${counts.running} running`,
    `${counts.queued + counts.open} waiting`,
    ...(counts.failed + counts.lost > 0 ? [`${counts.failed + counts.lost} failed`] : []),
    `${formatSeconds(secondsLeft)} left`,
  ];
  return parts.join('  ');
}
