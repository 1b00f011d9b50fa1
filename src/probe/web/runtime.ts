/**
 * The runtime of an exported page: onnxruntime-web from wherever the user has installed it. Everything becomes classic
 * scripts that hold their bytes as text, because a page opened from disk may load those and nothing else.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { UserError } from '../../base/index.js';

const compress = promisify(gzip);

/** Which files of the library a way of running needs. */
const builds = {
  wasm: { script: 'ort.wasm.min.js', module: 'ort-wasm-simd-threaded.mjs', binary: 'ort-wasm-simd-threaded.wasm' },
  webgpu: {
    script: 'ort.webgpu.min.js',
    module: 'ort-wasm-simd-threaded.asyncify.mjs',
    binary: 'ort-wasm-simd-threaded.asyncify.wasm',
  },
} as const;
export type WebRuntime = keyof typeof builds;
export const webRuntimes = Object.keys(builds) as readonly WebRuntime[];

/** A script that hands bytes to the page: `toehold.files.NAME`, compressed. */
export async function packed(name: string, bytes: Uint8Array): Promise<string> {
  const text = (await compress(bytes, { level: 9 })).toString('base64');
  return `(globalThis.toehold??={files:{}}).files[${JSON.stringify(name)}]=${JSON.stringify(text)};\n`;
}

/** The folder of onnxruntime-web's builds, and its version. @throws UserError with the line that installs it */
export async function webLibrary(): Promise<{ folder: string; version: string }> {
  // Beside this package, else where the user works.
  const from = [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href];
  for (const place of from) {
    try {
      const folder = dirname(createRequire(place).resolve(`onnxruntime-web/${builds.wasm.binary}`));
      const about = JSON.parse(await readFile(join(folder, '../package.json'), 'utf8')) as { version: string };
      return { folder, version: about.version };
    } catch {
      // Not there: perhaps at the next place.
    }
  }
  throw new UserError(
    'a page runs the model with onnxruntime-web, which is not installed: npm install onnxruntime-web@1.30',
  );
}

/** The script that brings one way of running. */
export async function runtimeScript(folder: string, runtime: WebRuntime): Promise<string> {
  const { script, module, binary } = builds[runtime];
  const [code, glue, bytes] = await Promise.all([
    readFile(join(folder, script), 'utf8'),
    readFile(join(folder, module)),
    readFile(join(folder, binary)),
  ]);
  const parts = [await packed(`${runtime}.mjs`, glue), await packed(`${runtime}.wasm`, bytes)];
  return `${notice}${code.replace(/\n\/\/# sourceMappingURL=.*/, '')}\n${parts.join('')}`;
}

/** The licence of the library, which asks to be where its code is. */
const notice = `/* onnxruntime-web. MIT License. Copyright (c) Microsoft Corporation.
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions: The above copyright notice and this permission notice shall be included in all copies or substantial portions
of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS
BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. */
`;
