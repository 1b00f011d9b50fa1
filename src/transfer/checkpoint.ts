/** Checkpoints: everything that the next step depends on, in one file that is whole or absent. */
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import { fileError, given, UserError, WorkError, writeFileAtomic } from '../base/index.js';
import type { NumericArray, Tensor } from '../graph/index.js';
import { readSafetensors, writeSafetensors } from '../ir/index.js';

/** What one epoch came to; `loss` and `accuracy` are means over its steps, in training mode. */
export interface EpochRecord {
  epoch: number;
  /** Steps done at its end. */
  step: number;
  learningRate: number;
  loss: number;
  /** Of classes. */
  accuracy?: number;
  /** Score on the watched images, when `evaluateEvery` asks for it. */
  watched?: number;
}

/** Sums over the steps of the running epoch. */
export interface EpochSums {
  loss: number;
  correct: number;
  images: number;
  steps: number;
}

export interface Checkpoint {
  /** Steps done. */
  step: number;
  /** Seconds of training so far, over all sessions. */
  seconds: number;
  sums: EpochSums;
  epochs: EpochRecord[];
  /** Weights, moments, running statistics, averages: by the names they are fed under. */
  state: ReadonlyMap<string, Tensor>;
}

const VERSION = '2';

const figure = z.number();
const progressSchema = z.object({
  step: z.int().min(0),
  seconds: figure,
  sums: z.object({ loss: figure, correct: figure, images: figure, steps: figure }),
  epochs: z.array(
    z
      .object({
        epoch: figure,
        step: figure,
        learningRate: figure,
        loss: figure,
        accuracy: figure.optional(),
        watched: figure.optional(),
      })
      .transform(({ accuracy, watched, ...epoch }): EpochRecord => ({ ...epoch, ...given({ accuracy, watched }) })),
  ),
});

/** CRC-32 over all tensors, in order: a disk that lost a page leaves a file that is otherwise whole. */
function checksumOf(state: ReadonlyMap<string, Tensor>): string {
  let sum = 0;
  for (const { data } of state.values()) {
    const { buffer, byteOffset, byteLength } = data as NumericArray;
    sum = crc32(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), sum);
  }
  return String(sum);
}

/** @param run names what is trained: model, treatment, data and settings; another run's checkpoint is refused. */
export async function writeCheckpoint(path: string, run: string, checkpoint: Checkpoint): Promise<void> {
  const { state, ...progress } = checkpoint;
  const metadata = { toehold: VERSION, run, progress: JSON.stringify(progress), crc32: checksumOf(state) };
  await writeFileAtomic(path, writeSafetensors({ tensors: state, metadata }));
}

/**
 * The checkpoint at `path`, undefined when there is none.
 * @throws UserError when it belongs to another run.
 * @throws WorkError when the file is damaged.
 */
export async function readCheckpoint(path: string, run: string): Promise<Checkpoint | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
  const { tensors, metadata } = readSafetensors(bytes, path);
  if (metadata.toehold !== VERSION || metadata.run !== run) {
    throw new UserError(
      `${path} is the checkpoint of another run (its model, data, settings or number of threads differ): choose another folder with -o, or delete it to start anew`,
    );
  }
  if (metadata.crc32 !== checksumOf(tensors)) {
    throw new WorkError(`${path} is damaged (its checksum differs): delete it and start again`);
  }
  return { ...progressOf(metadata.progress ?? '', path), state: tensors };
}

function progressOf(text: string, path: string): Omit<Checkpoint, 'state'> {
  try {
    return progressSchema.parse(JSON.parse(text));
  } catch {
    throw new WorkError(`${path} is damaged (it does not say how far it is): delete it and start again`);
  }
}
