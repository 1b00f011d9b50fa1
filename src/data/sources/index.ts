/** Every data source. */
import { folder } from './folder.js';
import { manifest } from './manifest.js';
import type { DataSource } from './source.js';

export const sources: readonly DataSource[] = [folder, manifest];
export type { DataSource, Place } from './source.js';
