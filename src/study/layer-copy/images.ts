/** The images of a data set, decoded once for all networks of a study: halves are views of them. */
import type { Preprocess } from '../../data/index.js';
import { type Augmentation, type ImageSource, loadImages, storedSize } from '../../transfer/index.js';
import type { StudyTask } from '../tasks.js';

export class StudyImages {
  readonly #loaded = new Map<string, Promise<ImageSource>>();

  constructor(private readonly task: Pick<StudyTask, 'train' | 'test'>) {}

  /** Training images as augmentation needs them, or as they are predicted. */
  train(preprocess: Preprocess, augment: Augmentation, rows: readonly number[]): Promise<ImageSource> {
    const stored = { ...preprocess, size: [...storedSize(augment, preprocess.size)] as [number, number] };
    return this.#view('train', stored, rows);
  }

  test(preprocess: Preprocess, rows: readonly number[]): Promise<ImageSource> {
    return this.#view('test', preprocess, rows);
  }

  async #view(side: 'train' | 'test', preprocess: Preprocess, rows: readonly number[]): Promise<ImageSource> {
    const key = `${side} ${preprocess.size}`;
    const all = this.#loaded.get(key) ?? loadImages(this.task[side].inputs, preprocess);
    this.#loaded.set(key, all);
    return viewOf(await all, rows);
  }
}

/** Some images of a source. */
function viewOf({ size, files, read }: ImageSource, rows: readonly number[]): ImageSource {
  const at = (i: number) => rows[i] as number;
  return { size, files: rows.map((i) => files[i] as string), read: (indices, into) => read(indices.map(at), into) };
}

/** One source after the other. */
export function joined(first: ImageSource, second: ImageSource): ImageSource {
  const n = first.files.length;
  const bytes = first.size[0] * first.size[1] * 3;
  return {
    size: first.size,
    files: [...first.files, ...second.files],
    async read(indices, into) {
      const buffer = new Uint8Array(bytes);
      for (const [i, index] of indices.entries()) {
        await (index < n ? first.read([index], buffer) : second.read([index - n], buffer));
        into.set(buffer, i * bytes);
      }
    },
  };
}
