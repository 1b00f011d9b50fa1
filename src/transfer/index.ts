/** @module transfer: training inside the engine, layer copy and its treatments, schedules, augmentation. */
export { type Augmentation, augmentations, type Size, storedSize } from './augment.js';
export { finetuneCard, scratchCard } from './cards.js';
export type { EpochRecord } from './checkpoint.js';
export { type Curve, type Logger, logFolder, loggers, writeCurves } from './curves/index.js';
export { Divergence } from './diagnose.js';
export { exportNetwork, metadataKeys, type TrainingCard } from './export.js';
export { type ImageSource, imagesInMemory, type LabelledImages, loadImages, withLabels, withValues } from './images.js';
export { type JobObserver, notTrained, runTrainJob, type TrainJob } from './job.js';
export type { DataChoice } from './job-data.js';
export type { Network } from './network.js';
export {
  mergeOptions,
  type PartialTrainOptions,
  presetOptions,
  type TrainOptions,
  type TrainPreset,
  trainDefaults,
  trainPresets,
} from './options.js';
export { type ClassTest, predictionsCsv, type TestedImages, type TrainSummary, trainFiles } from './results.js';
export { kornblithNormMomentum, type Schedule, scheduleDefaults, scheduleFactor, scheduleKinds } from './schedule.js';
export type { FeatureSelection } from './selected.js';
export { Bench, type BenchRun, predictWith, type TrainRequest, type TrainResult, train, type Watch } from './train.js';
export { failedToTrain, type StepProgress } from './trainer.js';
export { type LayerPlan, type Treatment, type TreatmentName, treatmentNames } from './treatment.js';
export { type UnfoldNorms, unfoldChoices } from './unfold.js';
