/** Where a probe's features come from: what an exported probe begins with. */
import type { Engine } from '../engine/index.js';
import { eachPool, type FeatureStore, viewOf } from '../features/index.js';
import { backboneOf, featuresByTap, type HeadRequest, type HeadTap } from '../probe/index.js';
import type { Features } from './features.js';

/** Network, pooling and taps that features are of. */
export interface Origin extends Pick<HeadRequest, 'backbone' | 'pool' | 'parts'> {
  /** All taps that a probe was fitted to, in order. */
  readonly taps: readonly HeadTap[];
}

/** Of what extract gave. */
export function originOf({ model, pool, taps }: Features): Origin {
  const whole = taps.map(({ name, alias, features }) => ({
    name,
    alias,
    features,
    runs: [{ first: 0, count: features }],
    stored: { features },
  }));
  return { backbone: model.backbone, pool, taps: whole, parts: false };
}

/** Of a store, under one of its poolings. */
export async function originInStore(engine: Engine, { meta }: FeatureStore, pool: string | undefined): Promise<Origin> {
  const view = viewOf(meta, pool);
  const parts = view.pool === eachPool;
  return { backbone: await backboneOf(engine, meta), pool: parts ? meta.pool : view.pool, taps: view.taps, parts };
}

/** A head on features of that origin, as a file is made of it. */
export function headRequest(
  { taps, ...whence }: Origin,
  about: Omit<HeadRequest, 'backbone' | 'pool' | 'parts' | 'chosen'>,
): HeadRequest {
  return { ...whence, ...about, chosen: featuresByTap(taps, about.head) };
}
