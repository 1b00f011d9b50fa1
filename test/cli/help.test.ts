/** What the terminal explains: topics, examples, completion, the man page. */
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { candidates, NamesOption } from '../../src/cli/completion.js';
import { manual } from '../../src/cli/manual.js';
import { topics } from '../../src/cli/topics.js';
import { methodIds } from '../../src/study/index.js';
import { toehold } from '../support/cli.js';

describe('toehold help', () => {
  test.each(Object.keys(topics))('%s is an answer', async (topic) => {
    expect(await toehold('help', topic)).toMatchObject({ code: 0, stderr: '' });
  });
  test('methods lists every one', async () => {
    const { stdout } = await toehold('help', 'methods');
    for (const id of methodIds) expect(stdout).toMatch(new RegExp(`^${id} `, 'm'));
  });
  test('of a command ends with examples that begin as people type them; probe’s lists the methods', async () => {
    const { stdout } = await toehold('probe', '--help');
    expect(stdout).toMatch(/Methods:[\s\S]*head2toe[\s\S]*Examples:\n {2}toehold probe /);
  });
  test('names the topics', async () => {
    expect((await toehold('--help')).stdout).toMatch(/Topics \(toehold help TOPIC\):\n {4}methods/);
  });
});

describe('completion', () => {
  const names = ['taps', 'train', 'export'];
  const load = async (name: string) =>
    names.includes(name)
      ? new Command(name)
          .option('--json', 'j')
          .addOption(new Command().createOption('--format <f>', 'f').choices(['onnx', 'web']))
          .addOption(new NamesOption('-m, --method <names>', 'm', ['linear', 'all-l2', 'auto']))
      : undefined;
  test.each([
    [['t'], ['taps', 'train']],
    [
      ['export', '--'],
      ['--json', '--format', '--method', '--help'],
    ],
    [['export', '--format', 'w'], ['web']],
    [
      ['export', '-m', 'a'],
      ['all-l2', 'auto'],
    ],
    [['export', '--method', 'all-l2,a'], ['all-l2,auto']],
    [['export', 'run'], []],
    [['nothing', '--'], []],
  ])('of %j offers %j', async (words, wanted) => {
    expect(await candidates(words, names, load)).toEqual(wanted);
  });
  test('of help offers topics and commands', async () => {
    expect(await candidates(['help', 't'], names, load, ['topic', 'other'])).toEqual(['topic', 'taps', 'train']);
    expect(await candidates(['help', 'topic', ''], names, load, ['topic'])).toEqual([]);
    expect((await toehold('complete', '--', 'help', 'po')).stdout).toBe('pooling\n');
  });
  test('asks toehold itself, in every shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      expect((await toehold('completion', shell)).stdout).toContain('toehold complete --');
    expect((await toehold('complete', '--', 'exp')).stdout).toBe('export\n');
  });
});

test('the man page names commands and options, and roff reads none of it as a request', () => {
  const command = new Command('taps').description('.list').option('--json', "'one' document");
  const page = manual([command], { taps: ['toehold taps model.onnx'] });
  expect(page).toMatch(/^\.TH TOEHOLD 1/);
  expect(page).toContain('\\&.list');
  expect(page).toContain('.B \\-\\-json');
  expect(page).toContain('toehold taps model.onnx');
  // Of what commands say it needs nothing but ASCII, which every roff reads.
  expect(manual([new Command('taps').description('a run’s taps')], {})).toMatch(/^a run\\\(cqs taps$/m);
});

test('the man page says of extract and run that they take several GPUs and how much memory, of train one GPU', async () => {
  const { stdout } = await toehold('help', 'man');
  const sectionOf = (name: string) => {
    const [, after = ''] = stdout.split(`.SS toehold ${name} `);
    return (after.split('\n.SS ')[0] ?? '').replaceAll('\\-', '-');
  };
  for (const name of ['extract', 'run']) {
    expect([name, sectionOf(name)]).toEqual([name, expect.stringMatching(/^\.B --device <name>\n.*cuda:0,1/m)]);
    expect([name, sectionOf(name)]).toEqual([name, expect.stringMatching(/^\.B --memory <size>\n/m)]);
  }
  expect(sectionOf('probe')).toMatch(/^\.B --memory <size>\n/m);
  expect(sectionOf('train')).toMatch(/^\.B --device <name>\n.*cuda:1/m);
  expect(sectionOf('train')).not.toContain('cuda:0,1');
});
