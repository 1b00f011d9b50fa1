/** @module library: the six verbs of a program that uses toehold: load, taps, extract, fit, finetune, export. */
export { type Exportable, exportModel } from './export.js';
export { type ExtractImagesOptions, type ExtractStoreOptions, extract, type StoreRequest } from './extract.js';
export { Features } from './features.js';
export { type FinetuneDataOptions, type FinetuneOptions, finetune } from './finetune.js';
export { Estimator, type FitOptions, fit, type StoreTest } from './fit.js';
export type { ImageLike, PixelArray } from './images.js';
export { type LoadOptions, load, Model, type ModelLike, type TapsOptions, taps } from './model.js';
export type { LongWork, Progress } from './progress.js';
export type { Label, Table } from './table.js';
export { Trained, TrainedNetwork, ValuedTrained } from './trained.js';
export type { Of, OfClasses, Said, Truth } from './truth.js';
export { ValuedEstimator, type ValuedFitOptions, type ValuedStoreTest } from './valued-fit.js';
