/** How jobs ask a Slurm cluster for room: the section `slurm` of a config. None of it changes a result. */
import * as z from 'zod';

/** One word of Slurm's own: no line breaks, nothing that a terminal acts on. */
const word = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u, 'one line of printable characters');
const memory = z
  .string()
  .regex(/^\d+[KMGT]$/, 'a whole number with K, M, G or T: 16G')
  .describe('Memory of a job, instead of the estimate: 16G');
const time = z
  .union([
    z.int().min(2),
    z
      .string()
      .regex(/^((\d+-)?\d{1,2}:\d{2}:\d{2}|\d+-\d{1,2}|\d+:\d{2})$/, 'minutes, hours:minutes:seconds or days-hours'),
  ])
  .describe('Time limit of a job, instead of three times the estimate: minutes, 4:00:00, 1-12');

/** What sbatch is told by toehold alone. */
const own = [
  'array',
  'chdir',
  'dependency',
  'error',
  'job-name',
  'kill-on-invalid-dep',
  'no-requeue',
  'output',
  'parsable',
  'requeue',
  'signal',
  'wrap',
];
const extra = z
  .array(
    word
      .regex(/^--[a-z][a-z-]*(=.*)?$/, 'an option of sbatch in one word: --exclude=node7')
      .refine((option) => !own.includes(option.slice(2).split('=')[0] as string), 'toehold sets this one itself'),
  )
  .describe('More options of sbatch, one word each: --exclude=node7');

const request = {
  partition: word.optional(),
  qos: word.optional(),
  gres: word.optional().describe('Such as gpu:1'),
  constraint: word.optional(),
  memory: memory.optional(),
  time: time.optional(),
  extra: extra.optional(),
};

export const Slurm = z
  .strictObject({
    account: word.optional(),
    ...request,
    cpus: z.int().min(1).optional().describe('Cores of each job, and threads of its engine, unless --threads says'),
    parallel: z
      .int()
      .min(1)
      .optional()
      .describe('Jobs expected to run side by side, which units are packed by; default: cores of the partition / cpus'),
    most: z.int().min(2).optional().describe('Jobs in the queue at once; the rest is submitted as these end'),
    kinds: z
      .record(
        z.string().regex(/^[a-z-]+$/, 'a kind of unit: extract, probe, trial, train ...'),
        z.strictObject(request),
      )
      .optional()
      .describe('Other wishes for kinds of units: train: {gres: "gpu:1"}; those of extract hold for its shares too'),
  })
  .describe('What jobs ask a Slurm cluster for (--scheduler slurm)');

export type SlurmSettings = z.infer<typeof Slurm>;
