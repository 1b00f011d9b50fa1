/** Images with annotated objects -> one class an image, or the names of all with | between them, which --target multilabel reads. */
import { UserError } from '../../base/index.js';
import { byCodePoint, counted } from '../text.js';
import type { Listed } from './listed.js';
import type { SeveralLabels } from './source.js';

export interface AnnotatedObject {
  readonly label: string;
  readonly class: string;
  /** In pixels; undefined where nothing says. */
  readonly area: number | undefined;
}

export interface AnnotatedImage extends Omit<Listed, 'label' | 'class'> {
  readonly objects: readonly AnnotatedObject[];
}

/**
 * @param where names the list in messages
 * @throws UserError when images show several classes and nothing says which one to take
 */
export function oneClassEach(
  images: readonly AnnotatedImage[],
  where: string,
  several: SeveralLabels = 'refuse',
): { listed: Listed[]; warnings: string[] } {
  const classesOf = ({ objects }: AnnotatedImage) => new Set(objects.map((o) => o.class));
  const many = images.filter((image) => classesOf(image).size > 1);
  const none = images.filter((image) => image.objects.length === 0).length;
  const [first] = many;
  if (first && several === 'refuse') {
    throw new UserError(
      `${where}: ${many.length} of ${images.length} images show objects of several classes (${first.file}: ${[...classesOf(first)].slice(0, 4).join(', ')}); toehold learns one class an image: pass --several-labels largest (the class of the largest object), skip (these images are left out) or all (for --target multilabel)`,
    );
  }
  const listed = images.flatMap((image): Listed[] => {
    if (several === 'all') {
      const { objects: _, ...rest } = image;
      const names = [...classesOf(image)].sort(byCodePoint).join('|') || '|';
      return [{ ...rest, label: names, class: names }];
    }
    if (image.objects.length === 0 || (several === 'skip' && classesOf(image).size > 1)) return [];
    const { objects, ...rest } = image;
    const largest = objects.reduce((a, b) => ((b.area ?? 0) > (a.area ?? 0) ? b : a));
    return [{ ...rest, label: largest.label, class: largest.class }];
  });
  if (several === 'all') return { listed, warnings: [] };
  const what = several === 'skip' ? 'left out' : 'the class of the largest object is taken';
  return {
    listed,
    warnings: [
      ...(many.length > 0 ? [`${counted(many.length, 'image')} with objects of several classes: ${what}`] : []),
      ...(none > 0 ? [`${counted(none, 'image')} without an annotated object: left out`] : []),
    ],
  };
}
