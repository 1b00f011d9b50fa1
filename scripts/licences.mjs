/**
 * Licences of everything that package-lock.json names, on any platform: npm run licences. Ends with 1 where one is neither
 * permissive nor among the exceptions below.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const permissive = new Set(
  '0BSD Apache-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause CC0-1.0 ISC MIT MIT-0 Python-2.0 Unlicense Zlib'.split(' '),
);

/** Weak copyleft, which asks something of those who change or link the library itself. */
const exceptions = [
  {
    licence: 'LGPL-3.0-or-later',
    packages: /^@img\/sharp-/,
    reason: 'libvips and what it links: shared libraries of their own package, which anyone may replace',
  },
  {
    licence: 'MPL-2.0',
    packages: /^(lightningcss|axe-core)/,
    devOnly: true,
    reason: 'used unchanged by the tests, not shipped',
  },
];

/** @returns the reasons by which an SPDX expression is taken for a package; undefined where it is not */
function reasonsFor(expression, name, dev) {
  const text = expression.replace(/^\((.*)\)$/, '$1');
  if (text.includes(' OR ')) {
    return text
      .split(' OR ')
      .map((part) => reasonsFor(part, name, dev))
      .find((reasons) => reasons !== undefined);
  }
  const reasons = [];
  for (const licence of text.split(' AND ')) {
    if (permissive.has(licence)) continue;
    const found = exceptions.find((e) => e.licence === licence && e.packages.test(name) && (dev || !e.devOnly));
    if (!found) return undefined;
    reasons.push(`${licence}: ${found.reason}`);
  }
  return reasons;
}

/**
 * @param lock content of package-lock.json
 * @returns every package that is not ours: name, version, licence, whether it is for development only, why its licence is
 * taken where it is not permissive, and whether it is not
 */
export function licencesOf({ packages }) {
  const seen = new Map();
  for (const [path, { version, license, dev = false, link = false }] of Object.entries(packages)) {
    const at = path.lastIndexOf('node_modules/');
    // The project, and the stand-in that lies in it.
    if (at < 0 || link) continue;
    const name = path.slice(at + 'node_modules/'.length);
    const reasons = license === undefined ? undefined : reasonsFor(license, name, dev);
    const key = `${name}@${version}`;
    // The same version at two places may be shipped at one of them.
    if (seen.get(key)?.dev === false) continue;
    seen.set(key, { name, version, licence: license ?? 'none named', dev, reasons, refused: reasons === undefined });
  }
  return [...seen.values()].sort((a, b) => Number(a.dev) - Number(b.dev) || (a.name < b.name ? -1 : 1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = licencesOf(JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')));
  for (const dev of [false, true]) {
    console.log(dev ? '\nFor development only:' : 'Of the product:');
    for (const p of found.filter((p) => p.dev === dev)) console.log(`  ${p.name} ${p.version}: ${p.licence}`);
  }
  for (const reason of new Set(found.flatMap((p) => p.reasons ?? [])))
    console.log(`\nNot permissive, taken: ${reason}`);
  const refused = found.filter((p) => p.refused);
  for (const p of refused) console.error(`\n${p.name} ${p.version} is under ${p.licence}: replace it`);
  if (refused.length > 0) process.exitCode = 1;
}
