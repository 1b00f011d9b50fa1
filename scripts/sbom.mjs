/** What the package is made of, as CycloneDX: every package that package-lock.json has for its users, with its licence. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The document of npm, without what differs between equal releases: the day, a random number, the name of the folder. */
export function billOfMaterials() {
  const { name, version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const text = execFileSync(
    'npm',
    ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'],
    { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const { serialNumber: _, metadata, components, dependencies, ...bill } = JSON.parse(text);
  const { timestamp: __, component, ...rest } = metadata;
  // npm's own way to leave them out, --omit dev, loses what the product and its development both need.
  const isUsers = ({ properties = [] }) => !properties.some((p) => p.name === 'cdx:npm:package:development');
  const kept = components.filter(isUsers);
  const refs = new Set([`${name}@${version}`, ...kept.map((c) => c['bom-ref'])]);
  return {
    ...bill,
    metadata: { ...rest, component: { ...component, name, version, 'bom-ref': `${name}@${version}` } },
    components: kept,
    dependencies: dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) })),
  };
}
