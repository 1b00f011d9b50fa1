import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgress, createStatus, type StatusStream } from '../../src/base/index.js';

/** A stream, a terminal or not, and what was written to it. */
function stream(isTTY: boolean, columns = 80): StatusStream & { readonly text: string } {
  const written: string[] = [];
  return {
    isTTY,
    columns,
    write: (text: string | Uint8Array) => written.push(String(text)) > 0,
    get text() {
      return written.join('');
    },
  };
}

const clear = '\r\x1b[2K';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe('on a terminal', () => {
  test('one line rewrites itself, at most ten times a second', () => {
    const to = stream(true);
    const status = createStatus({ stream: to });
    status.show('one');
    vi.advanceTimersByTime(50);
    status.show('two');
    vi.advanceTimersByTime(50);
    status.show('three');
    status.end();
    expect(to.text).toBe(`${clear}one${clear}three${clear}`);
  });

  test('a line that cannot wait is shown; one that stays pushes the changing one down', () => {
    const to = stream(true);
    const status = createStatus({ stream: to });
    status.show('one');
    status.show('two', true);
    status.line('stays');
    expect(to.text).toBe(`${clear}one${clear}two${clear}stays\n`);
  });

  test('it is no longer than the terminal is wide', () => {
    const to = stream(true, 40);
    createStatus({ stream: to }).show('x'.repeat(100));
    expect(to.text).toBe(`${clear}${'x'.repeat(38)}…`);
  });
});

describe('elsewhere', () => {
  test.each([
    ['a file or a pipe', false, 'xterm'],
    ['a terminal without control codes', true, 'dumb'],
  ])('%s gets a plain line every ten seconds', (_, isTTY, term) => {
    vi.stubEnv('TERM', term);
    const to = stream(isTTY);
    const status = createStatus({ stream: to });
    for (let i = 0; i < 25; i++) {
      status.show(`second ${i}`, true);
      vi.advanceTimersByTime(1000);
    }
    status.line('stays');
    status.end();
    expect(to.text).toBe('second 10\nsecond 20\nstays\n');
  });

  test('or none but those that stay', () => {
    const to = stream(false);
    const status = createStatus({ stream: to, plainSeconds: Number.POSITIVE_INFINITY });
    vi.advanceTimersByTime(1e6);
    status.show('changes');
    status.line('stays');
    expect(to.text).toBe('stays\n');
  });
});

test('quiet prints nothing at all', () => {
  const to = stream(true);
  const status = createStatus({ stream: to, quiet: true });
  status.show('one');
  status.line('two');
  status.end();
  const progress = createProgress({ label: 'work', total: 2, unit: 'items', quiet: true, stream: to });
  progress.update(1);
  progress.end('done');
  expect(to.text).toBe('');
});

describe('counted work', () => {
  test('has its share, its rate and the time that is left', () => {
    const to = stream(true);
    const progress = createProgress({ label: 'extract', total: 300, unit: 'images', stream: to });
    progress.update(0);
    vi.advanceTimersByTime(2000);
    progress.update(100, 's3');
    progress.end('300 images');
    expect(to.text.split(clear)).toEqual([
      '',
      'extract  0/300  0%',
      'extract  100/300  33%  50 images/s  4 s left  s3',
      '300 images\n',
    ]);
  });

  test('what was there before does not count in the rate', () => {
    const to = stream(true);
    const progress = createProgress({ label: 'train', total: 100, unit: 'steps', from: 80, stream: to });
    vi.advanceTimersByTime(4000);
    progress.update(90);
    expect(to.text).toContain('90/100  90%  2.5 steps/s  4 s left');
  });
});
