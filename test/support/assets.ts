/** Real backbones and images lie beside the checkout; tests that need them skip without them, and fail in CI. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';

const root = fileURLToPath(new URL('../../../shared/assets/', import.meta.url));
export const haveAssets = existsSync(root);

export const backbones = [
  'mobilenetv2_tf',
  'mobilenetv2_torch_nohead',
  'mobilenetv2_gluon_bn_nohead',
  'resnet50v2_gluon_stage1-3',
  'squeezenet1.1',
  'deit_tiny',
  'cifar_resnet20',
  'cifar_resnet56',
] as const;

export const backbonePath = (name: string) => `${root}backbones/${name}/model.onnx`;
export const datasetPath = (name: string) => `${root}datasets/${name}`;
export const goldenPath = `${root}golden/golden.safetensors`;

/** `test` for a case on real assets. */
export const assetsTest: typeof test.skip = haveAssets || process.env.CI === 'true' ? test : test.skip;
if (!haveAssets) console.warn(`shared/assets is absent (looked in ${root}): tests on real assets are skipped`);
