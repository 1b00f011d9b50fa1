/**
 * The whole of Head2Toe on gtsrb, cross-validation over lambda and eight keep fractions included, as the command runs it.
 * `npm run bench:head2toe [-- rounds]` (needs ../shared/assets; extracts the features first, which is not timed)
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, writeResults } from './support.js';

const rounds = Number(process.argv[2] ?? 3);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'toehold-bench-'));
const toehold = (...args: string[]) => {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--quiet'], options);
  if (status !== 0) throw new Error(stderr);
  return stdout;
};
try {
  const features = join(folder, 'features');
  const model = `${assets}/backbones/mobilenetv2_tf/model.onnx`;
  const groups = ['--group-from', 'source:/^\\d+\\/(\\d+)_/'];
  const preprocess = ['--preprocess', 'tf', '--pool', 'target:512'];
  toehold('extract', model, `${assets}/datasets/gtsrb`, '-o', features, ...preprocess, ...groups);
  const fractions = '.001,.002,.005,.01,.02,.05,.1,.2';
  let best = Number.POSITIVE_INFINITY;
  let work = '';
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const answer = toehold(
      'probe',
      features,
      '-m',
      'head2toe',
      '--keep',
      fractions,
      '-o',
      join(folder, `probe${round}`),
      '--json',
    );
    best = Math.min(best, (performance.now() - began) / 1000);
    const { source, train, features: p, folds, methods } = JSON.parse(answer);
    const { accuracy, interval } = methods[0].test;
    work = `${train.n} images, ${source.description.split(', ')[1]}, ${p} features, ${folds.length} folds by ${train.groups} tracks, lambda x 8 fractions, refit; test accuracy ${accuracy} [${interval.map((v: number) => v.toFixed(3)).join(', ')}]; minimum of ${rounds} rounds`;
  }
  await writeResults('head2toe', 'Whole Head2Toe with cross-validation', [
    {
      figure: 'gtsrb, seconds of the whole command (smaller is better)',
      value: best,
      must: 90,
      aim: 30,
      detail: `toehold probe -m head2toe --keep ${fractions}: ${work}`,
    },
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
