/**
 * Full training steps (forward, backward, update) against PyTorch eager on the same networks, batches and threads.
 * Each side runs in a process of its own; rounds alternate; the figure is the minimum over all steps of all rounds.
 *
 * usage: npx tsx benchmarks/train-step.ts [--python PYTHON] [--threads 2] [--rounds 6] [WORKLOAD ...]
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { python, type ResultRow, writeResults } from './support.js';
import { type Workload, workloads } from './train-step-work.js';

interface Answer {
  ms: number[];
  loss: number;
  /** MiB of resident memory at the peak, above the process before the network was built. */
  memory: number;
  parameters: number;
  version: string;
}

const here = fileURLToPath(new URL('.', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: python },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '6' },
    steps: { type: 'string', default: '3' },
  },
});

class Side {
  readonly #lines: AsyncIterableIterator<string>;
  constructor(readonly child: ChildProcessWithoutNullStreams) {
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (text) => process.stderr.write(text));
  }
  async run(steps: number): Promise<Answer> {
    this.child.stdin.write(`${steps}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.child.spawnargs.join(' ')} ended early`);
    return JSON.parse(value);
  }
}

async function compare(name: string) {
  const ours = new Side(
    spawn(process.execPath, ['--import', 'tsx', `${here}train-step-work.ts`, name, values.threads]),
  );
  const peer = new Side(spawn(values.python, [`${here}peers/train_step.py`, name, values.threads]));
  const sides = { ours, peer };
  const best = { ours: Number.POSITIVE_INFINITY, peer: Number.POSITIVE_INFINITY };
  const last: Partial<Record<keyof typeof sides, Answer>> = {};
  for (const side of ['ours', 'peer'] as const) await sides[side].run(2);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const side of ['ours', 'peer'] as const) {
      const answer = await sides[side].run(Number(values.steps));
      best[side] = Math.min(best[side], ...answer.ms);
      last[side] = answer;
    }
  }
  for (const side of Object.values(sides)) side.child.stdin.end();
  const [a, b] = [last.ours as Answer, last.peer as Answer];
  if (a.parameters !== b.parameters)
    throw new Error(`${name}: ${a.parameters} parameters, the peer has ${b.parameters}`);
  return {
    workload: name,
    ours: { engine: a.version, ms: best.ours, memory: a.memory },
    peer: { engine: b.version, ms: best.peer, memory: b.memory },
    parameters: a.parameters,
    speed: best.peer / best.ours,
    memory: a.memory / b.memory,
  };
}

/** The project's floors and aims: speed against the peer, where set. */
const targets: Partial<Record<string, [must: number, aim: number]>> = {
  cnn8: [0.8, 1.1],
  'cnn8-cached5': [2, 5],
  resnet20: [0.6, 1],
  mobilenetv2: [0.55, 1],
  'vit-tiny': [1, 1.5],
};

const rows: ResultRow[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(workloads)) {
  const { ours, peer, speed, memory } = await compare(name);
  const work = workloads[name] as Workload;
  const [must, aim] = targets[name] ?? [];
  rows.push(
    {
      figure: `${name}: step of ${peer.engine} / ours, seconds`,
      value: speed,
      ...(must !== undefined && { must, aim }),
      detail: `${ours.ms.toFixed(0)} against ${peer.ms.toFixed(0)} ms, batch ${work.batch}, ${work.size} px${work.frozen ? `, ${work.frozen} of 8 layers frozen${work.cached ? ' and computed once by us, in every step by the peer' : ''}` : ''}, ${values.threads} threads, minima of ${values.rounds} rounds`,
    },
    {
      figure: `${name}: peak memory of a step, ours / peer (smaller is better)`,
      value: memory,
      must: 1.5,
      aim: 1,
      detail: `${ours.memory.toFixed(0)} against ${peer.memory.toFixed(0)} MiB above the process before the network`,
    },
  );
}
if (positionals.length === 0) await writeResults('train-step', 'Training steps beside PyTorch eager', rows);
else for (const row of rows) console.log(`${row.figure}: ${row.value.toFixed(3)}  (${row.detail})`);
