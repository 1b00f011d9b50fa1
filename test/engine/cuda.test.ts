/** The advice for CUDA fits what is installed, and where. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingCuda } from '../../src/engine/onnxruntime/cuda.js';
import { temporaryFolder } from '../support/tiny.js';

const platform = 'linux/x64';

test.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the script that it names is there', () => {
  const script = /node (\S+install\.js)/.exec(missingCuda())?.[1];
  expect(existsSync(script ?? '')).toBe(true);
});

test.each([
  ['/home/a/project', 'node_modules/toehold/node_modules/onnxruntime-node/script/install.js'],
  ['/home/a', 'project/node_modules/toehold/node_modules/onnxruntime-node/script/install.js'],
  ['/srv', '/home/a/project/node_modules/toehold/node_modules/onnxruntime-node/script/install.js'],
])('seen from %s it is %s', (cwd, path) => {
  const folder = '/home/a/project/node_modules/toehold/node_modules/onnxruntime-node';
  expect(missingCuda('', { folder, platform, cwd })).toContain(`ONNXRUNTIME_NODE_INSTALL=cuda12 node ${path} (`);
});

test('a path is one word of the shell', () => {
  const folder = "/home/it's mine";
  expect(missingCuda('', { folder, platform, cwd: '/' })).toContain(
    String.raw`node 'home/it'\''s mine/script/install.js' (`,
  );
});

test('where the libraries are, it says what these lack', async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, 'bin/napi-v6/linux/x64'), { recursive: true });
  await writeFile(join(folder, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'), '');
  const error = 'Failed to load library: libcudnn.so.9: cannot open shared object file: No such file or directory';
  expect(missingCuda(error, { folder, platform, cwd: '/' })).toMatch(
    /^libcudnn\.so\.9 is not found: .*LD_LIBRARY_PATH/,
  );
  expect(missingCuda('no device', { folder, platform, cwd: '/' })).toMatch(/^install CUDA 12, cuDNN 9 and the driver/);
});

test("of a release, which has no CUDA, it is the runtime's own package that does", () => {
  expect(missingCuda('', { folder: undefined, platform, cwd: '/' })).toMatch(
    /npm install onnxruntime-node; or use --device cpu$/,
  );
});

test('other systems have no such libraries', () => {
  expect(missingCuda('', { folder: '/', platform: 'darwin/arm64', cwd: '/' })).toMatch(
    /Linux with x64 only; use --device cpu$/,
  );
});
