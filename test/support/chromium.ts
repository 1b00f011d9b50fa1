/** A real browser for tests of pages: the system's Chromium. Absent, such tests skip and say so. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { test } from 'vitest';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

export const haveChromium = executablePath !== undefined;
export const browserTest: typeof test.skip = haveChromium ? test : test.skip;
if (!haveChromium) console.warn('Chromium is absent (apt install chromium): tests in a browser are skipped');

export function launch(): Promise<Browser> {
  if (!executablePath) throw new Error('no Chromium on this machine: apt install chromium');
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
