/** Training curves of a study in other programs' files: run --log and ask --log. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { toehold } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';
import { writeTrainedStudy } from './support/small.js';

const folder = temporaryFolder('toehold logs ');
const [model, data] = [join(folder, 'model.onnx'), join(folder, 'position')];
const logs = ['--log', 'tensorboard', '--log', 'mlflow', '--quiet', '--json'];
let config = '';
beforeAll(async () => {
  config = await writeTrainedStudy(folder);
});

/** Losses of every epoch, by the name of the unit that trained, from each logger's files. */
async function written(output: string) {
  const units = await Promise.all(
    (await readdir(join(output, 'units')))
      .filter((id) => id.startsWith('train-'))
      .map(async (id) => {
        const at = join(output, 'units', id);
        const { label } = JSON.parse(await readFile(join(at, 'record.json'), 'utf8')) as { label: string };
        const lines = (await readFile(join(at, 'log.jsonl'), 'utf8')).trim().split('\n');
        return { label, losses: lines.map((line) => (JSON.parse(line) as { loss: number }).loss) };
      }),
  );
  const events = await Promise.all(
    (await readdir(join(output, 'tensorboard'))).map(async (name) => ({
      name,
      text: (await readFile(join(output, 'tensorboard', name, 'events.out.tfevents.toehold'))).toString('latin1'),
    })),
  );
  const [experiment = ''] = await readdir(join(output, 'mlruns'));
  const runs = await Promise.all(
    (await readdir(join(output, 'mlruns', experiment)))
      .filter((name) => /^[0-9a-f]{32}$/.test(name))
      .map(async (id) => {
        const at = join(output, 'mlruns', experiment, id);
        const losses = (await readFile(join(at, 'metrics', 'train', 'loss'), 'utf8').catch(() => '')).trim();
        return { name: (await readFile(join(at, 'tags', 'mlflow.runName'), 'utf8')).trim(), losses };
      }),
  );
  return { units, events, runs };
}

async function expectCurves(output: string) {
  const { units, events, runs } = await written(output);
  expect(units.length).toBeGreaterThan(0);
  for (const { label, losses } of units) {
    expect(losses.length).toBeGreaterThan(1);
    const own = runs.find(({ name }) => name === label);
    expect(own?.losses.split('\n').map((line) => Number(line.split(' ')[1]))).toEqual(losses);
    const event = events.find(({ text }) => text.split('train/loss').length === losses.length + 1);
    expect(event?.name).toContain('position');
  }
  // Trials are units that train, too.
  expect(events.length).toBe(runs.length);
  expect(events.length).toBeGreaterThan(1);
}

describe('training curves of a study', () => {
  test('run --log writes those of every unit that trained', async () => {
    const output = join(folder, 'a run');
    const { code, stderr } = await toehold('run', config, '-o', output, ...logs);
    expect([code, stderr]).toEqual([0, expect.stringContaining('scaled down')]);
    await expectCurves(output);
  }, 240_000);

  test('ask --log too', async () => {
    const output = join(folder, 'an answer');
    const { code, stderr } = await toehold('ask', model, data, '-o', output, '--preprocess', 'cifar', ...logs);
    expect([code, stderr]).toEqual([0, expect.stringContaining('scaled down')]);
    await expectCurves(output);
  }, 240_000);
});
