/** What a release says of what it is made of. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { licencesOf } from '../../scripts/licences.mjs';
import { billOfMaterials } from '../../scripts/sbom.mjs';

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
