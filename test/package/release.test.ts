/** What a release says of what it is made of. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { licencesOf } from '../../scripts/licences.mjs';
import { commit, platforms } from '../../scripts/pack.mjs';
import { obstacles } from '../../scripts/release.mjs';
import { billOfMaterials } from '../../scripts/sbom.mjs';
import { temporaryFolder } from '../support/tiny.js';

const lock = JSON.parse(await readFile('package-lock.json', 'utf8'));

test('every dependency is under a permissive licence, or one that is explained', () => {
  const found = licencesOf(lock);
  expect(found.length).toBeGreaterThan(100);
  expect(found.filter((p) => p.refused)).toEqual([]);
});

test.each([
  ['GPL-3.0-only', false],
  ['MIT AND GPL-2.0-or-later', true],
  ['(Apache-2.0 OR GPL-2.0-only)', undefined],
  // What an exception takes for one package it does not take for others, and what for development not in the product.
  ['LGPL-3.0-or-later', false],
  [undefined, false],
])('%s', (license, dev) => {
  const packages = { '': {}, 'node_modules/a': { version: '1.0.0', license, dev } };
  expect(licencesOf({ packages }).map((p) => p.refused)).toEqual([license?.includes(' OR ') !== true]);
});

test('a tool of the tests may not become a part of the product unseen', () => {
  const lightningcss = { version: '1.0.0', license: 'MPL-2.0' };
  const refused = (dev: boolean) =>
    licencesOf({ packages: { 'node_modules/lightningcss': { ...lightningcss, dev } } }).map((p) => p.refused);
  expect([refused(true), refused(false)]).toEqual([[false], [true]]);
});

test('the bill of materials has what users install, and nothing of the machine', { timeout: 60_000 }, () => {
  const bill = billOfMaterials();
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'toehold' } } });
  const listed: string[] = bill.components.map((c: { 'bom-ref': string }) => c['bom-ref']);
  const users = licencesOf(lock).filter((p) => !p.dev);
  // The stand-in for global-agent is ours, and in the package.
  const all = [...users.map((p) => `${p.name}@${p.version}`), 'global-agent@0.0.0'];
  expect(listed.toSorted()).toEqual(all.toSorted());
  expect(listed).toContain(`onnxruntime-node@${lock.packages['node_modules/onnxruntime-node'].version}`);
  expect(JSON.stringify(bill)).not.toContain(process.cwd());
  expect(billOfMaterials()).toEqual(bill);
});

test('releases come with the runtime of every platform that it has libraries for', () => {
  const names = platforms.map(({ name }: { name: string }) => name);
  expect(names).toContain(`toehold-runtime-${process.platform}-${process.arch}`);
  expect(names).toHaveLength(5);
});

const ready = {
  version: '1.2.3',
  changelog: '# Changelog\n\n## 1.2.3 (2026-12-01)\n- x\n',
  citation: 'cff-version: 1.2.0\nversion: 1.2.3\n',
  status: '',
  remote: 'a remote',
  identity: true,
};
test.each<[string, Partial<typeof ready>, RegExp | undefined]>([
  ['nothing', {}, undefined],
  ['changes', { status: ' M README.md' }, /has changes/],
  ['a version that is not dated', { changelog: '## 1.2.3 (unreleased)\n' }, /date it as '## 1\.2\.3/],
  [
    'another version in the changelog',
    { changelog: '## 1.3.0 (unreleased)\n' },
    /begins with 1\.3\.0, package\.json has 1\.2\.3: npm version/,
  ],
  ['another version in the citation', { citation: 'version: 1.2.2\n' }, /CITATION\.cff/],
  ['no remote', { remote: '' }, /no remote/],
  ['no identity', { identity: false }, /publish from CI/],
])('%s stands in the way of a release', (_, change, sentence) => {
  const found: string[] = obstacles({ ...ready, ...change });
  expect(found).toHaveLength(sentence ? 1 : 0);
  if (sentence) expect(found[0]).toMatch(sentence);
});

test('the citation is of this version', async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  expect(await readFile('CITATION.cff', 'utf8')).toContain(`\nversion: ${version}\n`);
});

test('a package names the commit of its checkout, or the one that an image is told, and no other', async () => {
  const folder = temporaryFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
  expect(commit(folder, '')).toEqual({});
  git('init', '-q');
  git('commit', '-q', '--allow-empty', '-m', 'one');
  expect(commit(folder, '')).toEqual({ gitHead: git('rev-parse', 'HEAD').trim() });
  await mkdir(join(folder, 'copy'));
  expect(commit(join(folder, 'copy'), '')).toEqual({});
  const given = 'a'.repeat(40);
  expect(commit(folder, given)).toEqual({ gitHead: given });
  expect(() => commit(folder, 'main')).toThrow(/whole hash/);
});

test('what docker builds from leaves out the history and names the commit by an argument', async () => {
  const [ignored, steps] = await Promise.all(['.dockerignore', 'Dockerfile'].map((file) => readFile(file, 'utf8')));
  expect(ignored?.split('\n')).toContain('.git');
  expect(steps).toMatch(/^ARG COMMIT=$/m);
  expect(steps).toMatch(/TOEHOLD_COMMIT=\$COMMIT npm run package/);
});
