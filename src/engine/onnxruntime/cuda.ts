/** What CUDA lacks here: npm's package of the runtime is without its CUDA libraries, and these need more. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

export interface Installed {
  /** Folder of the package onnxruntime-node; absent where the runtime is that of a release, which has no CUDA. */
  readonly folder: string | undefined;
  readonly platform: string;
  /** Where the user is. */
  readonly cwd: string;
}

function installed(): Installed {
  return {
    folder: folderOf('onnxruntime-node'),
    platform: `${process.platform}/${process.arch}`,
    cwd: process.cwd(),
  };
}

function folderOf(name: string): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/**
 * How to get the device, as the end of a sentence.
 * @param error of the runtime, when it tried
 */
export function missingCuda(error = '', { folder, platform, cwd }: Installed = installed()): string {
  if (platform !== 'linux/x64') return 'the runtime has it on Linux with x64 only; use --device cpu';
  if (folder === undefined) {
    return 'install onnxruntime-node beside toehold, whose install script fetches its libraries (CUDA 12 and cuDNN 9 must be installed): npm install onnxruntime-node; or use --device cpu';
  }
  if (!existsSync(join(folder, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'))) {
    const script = join(folder, 'script/install.js');
    const near = relative(cwd, script);
    const path = near.startsWith('..') ? script : near;
    const quoted = /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
    return `fetch its libraries with ONNXRUNTIME_NODE_INSTALL=cuda12 node ${quoted} (CUDA 12 and cuDNN 9 must be installed), or use --device cpu`;
  }
  if (/invalid device ordinal|invalid device id/i.test(error))
    return 'there is no GPU of this number: nvidia-smi -L lists them; CUDA_VISIBLE_DEVICES hides some and numbers the others anew';
  const library = /(lib[\w.+-]+\.so[\w.]*): cannot open/.exec(error)?.[1];
  const lacks = library === undefined ? '' : `${library} is not found: `;
  return `${lacks}install CUDA 12, cuDNN 9 and the driver, and name the folders of their libraries in LD_LIBRARY_PATH, or use --device cpu`;
}
