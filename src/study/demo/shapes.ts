/** Plane figures in [-1, 1] x [-1, 1]: each says whether a point is inside. */
export type Shape = (x: number, y: number) => boolean;

type Point = readonly [number, number];

const regular = (corners: number, turn = 0): Point[] =>
  Array.from({ length: corners }, (_, i) => {
    const a = turn + (2 * Math.PI * i) / corners;
    return [Math.sin(a), -Math.cos(a)];
  });

const star = (tips: number, inner: number): Point[] =>
  Array.from({ length: 2 * tips }, (_, i) => {
    const a = (Math.PI * i) / tips;
    const r = i % 2 === 0 ? 1 : inner;
    return [r * Math.sin(a), -r * Math.cos(a)];
  });

/** Even-odd rule. */
function polygon(points: readonly Point[]): Shape {
  return (x, y) => {
    let inside = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const [xi, yi] = points[i] as Point;
      const [xj, yj] = points[j] as Point;
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  };
}

const box =
  (x0: number, y0: number, x1: number, y1: number): Shape =>
  (x, y) =>
    x >= x0 && x <= x1 && y >= y0 && y <= y1;
const disc =
  (cx: number, cy: number, r: number): Shape =>
  (x, y) =>
    (x - cx) ** 2 + (y - cy) ** 2 <= r * r;
const either =
  (...parts: Shape[]): Shape =>
  (x, y) =>
    parts.some((part) => part(x, y));
const without =
  (a: Shape, b: Shape): Shape =>
  (x, y) =>
    a(x, y) && !b(x, y);

/** What the backbone learns to tell apart. */
export const sourceShapes: Readonly<Record<string, Shape>> = {
  disc: disc(0, 0, 0.9),
  ring: without(disc(0, 0, 0.95), disc(0, 0, 0.55)),
  square: box(-0.78, -0.78, 0.78, 0.78),
  triangle: polygon(regular(3)),
  star: polygon(star(5, 0.4)),
  plus: either(box(-0.3, -0.95, 0.3, 0.95), box(-0.95, -0.3, 0.95, 0.3)),
  bar: box(-0.28, -1, 0.28, 1),
  crescent: without(disc(0, 0, 0.95), disc(0.45, 0, 0.8)),
  tee: either(box(-0.9, -0.95, 0.9, -0.4), box(-0.28, -0.95, 0.28, 0.95)),
  ell: either(box(-0.8, -0.95, -0.25, 0.95), box(-0.8, 0.4, 0.8, 0.95)),
  arrow: either(
    polygon([
      [0, -1],
      [0.85, -0.05],
      [-0.85, -0.05],
    ]),
    box(-0.25, -0.1, 0.25, 0.95),
  ),
  frame: without(box(-0.85, -0.85, 0.85, 0.85), box(-0.45, -0.45, 0.45, 0.45)),
};

/** Kept from the backbone. */
export const unseenShapes: Readonly<Record<string, Shape>> = {
  heart: (x, y) => {
    const u = 1.15 * x;
    const v = -1.15 * y + 0.15;
    return (u * u + v * v - 0.75) ** 3 - 1.6 * u * u * v ** 3 <= 0;
  },
  hexagon: polygon(regular(6)),
  halfDisc: (x, y) => y <= 0.35 && x * x + (y - 0.35) ** 2 <= 0.95,
  diamond: polygon([
    [0, -1],
    [0.6, 0],
    [0, 1],
    [-0.6, 0],
  ]),
  cross4: polygon(star(4, 0.35)),
  zed: either(
    box(-0.85, -0.95, 0.85, -0.5),
    box(-0.85, 0.5, 0.85, 0.95),
    polygon([
      [0.85, -0.55],
      [0.3, -0.55],
      [-0.85, 0.55],
      [-0.3, 0.55],
    ]),
  ),
  chevron: polygon([
    [-0.9, 0.55],
    [0, -0.75],
    [0.9, 0.55],
    [0.9, 1],
    [0, -0.1],
    [-0.9, 1],
  ]),
  bow: polygon([
    [-0.95, -0.75],
    [0.95, 0.75],
    [0.95, -0.75],
    [-0.95, 0.75],
  ]),
};
