/** How wide the blocked layout is that a gradient may be written in for an engine. */
import type { Engine } from '../../../engine/index.js';

/** Channels per block (8 with AVX, 16 with AVX-512), or 0 when the engine has no such layout. */
export function blockWidth(engine: Engine): Promise<number> {
  return engine.blockWidth();
}
