/**
 * What long work shows on stderr: one line that rewrites itself on a terminal, plain lines now and then elsewhere.
 * Nothing is coloured, so NO_COLOR asks for nothing more; a terminal that takes no control codes (TERM=dumb) gets
 * plain lines.
 */
import { formatSeconds } from './format.js';
import { printable } from './printable.js';
import { truncate } from './width.js';

export type StatusStream = Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number };

/** A line that changes. */
export interface Status {
  /** Replaces the line, at most ten times a second unless `now`. Elsewhere than on a terminal: see `plainSeconds`. */
  show(text: string, now?: boolean): void;
  /** Prints a line that stays, above the changing one. */
  line(text: string): void;
  /** Clears the changing line. */
  end(): void;
}

export interface StatusOptions {
  quiet?: boolean;
  stream?: StatusStream;
  /** Where lines cannot change: seconds between plain ones. Infinity prints only those that stay. */
  plainSeconds?: number;
}

const redrawMilliseconds = 100;

export function createStatus({
  quiet = false,
  stream = process.stderr,
  plainSeconds = 10,
}: StatusOptions = {}): Status {
  const live = stream.isTTY === true && process.env.TERM !== 'dumb';
  const pause = live ? redrawMilliseconds : 1000 * plainSeconds;
  // The first line waits for nothing on a terminal; elsewhere short work prints none.
  let shown = live ? Number.NEGATIVE_INFINITY : performance.now();
  const clear = () => {
    if (live && !quiet) stream.write('\r\x1b[2K');
  };
  return {
    show(text, now = false) {
      const time = performance.now();
      if (quiet || (now && live ? false : time - shown < pause)) return;
      shown = time;
      const line = printable(text);
      stream.write(live ? `\r\x1b[2K${truncate(line, Math.max(20, (stream.columns ?? 80) - 1))}` : `${line}\n`);
    },
    line(text) {
      if (quiet) return;
      clear();
      stream.write(`${printable(text)}\n`);
    },
    end: clear,
  };
}

/** Work that is counted. */
export interface Progress {
  /** Work done so far, in units of `total`; `note` stands behind the rate. */
  update(done: number, note?: string): void;
  /** Ends the line. `summary` replaces it. */
  end(summary?: string): void;
}

export interface ProgressOptions extends Pick<StatusOptions, 'quiet' | 'stream'> {
  label: string;
  total: number;
  /** What is counted, for the rate: 'images' gives "123 images/s". */
  unit: string;
  /** Work already there at the start (a resumed run); it does not count in the rate. */
  from?: number;
}

export function createProgress({ label, total, unit, from = 0, ...options }: ProgressOptions): Progress {
  const status = createStatus(options);
  const started = performance.now();
  return {
    update(done, note = '') {
      const seconds = (performance.now() - started) / 1000;
      const rate = (done - from) / seconds;
      const parts = [label, `${done}/${total}`, `${Math.floor((100 * done) / Math.max(1, total))}%`];
      if (rate > 0 && Number.isFinite(rate)) {
        parts.push(`${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)} ${unit}/s`);
        parts.push(`${formatSeconds((total - done) / rate)} left`);
      }
      status.show([...parts, note].filter((part) => part !== '').join('  '));
    },
    end(summary) {
      if (summary) status.line(summary);
      else status.end();
    },
  };
}
