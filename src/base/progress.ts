/**
 * Progress of long work on stderr: one line that rewrites itself on a terminal, plain lines now and then elsewhere.
 */
export interface Progress {
  /** Work done so far, in units of `total`; `note` replaces the text behind the rate. */
  update(done: number, note?: string): void;
  /** Ends the line. `summary` replaces it. */
  end(summary?: string): void;
}

export interface ProgressOptions {
  label: string;
  total: number;
  /** What is counted, for the rate: 'images' gives "123 images/s". */
  unit: string;
  /** Work already there at the start (a resumed run); it does not count in the rate. */
  from?: number;
  quiet?: boolean;
  stream?: NodeJS.WriteStream;
}

const plainEverySeconds = 10;

export function createProgress({
  label,
  total,
  unit,
  from = 0,
  quiet = false,
  stream = process.stderr,
}: ProgressOptions): Progress {
  if (quiet) return { update: () => undefined, end: () => undefined };
  const started = performance.now();
  const live = stream.isTTY === true;
  let shown = live ? 0 : started;
  return {
    update(done, note) {
      const now = performance.now();
      if (now - shown < (live ? 100 : plainEverySeconds * 1000)) return;
      shown = now;
      const seconds = (now - started) / 1000;
      const rate = (done - from) / seconds;
      const left = rate > 0 ? `${formatSeconds((total - done) / rate)} left` : '';
      const text = [
        label,
        `${done}/${total}`,
        `${Math.floor((100 * done) / Math.max(1, total))}%`,
        rate > 0 ? `${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)} ${unit}/s` : '',
        left,
        note ?? '',
      ]
        .filter((part) => part !== '')
        .join('  ');
      stream.write(live ? `\r\x1b[2K${text.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}` : `${text}\n`);
    },
    end(summary) {
      if (live) stream.write('\r\x1b[2K');
      if (summary) stream.write(`${summary}\n`);
    },
  };
}

/** 12 s, 3 min 20 s, 2 h 5 min. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
