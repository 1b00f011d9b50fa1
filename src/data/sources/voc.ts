/** Pascal VOC: an XML file an image in Annotations/, images in JPEGImages/, splits in ImageSets/Main/. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { XmlElement } from '@rgrove/parse-xml';
import { fileError, messageOf, UserError } from '../../base/index.js';
import type { Dataset } from '../example.js';
import { imageEndings } from '../format.js';
import { byCodePoint } from '../text.js';
import { datasetOf } from './listed.js';
import { type AnnotatedImage, type AnnotatedObject, oneClassEach } from './objects.js';
import type { DataSource, OpenOptions, Place } from './source.js';
import { absentFiles } from './table-rows.js';

/** The folder that holds Annotations/ and JPEGImages/. */
export const voc: DataSource = {
  name: 'a folder with Annotations/ and JPEGImages/ (Pascal VOC)',
  recognises: ({ entries }) => (entries?.includes('Annotations') && entries.includes('JPEGImages')) ?? false,
  open: readVoc,
};

async function readVoc({ path: root, shown }: Place, { severalLabels }: OpenOptions = {}): Promise<Dataset> {
  const names = (await readdir(join(root, 'Annotations'))).filter((name) => name.endsWith('.xml')).sort(byCodePoint);
  if (names.length === 0) throw new UserError(`${shown}/Annotations holds no images' annotations (.xml)`);
  const splits = await splitsIn(root);
  const images: AnnotatedImage[] = [];
  for (const name of names) {
    const stem = name.slice(0, -4);
    const path = join(root, 'Annotations', name);
    const { file, objects } = await annotationIn(path, stem);
    images.push({
      file: `JPEGImages/${file}`,
      image: join(root, 'JPEGImages', file),
      split: splits.get(stem) ?? 'train',
      at: path,
      objects,
    });
  }
  const absent = await absentFiles(
    root,
    images.map(({ file }) => file),
  );
  if (absent.length > 0) {
    const what = absent.length === 1 ? 'an image that is' : `${absent.length} images that are`;
    throw new UserError(`${shown}/Annotations lists ${what} not there: ${absent[0]}`);
  }
  const { listed, warnings } = oneClassEach(images, shown, severalLabels);
  return datasetOf(root, shown, listed, warnings);
}

/** Split by stem: the lists train.txt, val.txt and test.txt. */
async function splitsIn(root: string): Promise<ReadonlyMap<string, string>> {
  const splits = new Map<string, string>();
  for (const split of ['test', 'val', 'train']) {
    const text = await readFile(join(root, 'ImageSets/Main', `${split}.txt`), 'utf8').catch(() => '');
    for (const line of text.split('\n')) if (line.trim() !== '') splits.set(line.trim().split(/\s+/)[0] ?? '', split);
  }
  return splits;
}

async function annotationIn(path: string, stem: string): Promise<{ file: string; objects: AnnotatedObject[] }> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path);
  });
  const { parseXml } = await import('@rgrove/parse-xml');
  let root: XmlElement | null;
  try {
    root = parseXml(text).root;
  } catch (error) {
    throw new UserError(`${path} is no XML: ${messageOf(error).split('\n')[0]}`);
  }
  if (root?.name !== 'annotation') throw new UserError(`${path} is no annotation of Pascal VOC`);
  const file = textOf(root, 'filename') ?? `${stem}.jpg`;
  if (/[/\\]/.test(file) || !imageEndings.has(file.slice(file.lastIndexOf('.')).toLowerCase())) {
    throw new UserError(`${path}: '${file}' is not the name of an image in JPEGImages/`);
  }
  return { file, objects: childrenOf(root, 'object').map((object) => objectOf(object, path)) };
}

function objectOf(object: XmlElement, path: string): AnnotatedObject {
  const name = textOf(object, 'name')?.normalize('NFC');
  if (!name) throw new UserError(`${path}: an object has no name`);
  const [box] = childrenOf(object, 'bndbox');
  const side = (low: string, high: string) => Number(box && textOf(box, high)) - Number(box && textOf(box, low));
  const area = side('xmin', 'xmax') * side('ymin', 'ymax');
  return { label: name, class: name, area: Number.isFinite(area) ? area : undefined };
}

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement => child.type === 'element' && 'name' in child && child.name === name,
  );
}

function textOf(element: XmlElement, name: string): string | undefined {
  return childrenOf(element, name)[0]?.text.trim() || undefined;
}
