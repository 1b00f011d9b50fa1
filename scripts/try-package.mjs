/**
 * Installs the packages as a user does, into an empty project, and runs the command from there: npm run package:try
 * [-- COMMAND ...] (doctor by default). Fails on any npm warning, on an install script that ran, on a download from elsewhere than
 * npm's registry, and on a package of 5 MB or more. Before a release the runtime of this platform is not in the registry: its file
 * is given beside the package's.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'toehold-user-'));
const command = process.argv.slice(2);
// pack.mjs takes the folder that it writes to from the command line.
process.argv[2] = join(folder, 'packages');
const { packAll } = await import('./pack.mjs');
const fail = (reason) => {
  console.error(`the package is not right: ${reason}`);
  process.exitCode = 1;
};
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const sizeOf = (path) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);

try {
  const { toehold, runtimes } = packAll([`toehold-runtime-${process.platform}-${process.arch}`]);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const files = [toehold, ...runtimes].map(({ file }) => file);
  const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-fund', '--no-audit', ...files], {
    cwd: folder,
    encoding: 'utf8',
    // Scripts run, as for a user; NuGet is not to be found.
    env: { ...process.env, npm_config_ignore_scripts: 'false', npm_config_loglevel: 'warn' },
  });
  const said = `${stdout}${stderr}`.trim();
  console.log(said);
  if (status !== 0) fail(`npm install ends with ${status}`);
  if (/npm warn/i.test(said)) fail('npm warns');
  const modules = join(folder, 'node_modules');
  const of = (name) => (existsSync(join(modules, name)) ? sizeOf(join(modules, name)) : 0);
  const runtime = of(`toehold-runtime-${process.platform}-${process.arch}`);
  console.log(
    `toehold ${megabytes(toehold.size)} packed; installed ${megabytes(sizeOf(modules))}, of these onnxruntime ${megabytes(runtime)}, sharp ${megabytes(of('@img'))}`,
  );
  if (toehold.size >= 5e6) fail(`it takes ${megabytes(toehold.size)}`);
  if (existsSync(join(modules, 'onnxruntime-node')))
    fail('onnxruntime-node was installed, whose script downloads CUDA');
  const main = join(modules, 'toehold/dist/cli/main.js');
  const run = spawnSync(process.execPath, [main, ...(command.length > 0 ? command : ['doctor'])], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (run.status !== 0) fail(`the command ends with ${run.status ?? run.signal}`);
} finally {
  rmSync(folder, { recursive: true });
}
