/** Reads damaged inputs one after the other and says of each how that ended: node --import tsx child.ts SEED FROM TO [ONLY] */
import { Random, UserError, WorkError } from '../../src/base/index.js';
import { createCorpus, readDamaged, type Target } from './targets.js';

/** How an input ended. 'sentence': refused by an error for users; 'fault': by any other error. */
export interface News {
  readonly begun?: { readonly index: number; readonly target: string };
  readonly done?: {
    readonly index: number;
    readonly target: string;
    readonly ending: 'taken' | 'sentence' | 'fault';
    readonly error?: string;
    /** Largest resident memory of the process so far, bytes. */
    readonly peakBytes: number;
  };
}

// Nobody listens any more.
process.once('disconnect', () => process.exit());

const [seed, from, to, only] = process.argv.slice(2) as [string, string, string, string?];
const corpus = await createCorpus();
const targets = corpus.targets.filter((t) => only === undefined || t.name === only);
if (targets.length === 0)
  throw new Error(`there is no target '${only}': ${corpus.targets.map((t) => t.name).join(', ')}`);
const total = targets.reduce((sum, t) => sum + t.weight, 0);

function targetOf(index: number): Target {
  let at = new Random(seed, 'target', index).uniform() * total;
  for (const target of targets) {
    at -= target.weight;
    if (at < 0) return target;
  }
  return targets[0] as Target;
}

const tell = (news: News) =>
  new Promise<void>((resolve) => process.send?.(news, undefined, undefined, () => resolve()));

const peakBytes = () => 1024 * process.resourceUsage().maxRSS;

// What is done and what is begun next are told in one: half of the messages.
let done: News['done'];
for (let index = Number(from); index < Number(to); index++) {
  const target = targetOf(index);
  await tell({ ...(done && { done }), begun: { index, target: target.name } });
  const end = (ending: NonNullable<News['done']>['ending'], error?: string) => {
    done = { index, target: target.name, ending, peakBytes: peakBytes(), ...(error !== undefined && { error }) };
  };
  try {
    await readDamaged(target, new Random(seed, 'damage', index));
    end('taken');
  } catch (error) {
    if (error instanceof UserError || error instanceof WorkError) end('sentence');
    else end('fault', error instanceof Error ? `${error.stack}` : String(error));
  }
}
if (done) await tell({ done });
await corpus.dispose();
process.disconnect?.();
