/** Test images on which methods disagree, small enough to travel inside the report. */
import sharp from 'sharp';
import { type EncodedImage, readImage } from '../data/index.js';

export interface Thumbnail {
  readonly image: string;
  readonly file: string;
  readonly label: string;
  readonly predictions: Readonly<Record<string, string>>;
}

export interface ThumbnailSource {
  readonly classes: readonly string[];
  readonly labels: readonly number[];
  readonly methods: readonly { readonly method: string; readonly predicted: readonly number[] }[];
  /** One per test example. */
  readonly files: readonly { readonly shown: string; readonly image: EncodedImage }[];
}

/** Pairs (right, wrong) worth seeing, in order of interest. */
const pairs = [
  ['head2toe', 'linear'],
  ['linear', 'head2toe'],
  ['finetune', 'head2toe'],
  ['head2toe', 'finetune'],
] as const;
const perPair = 3;
const side = 64;

/** Up to three images for each kind of disagreement, spread over classes, in the order of the test set. */
export async function thumbnailsOf({ classes, labels, methods, files }: ThumbnailSource): Promise<Thumbnail[]> {
  // Of several seeds the first speaks.
  const byMethod = new Map([...methods].reverse().map((m) => [m.method, m.predicted] as const));
  const chosen: number[] = [];
  for (const [right, wrong] of pairs) {
    const [a, b] = [byMethod.get(right), byMethod.get(wrong)];
    if (!a || !b) continue;
    const seen = new Set<number>();
    const found = labels.flatMap((label, i) => {
      if (a[i] !== label || b[i] === label || seen.has(label) || chosen.includes(i)) return [];
      seen.add(label);
      return [i];
    });
    chosen.push(...found.slice(0, perPair));
  }
  return Promise.all(
    chosen.map(async (i) => {
      const { shown, image: encoded } = files[i] as ThumbnailSource['files'][number];
      const image = await sharp(await readImage(encoded))
        .rotate()
        .resize(side, side, { fit: 'inside', withoutEnlargement: true })
        .flatten({ background: '#ffffff' })
        .webp({ quality: 70 })
        .toBuffer();
      const name = (c: number | undefined) => classes[c ?? -1] ?? String(c);
      return {
        image: `data:image/webp;base64,${image.toString('base64')}`,
        file: shown,
        label: name(labels[i]),
        predictions: Object.fromEntries([...byMethod].reverse().map(([method, p]) => [method, name(p[i])])),
      };
    }),
  );
}
