/** Every data source, in the order in which they are asked; a folder of anything else is one of images. */
import { cifar } from './cifar.js';
import { coco } from './coco.js';
import { folder } from './folder.js';
import { hfMetadata } from './hf-metadata.js';
import { idx } from './idx.js';
import { manifest } from './manifest.js';
import { numpy } from './numpy.js';
import { parquet } from './parquet.js';
import type { DataSource } from './source.js';
import { tfrecord } from './tfrecord.js';
import { voc } from './voc.js';
import { webdataset } from './webdataset.js';

/** Every form of data that can be read, in the order in which they are tried. */
export const sources: readonly DataSource[] = [
  manifest,
  hfMetadata,
  parquet,
  webdataset,
  tfrecord,
  idx,
  cifar,
  numpy,
  voc,
  coco,
  folder,
];
export { labelsNotAsked } from './listed.js';
export { expandBraces, isInnerFolder } from './shards.js';
export type { DataSource, Place, SeveralLabels } from './source.js';
