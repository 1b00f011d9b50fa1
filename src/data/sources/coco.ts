/** COCO's annotations: one JSON file of images, categories and objects, the images in a folder near it. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, posix, relative, sep } from 'node:path';
import * as z from 'zod';
import { fileError, UserError } from '../../base/index.js';
import type { Dataset } from '../example.js';
import { isSplitName } from '../splits.js';
import { datasetOf, splitOfName } from './listed.js';
import { type AnnotatedImage, type AnnotatedObject, oneClassEach } from './objects.js';
import { rootOf, shardsOf } from './shards.js';
import type { DataSource, OpenOptions, Place } from './source.js';
import { absentFiles } from './table-rows.js';

const isNamed = (name: string) => /^instances_.*\.json$|coco\.json$/i.test(name);

/** A JSON file, or a folder with annotations/instances_*.json or <split>/_annotations.coco.json. */
export const coco: DataSource = {
  name: 'COCO annotations (.json)',
  recognises: ({ files, entries }) =>
    files?.every((path) => path.toLowerCase().endsWith('.json')) ??
    entries?.some((entry) => isNamed(posix.basename(entry))) ??
    false,
  open: readCoco,
};

const id = z.union([z.number(), z.string()]);
const schema = z.object({
  images: z.array(z.object({ id, file_name: z.string() })),
  categories: z.array(z.object({ id, name: z.string() })),
  annotations: z.array(
    z.object({ image_id: id, category_id: id, area: z.number().optional(), bbox: z.array(z.number()).optional() }),
  ),
});

async function readCoco(place: Place, options: OpenOptions = {}): Promise<Dataset> {
  const root = place.entries ? place.path : await rootFor(place);
  const images: AnnotatedImage[] = [];
  const shards = shardsOf(place, place.files ? () => true : isNamed);
  for (const { path } of shards) images.push(...(await imagesOf(path, root, options)));
  const { listed, warnings } = oneClassEach(images, place.shown, options.severalLabels);
  return datasetOf(root, place.shown, listed, warnings);
}

/** The folder above annotations/, where a file in it was named. */
async function rootFor(place: Place): Promise<string> {
  const own = rootOf(place);
  return /^(annotations|labels)$/i.test(basename(own)) ? dirname(own) : own;
}

async function imagesOf(path: string, root: string, { allowOutside }: OpenOptions): Promise<AnnotatedImage[]> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path);
  });
  const { images, categories, annotations } = parse(text, path);
  const nameOf = new Map(categories.map((c) => [c.id, c.name.normalize('NFC')]));
  const objects = new Map<string | number, AnnotatedObject[]>();
  for (const { image_id, category_id, area, bbox } of annotations) {
    const name = nameOf.get(category_id);
    if (name === undefined) throw new UserError(`${path}: category ${category_id} of image ${image_id} has no name`);
    const own = objects.get(image_id) ?? [];
    own.push({
      label: String(category_id),
      class: name,
      area: area ?? (bbox && (bbox[2] ?? 0) * (bbox[3] ?? 0)),
    });
    objects.set(image_id, own);
  }
  const folder = await folderOf(
    path,
    root,
    images.map((image) => image.file_name).filter((file) => !isAbsolute(file)),
  );
  const split = splitOfName(relative(root, path).split(sep).join('/'));
  return images.map(({ id: own, file_name }): AnnotatedImage => {
    const file = posix.normalize(`${folder}${file_name}`);
    if ((isAbsolute(file_name) || file.startsWith('../')) && !allowOutside) {
      throw new UserError(
        `${path}: ${file_name} lies outside the data set's folder; if the file is to be trusted, pass --allow-outside`,
      );
    }
    const at = isAbsolute(file_name) ? relative(root, file_name).split(sep).join('/') : file;
    return { file: at, image: join(root, at), split, at: `${path} image ${own}`, objects: objects.get(own) ?? [] };
  });
}

function parse(text: string, path: string): z.infer<typeof schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${path} is not JSON, or is cut off`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError(
    `${path} is no COCO file: it must hold images, categories and annotations (${issue?.path.join('.')}: ${issue?.message})`,
  );
}

/**
 * Where the images lie, relative to the root and with a slash at its end: beside the file, in a folder that is called as the file
 * ends (instances_train2017: train2017/), or in images/.
 * @throws UserError when none of these holds all of them
 */
async function folderOf(path: string, root: string, files: readonly string[]): Promise<string> {
  const beside = relative(root, dirname(path)).split(sep).join('/');
  const words = basename(path, '.json').split('_');
  const named = words.slice(1).join('_');
  const short = words.find(isSplitName);
  const folders = [beside, named, `images/${named}`, short, `images/${short}`, 'images', '']
    .filter((folder): folder is string => folder !== undefined && !folder.startsWith('..'))
    .map((folder) => (folder === '' ? '' : `${folder}/`));
  const [some] = files;
  if (some === undefined) return folders[0] ?? '';
  let fewest: { folder: string; absent: string[] } | undefined;
  for (const folder of folders) {
    const absent = await absentFiles(
      root,
      files.map((file) => `${folder}${file}`),
    );
    if (absent.length === 0) return folder;
    if (!fewest || absent.length < fewest.absent.length) fewest = { folder, absent };
  }
  const count = fewest?.absent.length ?? 0;
  throw new UserError(
    `${path} lists ${count === 1 ? 'an image that is' : `${count} images that are`} not there: ${fewest?.absent[0]}; put them beside it or in ${named || 'images'}/`,
  );
}
