/** The progress of a study on stderr: one line that rewrites itself on a terminal, plain lines elsewhere. */
import { createStatus, formatSeconds, type StatusStream } from '../base/index.js';
import type { Unit } from './plan.js';
import type { StudyView } from './runner.js';

/** Expected seconds from which on a finished unit gets a line of its own. */
const worthALine = 0.05;

export function createView(stream?: StatusStream): StudyView {
  const status = createStatus({ plainSeconds: Number.POSITIVE_INFINITY, ...(stream ? { stream } : {}) });
  const clock = () => performance.now() / 1000;
  let units: readonly Unit[] = [];
  const finished = new Set<string>();
  const failed = new Set<string>();
  const seconds = new Map<string, number>();
  let waited = '';
  let current: { unit: Unit; from: number; share: number; note: string } | undefined;

  /** Actual seconds per expected second among this kind of unit so far, 1 before any. */
  const pace = (kind: string): number => {
    let actual = 0;
    let expected = 0;
    for (const unit of units) {
      const measured = seconds.get(unit.id);
      if (unit.kind.name !== kind || measured === undefined) continue;
      actual += measured;
      expected += unit.seconds;
    }
    return expected > 0 ? actual / expected : 1;
  };
  const left = (): string => {
    let total = 0;
    for (const unit of units) {
      if (finished.has(unit.id) || failed.has(unit.id)) continue;
      const expected = unit.seconds * pace(unit.kind.name);
      if (unit !== current?.unit) total += expected;
      else if (current.share > 0.02) total += ((clock() - current.from) * (1 - current.share)) / current.share;
      else total += Math.max(0, expected - (clock() - current.from));
    }
    return `${formatSeconds(total)} left`;
  };
  const head = () => `[${finished.size}/${units.length}]`;
  const counted = () => (finished.size < units.length ? `  ${left()}` : '');

  return {
    begin(all, done) {
      units = all;
      for (const [id, record] of done) {
        finished.add(id);
        seconds.set(id, record.seconds);
      }
      const cached = done.size > 0 ? `, ${done.size} done before` : '';
      const time = done.size < all.length ? `, about ${left()}` : '';
      status.line(`${all.length} units${cached}${time}`);
    },
    start(unit) {
      current = { unit, from: clock(), share: 0, note: '' };
      status.show(`${head()} ${unit.label}  ${left()}`, true);
    },
    progress(unit, share, note = '') {
      if (current?.unit !== unit) return;
      current.share = share;
      current.note = note;
      status.show(`${head()} ${unit.label}  ${Math.floor(100 * share)}%${note ? `  ${note}` : ''}  ${left()}`);
    },
    done(unit, record) {
      finished.add(unit.id);
      seconds.set(unit.id, record.seconds);
      current = undefined;
      // Bookkeeping between two real units would double the lines.
      if (unit.seconds >= worthALine || finished.size === units.length) {
        status.line(`${head()} ${unit.label}  ${formatSeconds(record.seconds)}${counted()}`);
      }
    },
    elsewhere(unit, record) {
      finished.add(unit.id);
      seconds.set(unit.id, record.seconds);
      status.line(`${head()} ${unit.label}  done by another process`);
    },
    failed(unit, error) {
      failed.add(unit.id);
      current = undefined;
      status.line(`${head()} ${unit.label}  FAILED: ${error}`);
    },
    waiting(unit) {
      if (waited === unit.id) return;
      waited = unit.id;
      status.line(`${head()} waiting: another process works on ${unit.label}`);
    },
    end({ units: { total, done, failed: broken } }) {
      status.end();
      if (broken > 0) status.line(`${done} of ${total} units done, ${broken} failed; run again to retry them`);
    },
  };
}
