/**
 * Installs the package as a user does, into an empty project, and runs its command from there: npm run package:try
 * [COMMAND ...] (doctor by default). Fails on any npm warning, on an install script that ran, and on a download from
 * elsewhere than npm's registry.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'toehold-user-'));
const fail = (reason) => {
  console.error(`the package is not right: ${reason}`);
  process.exitCode = 1;
};

try {
  const file = execFileSync(process.execPath, [here('pack.mjs'), folder], { encoding: 'utf8' }).trim();
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-fund', '--no-audit', file], {
    cwd: folder,
    encoding: 'utf8',
    // Scripts run, as for a user; NuGet is not to be found.
    env: { ...process.env, npm_config_ignore_scripts: 'false', npm_config_loglevel: 'warn' },
  });
  const said = `${stdout}${stderr}`.trim();
  console.log(said);
  if (status !== 0) fail(`npm install ends with ${status}`);
  if (/npm warn/i.test(said)) fail('npm warns');
  const cuda =
    'node_modules/toehold/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so';
  if (existsSync(join(folder, cuda))) fail('CUDA libraries were downloaded');
  const command = process.argv.slice(2);
  const run = spawnSync(
    process.execPath,
    [join(folder, 'node_modules/toehold/dist/cli/main.js'), ...(command.length > 0 ? command : ['doctor'])],
    { cwd: folder, stdio: 'inherit' },
  );
  if (run.status !== 0) fail(`the command ends with ${run.status ?? run.signal}`);
} finally {
  rmSync(folder, { recursive: true });
}
