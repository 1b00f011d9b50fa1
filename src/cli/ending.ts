/** How the process that works may end, and what is said of it. */

/** Set in the process that works. */
export const workerVariable = 'TOEHOLD_WORKER';

/** What the process that works has let know. */
export interface News {
  /** Whether its JSON document is out. */
  printed: boolean;
  /** What it began last, as in 'while it was ...'. */
  doing: string | undefined;
}

export interface Ending {
  /** Absent where the signal decides. */
  readonly exitCode?: 0 | 1 | 2;
  /** Absent where the process has spoken for itself. */
  readonly sentence?: string;
  /** Whether this process is to end by the signal, too. */
  readonly reraise?: true;
}

/** Signals by which somebody ends the work. */
const stops: readonly (NodeJS.Signals | null)[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @param code of the exit, or the signal in its place, as Node has them */
export function endingOf(code: number | null, signal: NodeJS.Signals | null, { doing }: News): Ending {
  if (code === 0 || code === 1 || code === 2) return { exitCode: code };
  const during = doing === undefined ? '' : ` while it was ${doing}`;
  if (signal && stops.includes(signal)) {
    return {
      sentence: `stopped by ${signal}${during}; what is finished stays, and the same command continues there`,
      reraise: true,
    };
  }
  if (signal === 'SIGKILL') {
    return {
      exitCode: 1,
      sentence: `the process was killed${during}: the system does so when memory runs out; free some, or work with smaller images or batches, and run again`,
    };
  }
  const cause = signal ?? `code ${code}`;
  return {
    exitCode: 1,
    sentence: `the process died (${cause})${during}: a native library does so of files that it cannot cope with; check the file, and please report it if it is sound`,
  };
}
