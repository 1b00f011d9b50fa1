/** Damaged inputs by the thousand, in a child process that is started anew when one kills or stops it. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { News } from './child.js';

export interface Tally {
  readonly target: string;
  inputs: number;
  /** Read without an error. */
  taken: number;
  /** Refused in a sentence. */
  sentences: number;
  /** Refused by an error that no user should see. */
  faults: number;
  /** Not done after `patienceSeconds`, nor in the second of these patiences when it is tried again: a busy machine is no hang. */
  hangs: number;
  /** Deaths of the process. */
  deaths: number;
}

export interface Finding {
  readonly index: number;
  readonly target: string;
  readonly what: 'fault' | 'hang' | 'death';
  readonly detail: string;
}

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: string;
  /** Name of the only target. */
  readonly only?: string | undefined;
  /** Called now and then with what is found so far. */
  readonly onProgress?: (soFar: FuzzResult) => void;
  readonly onFinding?: (finding: Finding) => void;
}

export interface FuzzResult {
  /** Inputs that were read. */
  readonly inputs: number;
  readonly tallies: readonly Tally[];
  readonly findings: readonly Finding[];
  readonly seconds: number;
  /** Largest resident memory of a child process. */
  readonly peakBytes: number;
}

const patienceSeconds = [5, 20] as const;

export async function fuzz({ inputs, seed, only, onProgress, onFinding }: FuzzOptions): Promise<FuzzResult> {
  const started = performance.now();
  const tallies = new Map<string, Tally>();
  const findings: Finding[] = [];
  let peakBytes = 0;
  const found = (finding: Finding) => {
    findings.push(finding);
    onFinding?.(finding);
  };
  const tallyOf = (target: string): Tally => {
    const known = tallies.get(target) ?? { target, inputs: 0, taken: 0, sentences: 0, faults: 0, hangs: 0, deaths: 0 };
    tallies.set(target, known);
    return known;
  };
  const soFar = (done: number): FuzzResult => ({
    inputs: done,
    tallies: [...tallies.values()].sort((a, b) => (a.target < b.target ? -1 : 1)),
    findings,
    seconds: (performance.now() - started) / 1000,
    peakBytes,
  });
  let triedAgain: number | undefined;
  for (let next = 0; next < inputs; ) {
    next = await new Promise<number>((resolve, reject) => {
      const child = fork(
        fileURLToPath(new URL('./child.ts', import.meta.url)),
        [seed, String(next), String(inputs), ...(only ? [only] : [])],
        {
          execArgv: ['--import', 'tsx'],
          stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        },
      );
      let said = '';
      child.stderr?.on('data', (text) => {
        said = `${said}${text}`.slice(-2000);
      });
      let current: { index: number; target: string } | undefined;
      let hung = false;
      let timer: NodeJS.Timeout | undefined;
      child.on('message', ({ begun, done }: News) => {
        clearTimeout(timer);
        if (done) {
          current = undefined;
          next = done.index + 1;
          peakBytes = Math.max(peakBytes, done.peakBytes);
          const tally = tallyOf(done.target);
          tally.inputs++;
          if (done.ending === 'taken') tally.taken++;
          if (done.ending === 'sentence') tally.sentences++;
          if (done.ending === 'fault') {
            tally.faults++;
            found({ index: done.index, target: done.target, what: 'fault', detail: done.error ?? '' });
          }
          if (next % 500 === 0) onProgress?.(soFar(next));
        }
        if (begun) {
          current = begun;
          const seconds = patienceSeconds[begun.index === triedAgain ? 1 : 0];
          timer = setTimeout(() => {
            hung = true;
            child.kill('SIGKILL');
          }, 1000 * seconds);
        }
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (!current) {
          if (code === 0 || next >= inputs) resolve(inputs);
          else reject(new Error(`the child could not work (${signal ?? code}): ${said}`));
          return;
        }
        if (hung && current.index !== triedAgain) {
          triedAgain = current.index;
          resolve(current.index);
          return;
        }
        const tally = tallyOf(current.target);
        tally.inputs++;
        if (hung) tally.hangs++;
        else tally.deaths++;
        found({ ...current, what: hung ? 'hang' : 'death', detail: `${signal ?? code}: ${said}` });
        resolve(current.index + 1);
      });
    });
  }
  return soFar(inputs);
}
