/**
 * Makes the package, and beside it the list of what it is made of (toehold-VERSION.cdx.json): npm run package [FOLDER]
 *
 * onnxruntime-node comes with it, without its install script, which would download CUDA libraries of several hundred MB on
 * Linux and fail without a network: npm's settings for such scripts are the installing project's, not a package's. Only
 * what is asked for by name runs it (README, Devices).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials } from './sbom.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const destination = resolve(process.argv[2] ?? 'package');
const stage = mkdtempSync(join(tmpdir(), 'toehold-package-'));
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

try {
  const { scripts, devDependencies, overrides, allowScripts, ...own } = readJson(join(root, 'package.json'));
  writeJson(join(stage, 'package.json'), { ...own, bundleDependencies: ['onnxruntime-node'] });
  const withoutState = (path) => !path.endsWith('.tsbuildinfo');
  for (const path of ['dist', 'configs', 'assets', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md']) {
    cpSync(join(root, path), join(stage, path), { recursive: true, filter: withoutState });
  }
  const modules = join(stage, 'node_modules');
  for (const name of ['onnxruntime-node', 'onnxruntime-common', 'adm-zip', 'global-agent']) {
    cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true, dereference: true });
  }
  const runtime = join(modules, 'onnxruntime-node/package.json');
  const { scripts: _, devDependencies: __, dependencies, ...rest } = readJson(runtime);
  const standIn = readJson(join(modules, 'global-agent/package.json')).version;
  writeJson(runtime, { ...rest, dependencies: { ...dependencies, 'global-agent': standIn } });
  mkdirSync(destination, { recursive: true });
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', destination], {
      cwd: stage,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  writeJson(join(destination, packed.filename.replace(/\.tgz$/, '.cdx.json')), billOfMaterials());
  console.log(join(destination, packed.filename));
} finally {
  rmSync(stage, { recursive: true });
}
