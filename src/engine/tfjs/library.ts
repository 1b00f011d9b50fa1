/**
 * TensorFlow.js as it is here: the builds with TensorFlow's own kernels where the user has installed one, and WebAssembly
 * and plain JavaScript, which come with toehold. Nothing of it is loaded before somebody asks for the engine.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import type * as Core from '@tensorflow/tfjs-core';
import { messageOf, UserError } from '../../base/index.js';

/** Native builds in the order in which they are taken. */
export const nativePackages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
type NativePackage = (typeof nativePackages)[number];

/** A folder with a native build that is not among this package's modules: what scripts/build-tfjs-node.sh makes. */
const folderVariable = 'TOEHOLD_TFJS_NODE';

export interface Library {
  readonly core: typeof Core;
  /** For records: package, version, backend. */
  readonly name: string;
  readonly backend: string;
  readonly isGpu: boolean;
}

/** Places where modules are looked for: this package's, the folder that the user names, and the user's project. */
function places(): NodeRequire[] {
  const named = process.env[folderVariable];
  const folders = [...(named ? [named] : []), process.cwd()];
  return [
    createRequire(import.meta.url),
    ...folders.map((folder) => createRequire(pathToFileURL(join(folder, 'package.json')))),
  ];
}
type NodeRequire = ReturnType<typeof createRequire>;

export interface Found {
  readonly name: NativePackage;
  readonly version: string;
  readonly require: NodeRequire;
}

/** A native build that is installed, whether it loads or not. */
export function findNative(names: readonly NativePackage[] = nativePackages): Found | undefined {
  for (const name of names) {
    for (const require of places()) {
      try {
        const { version } = require(`${name}/package.json`) as { version: string };
        return { name, version, require };
      } catch {
        // It is not here; the next place may have it.
      }
    }
  }
  return undefined;
}

/** Functions of Node's that its version 23 took away and tfjs-node 4.22 calls. */
function supplyRemovedFunctions(): void {
  const removed = util as unknown as Record<string, unknown>;
  removed.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  removed.isArray ??= Array.isArray;
}

const loaded = new Map<string, Promise<Library>>();

/** @throws UserError when the build is installed and does not load */
export function loadNative(found: Found): Promise<Library> {
  return once(found.name, async () => {
    supplyRemovedFunctions();
    quiet();
    try {
      const tf = found.require(found.name) as typeof Core;
      tf.env().set('PROD', true);
      await tf.ready();
      const isGpu = (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;
      return { core: tf, name: `${found.name} ${found.version} (tensorflow)`, backend: 'tensorflow', isGpu };
    } catch (error) {
      throw new UserError(
        `${found.name} ${found.version} is installed and does not load: ${nativeFix(found, error)}, or use --device wasm`,
      );
    }
  });
}

/** TensorFlow's own log of what it found on the machine. */
function quiet(): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
}

/** What to do where a native build does not load. */
export function nativeFix({ name }: Pick<Found, 'name'>, error: unknown): string {
  const message = messageOf(error).split('\n')[0] as string;
  const library = /(lib[\w.+-]+\.so[\w.]*): cannot open/.exec(messageOf(error))?.[1];
  if (library) {
    const isCuda = /cuda|cudnn|cublas|cufft|curand|cusolver|cusparse/.test(library);
    const needs = isCuda ? 'install CUDA 11.2 and cuDNN 8.1 and name their folders' : 'name its folder';
    return `${library} is not found: ${needs} in LD_LIBRARY_PATH`;
  }
  const short = message.length > 160 ? `${message.slice(0, 160)}...` : message;
  return `run npm rebuild ${name} --build-addon-from-source (${short})`;
}

/** @param backend `wasm`, or `cpu`: plain JavaScript */
export function loadPortable(backend: 'wasm' | 'cpu'): Promise<Library> {
  return once(backend, async () => {
    const require = createRequire(import.meta.url);
    const core = require('@tensorflow/tfjs-core') as typeof Core;
    core.env().set('PROD', true);
    require('@tensorflow/tfjs-backend-cpu');
    if (backend === 'wasm') require('@tensorflow/tfjs-backend-wasm');
    const restore = keepListeners();
    const isReady = await core.setBackend(backend);
    restore();
    if (!isReady) throw new UserError(`TensorFlow.js does not start its backend '${backend}'`);
    const version = core.version_core;
    return { core, name: `@tensorflow/tfjs ${version} (${backend})`, backend, isGpu: false };
  });
}

/**
 * The WebAssembly module listens for errors of the whole process, to throw them again from its one line of 60 kB.
 * @returns what takes away the listeners that came since
 */
function keepListeners(): () => void {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.rawListeners(event)));
  return () => {
    events.forEach((event, i) => {
      for (const listener of process.rawListeners(event)) {
        if (!before[i]?.has(listener)) process.off(event, listener as () => void);
      }
    });
  };
}

/** One after another: a backend that starts while another does is left without its kernels. */
let last: Promise<unknown> = Promise.resolve();

function once(key: string, load: () => Promise<Library>): Promise<Library> {
  let library = loaded.get(key);
  if (!library) {
    library = last.then(load);
    last = library.catch(() => undefined);
    loaded.set(key, library);
  }
  return library;
}
