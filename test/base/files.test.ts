import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError, writeFileAtomic, writeInPieces } from '../../src/base/index.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a file that must stay in its root', () => {
  const write = (file: string, root = join(folder, 'root')) => writeFileAtomic({ root, file }, 'text');

  test('is written with its folders, also in a root that is a link or is not there yet', async () => {
    await write('a/b/c.txt');
    expect(await readFile(join(folder, 'root/a/b/c.txt'), 'utf8')).toBe('text');
    await write('..name.txt');
    await write('a/../d.txt');
    expect((await readdir(join(folder, 'root'))).sort()).toEqual(['..name.txt', 'a', 'd.txt']);
    await symlink(join(folder, 'root'), join(folder, 'link'));
    await write('e.txt', join(folder, 'link'));
    expect(existsSync(join(folder, 'root/e.txt'))).toBe(true);
  });

  test.each(['../x', '../../x', 'a/../../x', '/x', '', '.', '..'])('%j is refused', async (file) => {
    await mkdir(join(folder, 'root'));
    const target = file.startsWith('/') ? `../..${folder}${file}` : file;
    await expect(write(target)).rejects.toThrow(UserError);
    await expect(write(target)).rejects.toThrow(/lies outside .*root, where it is to be written/);
    expect(await readdir(folder, { recursive: true })).toEqual(['root']);
  });

  test('is refused where a folder on its way is a link to elsewhere', async () => {
    await mkdir(join(folder, 'root/real'), { recursive: true });
    await mkdir(join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), join(folder, 'root/out'));
    await symlink(join(folder, 'nowhere'), join(folder, 'root/dangling'));
    await symlink('real', join(folder, 'root/in'));
    await expect(write('out/x.txt')).rejects.toThrow(/lies outside/);
    await expect(write('out/deep/x.txt')).rejects.toThrow(/lies outside/);
    await expect(write('dangling/x.txt')).rejects.toThrow();
    const pieces = writeInPieces({ root: join(folder, 'root'), file: 'out/x.txt' }, async (piece) => piece('text'));
    await expect(pieces).rejects.toThrow(/lies outside/);
    await write('in/x.txt');
    expect(await readdir(join(folder, 'elsewhere'))).toEqual([]);
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    expect(existsSync(join(folder, 'root/real/x.txt'))).toBe(true);
  });

  test('replaces a link that stands in its own place', async () => {
    await mkdir(join(folder, 'root'));
    await symlink(join(folder, 'outside.txt'), join(folder, 'root/x.txt'));
    await write('x.txt');
    expect(existsSync(join(folder, 'outside.txt'))).toBe(false);
    expect(await readFile(join(folder, 'root/x.txt'), 'utf8')).toBe('text');
  });
});
