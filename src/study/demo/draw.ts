/** A small rasteriser: figures, textures and noise on 32 x 32 pixels of RGB, the same bytes for the same seed. */
import type { Random } from '../../base/index.js';
import type { Shape } from './shapes.js';

export const side = 32;
export type Colour = readonly [red: number, green: number, blue: number];

/** Subpixels per pixel and axis. */
const grid = 3;

/** Float pixels in 0 ... 255 while a picture is being drawn, (side, side, 3). */
export class Canvas {
  readonly pixels = new Float32Array(side * side * 3);

  /** One colour, with a slope across the picture. */
  fill(colour: Colour, slope: Colour = [0, 0, 0], angle = 0): this {
    const dx = Math.cos(angle) / side;
    const dy = Math.sin(angle) / side;
    return this.#each(
      (x, y, c) => (colour[c] as number) + (slope[c] as number) * ((x - side / 2) * dx + (y - side / 2) * dy),
    );
  }

  /**
   * Draws a figure.
   * @param x,y centre in pixels; `radius` half the figure's extent in pixels; `turn` in radians, clockwise
   */
  shape(shape: Shape, x: number, y: number, radius: number, turn: number, colour: Colour): this {
    const cos = Math.cos(turn) / radius;
    const sin = Math.sin(turn) / radius;
    const reach = Math.ceil(1.5 * radius) + 1;
    for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(side, y + reach); row++) {
      for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(side, x + reach); column++) {
        let covered = 0;
        for (let s = 0; s < grid * grid; s++) {
          const px = column + ((s % grid) + 0.5) / grid - x;
          const py = row + (Math.floor(s / grid) + 0.5) / grid - y;
          if (shape(px * cos + py * sin, py * cos - px * sin)) covered++;
        }
        if (covered > 0) this.#blend(row, column, colour, covered / (grid * grid));
      }
    }
    return this;
  }

  /** Mixes in a colour where `weight` (0 to 1) of the pixel centre's coordinates says so. */
  paint(colour: Colour, weight: (x: number, y: number) => number): this {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) this.#blend(row, column, colour, weight(column + 0.5, row + 0.5));
    }
    return this;
  }

  /** Independent Gaussian noise on every value. */
  noise(random: Random, deviation: number): this {
    for (let i = 0; i < this.pixels.length; i++)
      this.pixels[i] = (this.pixels[i] as number) + deviation * random.normal();
    return this;
  }

  /** Pixels as bytes, (side, side, 3). */
  bytes(): Uint8Array {
    return Uint8Array.from(this.pixels, (v) => Math.min(255, Math.max(0, Math.round(v))));
  }

  #each(value: (x: number, y: number, c: number) => number): this {
    for (let i = 0; i < this.pixels.length; i++) {
      const at = Math.floor(i / 3);
      this.pixels[i] = value((at % side) + 0.5, Math.floor(at / side) + 0.5, i % 3);
    }
    return this;
  }

  #blend(row: number, column: number, colour: Colour, weight: number): void {
    const at = 3 * (row * side + column);
    for (let c = 0; c < 3; c++) {
      this.pixels[at + c] = (1 - weight) * (this.pixels[at + c] as number) + weight * (colour[c] as number);
    }
  }
}

/** A colour by hue (turns), saturation and value (0 to 1). */
export function hsv(hue: number, saturation: number, value: number): Colour {
  const channel = (n: number): number => {
    const k = (n + 6 * (hue - Math.floor(hue))) % 6;
    return 255 * (value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

/** A background and a colour that stands out from it. */
export function twoColours(random: Random): { back: Colour; front: Colour } {
  const hue = random.uniform();
  const dark = random.uniform() < 0.5;
  const back = hsv(
    hue,
    0.15 + 0.5 * random.uniform(),
    dark ? 0.1 + 0.25 * random.uniform() : 0.65 + 0.3 * random.uniform(),
  );
  const front = hsv(
    hue + 0.25 + 0.5 * random.uniform(),
    0.3 + 0.6 * random.uniform(),
    dark ? 0.65 + 0.35 * random.uniform() : 0.1 + 0.3 * random.uniform(),
  );
  return { back, front };
}
