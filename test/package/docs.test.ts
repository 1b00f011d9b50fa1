/** The reference is whole: every export of every door has words, no link leads nowhere, and the pages of docs/ link to what is there. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { runProgram } from '../support/cli.js';

test('typedoc has nothing to warn of', { timeout: 400_000 }, async () => {
  const args = ['node_modules/typedoc/bin/typedoc', '--emit', 'none', '--logLevel', 'Warn'];
  const { code, stdout, stderr } = await runProgram(process.execPath, args, { ...process.env, NO_COLOR: '1' });
  expect({ code, said: `${stdout}${stderr}` }).toEqual({ code: 0, said: '' });
});

test('it covers every door of the package', async () => {
  const { exports } = JSON.parse(await readFile('package.json', 'utf8')) as { exports: Record<string, unknown> };
  const { entryPoints } = JSON.parse(await readFile('typedoc.json', 'utf8')) as { entryPoints: string[] };
  const doors = Object.keys(exports).filter((door) => !door.endsWith('.json'));
  const sources = doors.map((door) => (door === '.' ? 'src/index.ts' : `src/${door.slice(2)}/index.ts`));
  expect(entryPoints.toSorted()).toEqual(sources.toSorted());
});
