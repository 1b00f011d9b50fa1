/** A budget over the processes of one command: it is kept by the one that starts the others, which ask by message. */
import type { ChildProcess } from 'node:child_process';
import type { Budget, GiveBack, Resources } from '../study/index.js';

/** Of a process that works, to the one that keeps the budget; `number` names what is asked for in the answer. */
type Request = ({ readonly take: number } & Resources) | { readonly give: number };
interface Answer {
  readonly took: number;
  readonly isThere: boolean;
}

/** Answers a process that was started; what it had when it ended, however it did, is given back. */
export function serve(child: ChildProcess, budget: Budget): void {
  const held = new Map<number, GiveBack>();
  let ended = false;
  child.on('message', async (message: Partial<Request>) => {
    if ('take' in message && message.take !== undefined) {
      const give = await budget.take({
        bytes: message.bytes ?? 0,
        cores: message.cores ?? 0,
        accelerators: message.accelerators ?? [],
      });
      if (give && ended) give();
      else if (give) held.set(message.take, give);
      if (child.connected)
        child.send({ took: message.take, isThere: give !== undefined } satisfies Answer, () => undefined);
    } else if ('give' in message && message.give !== undefined) {
      held.get(message.give)?.();
      held.delete(message.give);
    }
  });
  child.on('exit', () => {
    ended = true;
    for (const give of held.values()) give();
  });
}

/** The budget as a process sees it that was started by the one that keeps it. */
export function budgetOfParent(): Budget {
  let asked = 0;
  const waiting = new Map<number, (isThere: boolean) => void>();
  process.on('message', ({ took, isThere }: Partial<Answer>) => {
    if (took === undefined) return;
    waiting.get(took)?.(isThere === true);
    waiting.delete(took);
    if (waiting.size === 0) process.channel?.unref();
  });
  process.channel?.unref();
  const send = (request: Request) => process.send?.(request, undefined, undefined, () => undefined);
  return {
    take: async (need) => {
      const number = asked++;
      // An answer is worth staying for.
      process.channel?.ref();
      const isThere = await new Promise<boolean>((resolve) => {
        waiting.set(number, resolve);
        send({ take: number, ...need });
      });
      return isThere ? () => send({ give: number }) : undefined;
    },
  };
}
