/** Nothing of the user's is written over: an output folder is empty, new, or ours, and inputs are never outputs. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimFile, claimFolder, UserError, writeFileAtomic } from '../../src/base/index.js';

let root = '';
const at = (...parts: string[]) => join(root, ...parts);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'toehold-claim-'));
});
afterEach(() => rm(root, { recursive: true }));

describe('an output folder', () => {
  test('is new or empty, and then ours', async () => {
    await mkdir(at('empty'));
    for (const name of ['new', 'deep/new', 'empty']) {
      await claimFolder(at(name), 'a study');
      expect(await readFile(at(name, '.toehold'), 'utf8')).toBe('a study\n');
      await writeFile(at(name, 'result'), '');
      await claimFolder(at(name), 'a study');
    }
  });

  test('is no folder of something else, unless forced', async () => {
    await mkdir(at('thesis'));
    await writeFile(at('thesis/chapter.tex'), 'text');
    const claimed = claimFolder(at('thesis'), 'a study');
    await expect(claimed).rejects.toThrow(UserError);
    await expect(claimed).rejects.toThrow(
      /thesis is not empty and not a folder of toehold's \(it holds chapter.tex\): choose another with -o, or write into it with --force/,
    );
    expect(await readdir(at('thesis'))).toEqual(['chapter.tex']);
    await claimFolder(at('thesis'), 'a study', { force: true });
    expect((await readdir(at('thesis'))).sort()).toEqual(['.toehold', 'chapter.tex']);
  });

  test('is no folder of ours that holds something else', async () => {
    await claimFolder(at('out'), 'a feature store');
    await expect(claimFolder(at('out'), 'a study')).rejects.toThrow(/out holds a feature store, not a study/);
  });

  test('is no root, no file, no input and not within one, forced or not', async () => {
    await mkdir(at('data/cat'), { recursive: true });
    await writeFile(at('file'), '');
    await symlink(at('data'), at('link'));
    const force = { force: true, inputs: [at('data')] };
    await expect(claimFolder('/', 'a study', force)).rejects.toThrow('-o / is the root of a file system');
    await expect(claimFolder(at('file'), 'a study', force)).rejects.toThrow(/a file stands where a folder is needed/);
    for (const name of ['data', 'data/out', 'link/out', 'data/cat']) {
      await expect(claimFolder(at(name), 'a study', force)).rejects.toThrow(/lies in .*data, which is read/);
    }
  });

  test('where an input would be written over is refused; so is any later write to an input', async () => {
    await writeFile(at('model.onnx'), 'weights');
    const inputs = [at('model.onnx'), undefined];
    const claimed = claimFolder(root, 'a training run', { force: true, inputs, files: ['model.onnx'] });
    await expect(claimed).rejects.toThrow(/model.onnx is read, and would be written over/);
    await claimFolder(root, 'a training run', { force: true, inputs });
    await expect(writeFileAtomic({ root, file: 'model.onnx' }, 'new')).rejects.toThrow(/is a file that is read/);
    expect(await readFile(at('model.onnx'), 'utf8')).toBe('weights');
  });

  test('may be claimed by several processes at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => claimFolder(at('shared'), 'a study')));
    expect(await readdir(at('shared'))).toEqual(['.toehold']);
  });
});

describe('an output file', () => {
  const ours = async (path: string) => (await readFile(path, 'utf8')).startsWith('ours');

  test('is new or one that the command wrote; another only when forced', async () => {
    await claimFile(at('new'), ours);
    await writeFile(at('own'), 'ours');
    await claimFile(at('own'), ours);
    await writeFile(at('letter'), 'dear');
    await expect(claimFile(at('letter'), ours)).rejects.toThrow(
      /letter is there and was not written by toehold: .*--force/,
    );
    await claimFile(at('letter'), ours, { force: true });
  });

  test('is no folder and no input, forced or not', async () => {
    await writeFile(at('own'), 'ours');
    await symlink(at('own'), at('link'));
    await expect(claimFile(root, ours, { force: true })).rejects.toThrow(/is a folder where a file is needed/);
    await expect(claimFile(at('link'), ours, { force: true, inputs: [at('own')] })).rejects.toThrow(
      /is the file that is read/,
    );
  });
});
