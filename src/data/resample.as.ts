/**
 * The two passes of a resize over interleaved RGB bytes, in WebAssembly with SIMD (AssemblyScript; `npm run
 * generate:resample` writes gen/resample.ts). Weights are fixed-point numbers of 22 bits after the point, and each pass
 * rounds to bytes, as in Pillow's ImagingResample for 8-bit images, so that the bytes come out equal.
 *
 * All buffers lie in this module's memory, with 16 bytes of slack behind each: whole vectors are read and written.
 * `spans` holds (first, count) of the source pixels of every target pixel as i32, `weights` `reach` numbers each as i32.
 */
const point = 22;
const half = 1 << (point - 1);

/** Each row of (height, sourceWidth, 3) to `width` pixels: (height, width, 3). */
export function resampleRows(
  source: usize,
  target: usize,
  height: i32,
  sourceWidth: i32,
  width: i32,
  spans: usize,
  weights: usize,
  reach: i32,
): void {
  for (let y = 0; y < height; y++) {
    const row = source + <usize>(y * sourceWidth * 3);
    let span = spans;
    let table = weights;
    for (let x = 0; x < width; x++) {
      let at = row + <usize>(load<i32>(span) * 3);
      const count = load<i32>(span, 4);
      let weight = table;
      let sum = i32x4.splat(half);
      for (let t = 0; t < count; t++) {
        const pixel = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
        sum = i32x4.add(sum, i32x4.mul(pixel, v128.load32_splat(weight)));
        at += 3;
        weight += 4;
      }
      const narrow = i16x8.narrow_i32x4_s(i32x4.shr_s(sum, point), i32x4.splat(0));
      // The fourth byte is the next pixel's first, written after this one.
      store<u32>(target, i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0));
      target += 3;
      span += 8;
      table += <usize>(reach * 4);
    }
  }
}

/** Each column of (sourceHeight, bytes) to `height` rows of so many bytes: (height, bytes). */
export function resampleColumns(
  source: usize,
  target: usize,
  height: i32,
  bytes: i32,
  spans: usize,
  weights: usize,
  reach: i32,
): void {
  for (let y = 0; y < height; y++) {
    const top = source + <usize>(load<i32>(spans) * bytes);
    const count = load<i32>(spans, 4);
    for (let x = 0; x < bytes; x += 16) {
      let at = top + <usize>x;
      let weight = weights;
      let a = i32x4.splat(half);
      let b = i32x4.splat(half);
      let c = i32x4.splat(half);
      let d = i32x4.splat(half);
      for (let t = 0; t < count; t++) {
        const pixels = v128.load(at);
        const low = i16x8.extend_low_i8x16_u(pixels);
        const high = i16x8.extend_high_i8x16_u(pixels);
        const k = v128.load32_splat(weight);
        a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(low), k));
        b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(low), k));
        c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(high), k));
        d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(high), k));
        at += <usize>bytes;
        weight += 4;
      }
      const left = i16x8.narrow_i32x4_s(i32x4.shr_s(a, point), i32x4.shr_s(b, point));
      const right = i16x8.narrow_i32x4_s(i32x4.shr_s(c, point), i32x4.shr_s(d, point));
      // Past the end of a row this writes into the next, which comes after it.
      v128.store(target + <usize>x, i8x16.narrow_i16x8_u(left, right));
    }
    target += <usize>bytes;
    spans += 8;
    weights += <usize>(reach * 4);
  }
}
