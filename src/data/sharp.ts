/** The image library, loaded with the first image: who uses toehold for its numbers alone loads no native code. */
import type Sharp from 'sharp';

let loading: Promise<typeof Sharp> | undefined;

/**
 * Images are decoded side by side on the thread pool; threads within one image only add switches between them (5 % more CPU
 * time per 300 x 200 JPEG with 2). No operation is ever repeated, so libvips' cache only holds memory.
 */
export function loadSharp(): Promise<typeof Sharp> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return loading;
}
