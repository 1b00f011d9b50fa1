/**
 * A release, step by step: npm run release [-- --publish]. Without the flag it does everything but publish: npm itself looks at
 * every package, as it would before it sends it.
 *
 * 1. The checkout is clean, its version is dated in CHANGELOG.md and the same in CITATION.cff, and no such version is published.
 * 2. The packages are made (pack.mjs); their repository is that of the remote `origin`.
 * 3. The runtimes are published first, then toehold, which depends on them by name: nobody else can take these names between.
 *
 * With `--publish` npm signs where each came from (provenance), which a public CI with an identity token can do: GitHub Actions
 * with `permissions: id-token: write`, GitLab CI with the id token SIGSTORE_ID_TOKEN. Elsewhere it is refused.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const text = (file) => readFileSync(`${root}${file}`, 'utf8');
const publish = process.argv.includes('--publish');
const { name, version } = JSON.parse(text('package.json'));

/** What stands in the way of a release, a sentence each. */
export function obstacles({ version, changelog, citation, status, remote, identity }) {
  const heading = changelog.split('\n').find((line) => line.startsWith('## '));
  const [, written] = /^## (\S+)/.exec(heading ?? '') ?? [];
  return [
    ...(status === '' ? [] : ['the checkout has changes: commit them']),
    ...(heading?.startsWith(`## ${version} (`) && /\(\d{4}-\d\d-\d\d\)$/.test(heading)
      ? []
      : written !== undefined && written !== version
        ? [
            `CHANGELOG.md begins with ${written}, package.json has ${version}: npm version ${written} --no-git-tag-version sets it`,
          ]
        : [`CHANGELOG.md begins with '${heading}': date it as '## ${version} (YYYY-MM-DD)'`]),
    ...(citation.includes(`\nversion: ${version}\n`) ? [] : [`CITATION.cff is of another version than ${version}`]),
    ...(remote === '' ? ["there is no remote 'origin': provenance names the repository"] : []),
    ...(identity ? [] : ['there is no identity token for provenance: publish from CI']),
  ];
}

function main() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.trim();
  const found = obstacles({
    version,
    changelog: text('CHANGELOG.md'),
    citation: text('CITATION.cff'),
    status: git('status', '--porcelain'),
    remote: git('remote', 'get-url', 'origin'),
    identity: Boolean(process.env.ACTIONS_ID_TOKEN_REQUEST_URL || process.env.SIGSTORE_ID_TOKEN),
  });
  const taken = spawnSync('npm', ['view', `${name}@${version}`, 'version'], { encoding: 'utf8' });
  if (taken.status === 0 && taken.stdout.trim() !== '') found.push(`${name} ${version} is published already`);
  for (const sentence of found) console.error(`release: ${sentence}`);
  if (found.length > 0 && publish) process.exit(1);
  const run = (file, args) => execFileSync(file, args, { cwd: root, stdio: 'inherit' });
  run('npm', ['run', 'build']);
  const listed = execFileSync(process.execPath, ['scripts/pack.mjs', 'package'], { cwd: root, encoding: 'utf8' });
  console.log(listed.trim());
  const [toehold, ...runtimes] = listed
    .trim()
    .split('\n')
    .map((line) => line.split('  ')[0]);
  for (const file of [...runtimes, toehold]) {
    const args = ['publish', file, '--access', 'public'];
    if (publish) run('npm', [...args, '--provenance']);
    else run('npm', [...args, '--dry-run', '--loglevel', 'error']);
  }
  if (publish) return;
  console.log(
    found.length > 0
      ? `nothing was published; in the way: ${found.join('; ')}`
      : 'nothing was published; nothing is in the way',
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
