/** The progress of a study on stderr: one line that rewrites itself on a terminal, plain lines elsewhere. */
import { createStatus, formatSeconds, type Status, type StatusStream } from '../base/index.js';
import type { UnitRecord } from './folder.js';
import type { Unit } from './plan.js';
import type { RunOutcome, StudyView } from './runner.js';

/** Expected seconds from which on a finished unit gets a line of its own. */
const worthALine = 0.05;

/**
 * A view of a study that writes to the terminal.
 * @param processes that work on it side by side
 */
export function createView(processes = 1, stream?: StatusStream): StudyView {
  const status = createStatus({ plainSeconds: Number.POSITIVE_INFINITY, ...(stream ? { stream } : {}) });
  return new StatusView(status, processes);
}

/** The unit in hand. */
interface Current {
  readonly unit: Unit;
  /** Seconds on the clock when it began. */
  readonly from: number;
  share: number;
}

const clock = () => performance.now() / 1000;

class StatusView implements StudyView {
  #units: readonly Unit[] = [];
  /** Seconds that finished units took, by id. */
  readonly #seconds = new Map<string, number>();
  readonly #failed = new Set<string>();
  #current: Current | undefined;
  #waited = '';

  constructor(
    private readonly status: Status,
    private readonly processes: number,
  ) {}

  begin(units: readonly Unit[], done: ReadonlyMap<string, UnitRecord>): void {
    this.#units = units;
    for (const [id, { seconds }] of done) this.#seconds.set(id, seconds);
    const before = done.size > 0 ? `, ${done.size} done before` : '';
    const time = done.size < units.length ? `, about ${this.#left()}` : '';
    this.status.line(`${units.length} units${before}${time}`);
  }

  start(unit: Unit): void {
    this.#current = { unit, from: clock(), share: 0 };
    this.status.show(`${this.#head()} ${unit.label}  ${this.#left()}`, true);
  }

  progress(unit: Unit, share: number, note = ''): void {
    if (this.#current?.unit !== unit) return;
    this.#current.share = share;
    const percent = `${Math.floor(100 * share)}%`;
    this.status.show(`${this.#head()} ${[unit.label, percent, note, this.#left()].filter(Boolean).join('  ')}`);
  }

  done(unit: Unit, { seconds }: UnitRecord): void {
    this.#finish(unit, seconds);
    this.#current = undefined;
    const isLast = this.#seconds.size === this.#units.length;
    // Bookkeeping between two real units would double the lines.
    if (unit.seconds < worthALine && !isLast) return;
    this.status.line(`${this.#head()} ${unit.label}  ${formatSeconds(seconds)}${isLast ? '' : `  ${this.#left()}`}`);
  }

  elsewhere(unit: Unit, { seconds }: UnitRecord): void {
    this.#finish(unit, seconds);
    if (unit.seconds < worthALine) return;
    this.status.line(`${this.#head()} ${unit.label}  done by another process`);
  }

  failed(unit: Unit, error: string): void {
    this.#failed.add(unit.id);
    this.#current = undefined;
    this.status.line(`${this.#head()} ${unit.label}  FAILED: ${error}`);
  }

  waiting(unit: Unit): void {
    if (this.#waited === unit.id) return;
    this.#waited = unit.id;
    this.status.line(`${this.#head()} waiting: another process works on ${unit.label}`);
  }

  end({ units: { total, done, failed } }: RunOutcome): void {
    this.status.end();
    if (failed > 0) this.status.line(`${done} of ${total} units done, ${failed} failed; run again to retry them`);
  }

  #finish(unit: Unit, seconds: number): void {
    this.#seconds.set(unit.id, seconds);
  }

  #head(): string {
    return `[${this.#seconds.size}/${this.#units.length}]`;
  }

  #left(): string {
    const open = this.#units.filter(({ id }) => !this.#seconds.has(id) && !this.#failed.has(id));
    const alone = open.reduce((sum, unit) => sum + this.#secondsLeft(unit), 0);
    return `${formatSeconds(alone / this.processes)} left`;
  }

  #secondsLeft(unit: Unit): number {
    const expected = unit.seconds * this.#pace(unit.kind.name);
    if (unit !== this.#current?.unit) return expected;
    const { from, share } = this.#current;
    const passed = clock() - from;
    return share > 0.02 ? (passed * (1 - share)) / share : Math.max(0, expected - passed);
  }

  /** Actual seconds per expected second among this kind of unit so far, 1 before any. */
  #pace(kind: string): number {
    let [actual, expected] = [0, 0];
    for (const unit of this.#units) {
      const seconds = this.#seconds.get(unit.id);
      if (unit.kind.name !== kind || seconds === undefined) continue;
      actual += seconds;
      expected += unit.seconds;
    }
    return expected > 0 ? actual / expected : 1;
  }
}
