/**
 * Makes the packages, and beside them the list of what they are made of (toehold-VERSION.cdx.json): npm run package [-- FOLDER]
 *
 * `toehold` itself holds no binaries. onnxruntime-node holds those of five platforms (290 MB), and its install script downloads
 * CUDA libraries of several hundred MB on Linux and fails without a network; npm's settings for such scripts are the installing
 * project's, not a package's. So its releases come as one package a platform, `toehold-runtime-PLATFORM-ARCH`: the runtime's own
 * JavaScript and that platform's libraries, unchanged, without the script (MIT allows it). npm installs the one that fits, by
 * `os`, `cpu` and `libc`. Who installs onnxruntime-node beside toehold, for CUDA, gets that one.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { billOfMaterials } from './sbom.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const runtime = join(root, 'node_modules/onnxruntime-node');
const binaries = 'bin/napi-v6';
const destination = resolve(process.argv[2] ?? 'package');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

const microsoft = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** Platforms that the runtime has libraries for: 'linux-x64' ... */
export const platforms = readdirSync(join(runtime, binaries)).flatMap((os) =>
  readdirSync(join(runtime, binaries, os)).map((cpu) => ({ os, cpu, name: `toehold-runtime-${os}-${cpu}` })),
);

/** Where a release comes from: what npm's provenance compares with the build. Absent where the checkout has no remote. */
function repository() {
  try {
    const url = execFileSync('git', ['remote', 'get-url', 'origin'], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
    const page = url
      .replace(/^git@([^:]+):/, 'https://$1/')
      .replace(/^git\+/, '')
      .replace(/\.git$/, '');
    if (!/^https:\/\/[^@]+$/.test(page)) return {};
    return { repository: { type: 'git', url: `git+${page}.git` }, homepage: `${page}#readme`, bugs: `${page}/issues` };
  } catch {
    return {};
  }
}

/**
 * The commit that a package is made from, under the name that npm's registry has for it: that of the checkout, or where there is
 * none (an image is built from files alone) what TOEHOLD_COMMIT says. Absent where neither is known.
 */
export function commit(folder = root, named = process.env.TOEHOLD_COMMIT ?? '') {
  if (named !== '') {
    if (!/^[0-9a-f]{40,64}$/.test(named)) throw new Error(`TOEHOLD_COMMIT is '${named}': give a whole hash, or none`);
    return { gitHead: named };
  }
  try {
    const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const [top, head] = execFileSync('git', ['rev-parse', '--show-toplevel', 'HEAD'], options).trim().split('\n');
    // A copy of the files inside somebody's checkout is not of that commit.
    return realpathSync(top) === realpathSync(folder) ? { gitHead: head } : {};
  } catch {
    return {};
  }
}

/** @returns the path of the .tgz */
function pack(fill) {
  const stage = mkdtempSync(join(tmpdir(), 'toehold-package-'));
  try {
    fill(stage);
    const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', destination], {
      cwd: stage,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [{ filename, size, unpackedSize }] = JSON.parse(said);
    return { file: join(destination, filename), size, unpackedSize };
  } finally {
    rmSync(stage, { recursive: true });
  }
}

const { scripts, devDependencies, overrides, allowScripts, dependencies, ...own } = readJson(
  join(root, 'package.json'),
);
const source = { ...repository(), ...commit() };

/** @param only names of the platforms' packages to make */
export function packAll(only = platforms.map(({ name }) => name)) {
  mkdirSync(destination, { recursive: true });
  const toehold = pack((stage) => {
    const { 'onnxruntime-node': wanted, ...others } = dependencies;
    const exact = Object.fromEntries(platforms.map(({ name }) => [name, own.version]));
    writeJson(join(stage, 'package.json'), {
      ...own,
      ...source,
      dependencies: others,
      optionalDependencies: { ...own.optionalDependencies, ...exact },
      peerDependencies: { ...own.peerDependencies, 'onnxruntime-node': wanted },
      peerDependenciesMeta: { ...own.peerDependenciesMeta, 'onnxruntime-node': { optional: true } },
    });
    const withoutState = (path) => !path.endsWith('.tsbuildinfo');
    for (const path of ['dist', ...own.files.filter((f) => !/dist/.test(f)), 'README.md', 'LICENSE']) {
      cpSync(join(root, path), join(stage, path), { recursive: true, filter: withoutState });
    }
  });
  const ort = readJson(join(runtime, 'package.json'));
  const runtimes = platforms
    .filter(({ name }) => only.includes(name))
    .map(({ os, cpu, name }) =>
      pack((stage) => {
        writeJson(join(stage, 'package.json'), {
          name,
          version: own.version,
          description: `onnxruntime-node ${ort.version} for ${os} on ${cpu}, without its install script; a part of toehold`,
          license: ort.license,
          author: 'Microsoft Corporation',
          ...source,
          main: ort.main,
          types: ort.types,
          os: [os],
          cpu: [cpu],
          ...(os === 'linux' && { libc: ['glibc'] }),
          dependencies: { 'onnxruntime-common': ort.dependencies['onnxruntime-common'] },
        });
        writeFileSync(join(stage, 'LICENSE'), microsoft);
        for (const path of ['README.md', 'dist', `${binaries}/${os}/${cpu}`]) {
          cpSync(join(runtime, path), join(stage, path), { recursive: true });
        }
      }),
    );
  writeJson(toehold.file.replace(/\.tgz$/, '.cdx.json'), billOfMaterials());
  return { toehold, runtimes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { toehold, runtimes } = packAll();
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  for (const { file, size, unpackedSize } of [toehold, ...runtimes]) {
    console.log(`${file}  ${megabytes(size)} MB, ${megabytes(unpackedSize)} MB installed`);
  }
}
