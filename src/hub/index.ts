/** @module hub: models and data sets by name, fetched into the cache that Python's tools share. */
export type { HubOptions } from './client.js';
export { fetchDataset, fetchModel, type HubDataset, type HubModel, type Origin } from './fetch.js';
export { isHubName, parseHubName } from './name.js';
