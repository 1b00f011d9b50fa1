/** The notebook runs on what the commands leave, where Python has NumPy and scikit-learn: python3, or that of .venv-examples. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram, toehold } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const pythons = [process.env.TOEHOLD_PYTHON, '.venv-examples/bin/python', 'python3'];
const python = pythons.find((name) => {
  if (!name || (name.includes('/') && !existsSync(name))) return false;
  try {
    execFileSync(name, ['-c', 'import numpy, sklearn'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
if (!python) console.warn('no Python with numpy and scikit-learn: examples/store.ipynb is not run (see .ci/run)');

test.skipIf(!python)('examples/store.ipynb', async () => {
  const folder = temporaryFolder();
  const data = await writeImages(join(folder, 'photos'), ['red', 'green', 'blue'], 12);
  const [store, probes] = [join(folder, 'store'), join(folder, 'probes')];
  const model = await writeTinyModel(folder);
  const extracted = await toehold(
    'extract',
    model,
    data,
    '-o',
    store,
    '--size',
    '16',
    '--preprocess',
    'half',
    '--quiet',
  );
  expect(extracted.code).toBe(0);
  const probe = ['probe', store, '-o', probes, '-m', 'all-l2,head2toe', '--folds', '3', '--quiet'];
  expect((await toehold(...probe)).code).toBe(0);
  const { cells } = JSON.parse(await readFile('examples/store.ipynb', 'utf8')) as {
    cells: { cell_type: string; source: string[]; outputs?: unknown[] }[];
  };
  // A notebook in the repository holds no output of somebody's machine.
  expect(cells.flatMap(({ outputs = [] }) => outputs)).toEqual([]);
  const program = cells.flatMap((cell) => (cell.cell_type === 'code' ? [cell.source.join('')] : [])).join('\n\n');
  await writeFile(join(folder, 'store.py'), program);
  const env = { ...process.env, STORE: store, PROBES: probes };
  const { code, stdout, stderr } = await runProgram(python as string, [join(folder, 'store.py')], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^tiny \{'train': 36, 'test': 36\} \d+ taps$/m);
  const agreement = Number(/agreement ([\d.]+)/.exec(stdout)?.[1]);
  expect(agreement).toBeGreaterThan(0.9);
  expect(stdout).toMatch(/^\d+ of \d+ features: \{/m);
});
