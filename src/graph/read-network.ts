/** The one loader of networks: whatever the file is, a graph in the form that all passes know. */
import { dirname, extname } from 'node:path';
import { activity, canonicalJson, sha256, sha256File, UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { type Graph, modelFiles, readModelFile } from '../ir/index.js';
import { readTfjs, tfjsFiles } from './import-tfjs/index.js';
import { normalForm, type ReadOptions } from './normal-form.js';

/** A kind of file that networks come in. */
interface NetworkReader {
  /** Whether a file of this name is of the kind. */
  readonly reads: (path: string) => boolean;
  readonly read: (path: string) => Promise<Graph>;
  /** All files that the network is made of, the named one first. */
  readonly files: (path: string) => Promise<readonly string[]>;
}

/** The first that reads a file is taken; ONNX files are called anything, so they come last. */
const readers: readonly NetworkReader[] = [
  { reads: (path) => /\.json$/i.test(path), read: readTfjs, files: tfjsFiles },
  { reads: () => true, read: readModelFile, files: modelFiles },
];

const readerOf = (path: string) => readers.find(({ reads }) => reads(path)) as NetworkReader;

/**
 * A network of another kind of file as that file has it, to be written as ONNX.
 * @throws UserError when it is ONNX already, or is missing, damaged, or holds what is not known
 */
export function readForeign(path: string): Promise<Graph> {
  const reader = readerOf(path);
  if (reader === readers.at(-1)) {
    throw new UserError(
      `${path} is not called .json: toehold converts models of TensorFlow.js (model.json); ONNX files need no conversion`,
    );
  }
  return reader.read(path);
}

/** Files of other programs, by ending, and the lines that make ONNX files of them. */
const exportLines: Readonly<Record<string, string>> = {
  pt: `python -c "import torch; m = torch.load('FILE', weights_only=False).eval(); torch.onnx.export(m, torch.rand(1, 3, 224, 224), 'model.onnx')"`,
  safetensors: 'optimum-cli export onnx --model FOLDER DIR (FOLDER holds the file and its config.json)',
  h5: 'python -m tf2onnx.convert --keras FILE --output model.onnx',
};
const alike: Readonly<Record<string, string>> = { pth: 'pt', ckpt: 'pt', bin: 'pt', keras: 'h5', hdf5: 'h5' };

/** @throws UserError for files that hold weights of another program, by name */
function refuseOthers(path: string): void {
  const ending = extname(path).slice(1).toLowerCase();
  const line = exportLines[alike[ending] ?? ending];
  if (line === undefined) return;
  const shown = line.replace('FILE', path).replaceAll('FOLDER', dirname(path));
  throw new UserError(`${path} is no ONNX file; make one with: ${shown}`);
}

/**
 * Reads a network in the form that all passes know (see normalForm).
 * @throws UserError when the file is missing or damaged, or holds what no pass knows.
 */
export async function readNetwork(path: string, engine: Engine, options: ReadOptions = {}): Promise<Graph> {
  activity(`opening ${path}`);
  const file = await readerOf(path)
    .read(path)
    .catch((error) => {
      // An ONNX file may be called anything: only what is none is told by its name.
      if (error instanceof UserError) refuseOthers(path);
      throw error;
    });
  return normalForm(file, engine, options);
}

/**
 * Names a network by all bytes that decide it: the sha256 of its file, or, where its weights lie in other files, the
 * sha256 of the hashes of all of them. What the other files are called stands in the first.
 * @throws UserError when a file is missing or damaged
 */
export async function networkHash(path: string): Promise<string> {
  const [own, ...others] = await Promise.all((await readerOf(path).files(path)).map(sha256File));
  return others.length === 0 ? (own as string) : sha256(canonicalJson([own, ...others]));
}
