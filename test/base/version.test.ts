/** Which commit made a result: of a checkout, of a worktree, of a package. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageCommit, packageVersion } from '../../src/base/index.js';
import { headOf } from '../../src/base/version.js';
import { temporaryFolder } from '../support/tiny.js';

const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

test('HEAD of a checkout, on a branch, packed, detached and in a worktree is what git says', () => {
  const folder = temporaryFolder();
  expect(headOf(folder)).toBeUndefined();
  git(folder, 'init', '-q');
  expect(headOf(folder)).toBeUndefined();
  for (const text of ['one', 'two']) {
    writeFileSync(join(folder, 'file'), text);
    git(folder, 'add', '.');
    git(folder, 'commit', '-qm', text);
  }
  const head = git(folder, 'rev-parse', 'HEAD');
  expect(headOf(folder)).toBe(head);
  const tree = join(temporaryFolder(), 'tree');
  git(folder, 'worktree', 'add', '-q', tree, 'HEAD~1', '-b', 'other');
  expect(headOf(tree)).toBe(git(folder, 'rev-parse', 'HEAD~1'));
  git(folder, 'pack-refs', '--all');
  expect(headOf(folder)).toBe(head);
  git(folder, 'checkout', '-q', '--detach', 'HEAD~1');
  expect(headOf(folder)).toBe(git(folder, 'rev-parse', 'HEAD'));
});

test('a folder inside a checkout is none: a package among a project’s modules is not that project', () => {
  const folder = temporaryFolder();
  git(folder, 'init', '-q');
  expect(headOf(join(folder, 'node_modules', 'toehold'))).toBeUndefined();
});

test('this package knows its version', () => {
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
  expect(packageCommit() ?? 'f'.repeat(40)).toMatch(/^[0-9a-f]{40,64}$/);
});
