import { describe, expect, test } from 'vitest';
import type { MethodCard } from '../../src/record/index.js';
import { themed, variables } from '../../src/report/theme.js';
import { catalogue } from '../../src/study/index.js';
import { sample } from './sample.js';

type Rgb = [number, number, number];
const rgb = (hex: string): Rgb => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255) as Rgb;
const linear = (c: Rgb): Rgb => c.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)) as Rgb;
const luminance = (c: Rgb) => 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
const contrast = (a: string, b: string) => {
  const [x, y] = [luminance(linear(rgb(a))), luminance(linear(rgb(b)))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};

/** Full dichromacy in linear RGB (Machado, Oliveira and Fernandes, 2009, severity 1). */
const blindness: Record<string, Rgb[]> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function lab(c: Rgb): Rgb {
  const xyz = [
    (0.4124 * c[0] + 0.3576 * c[1] + 0.1805 * c[2]) / 0.9505,
    luminance(c),
    (0.0193 * c[0] + 0.1192 * c[1] + 0.9505 * c[2]) / 1.089,
  ].map((v) => (v > 0.008856 ? Math.cbrt(v) : 7.787 * v + 16 / 116)) as Rgb;
  return [116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])];
}
const seen = (hex: string, matrix: Rgb[]): Rgb => {
  const c = linear(rgb(hex));
  return matrix.map((row) => Math.min(1, Math.max(0, row[0] * c[0] + row[1] * c[1] + row[2] * c[2]))) as Rgb;
};

const all = variables(catalogue);
const role = (name: string, theme: 1 | 2) => all.find((c) => c[0] === `--${name}`)?.[theme] as string;
const cardsOf = (...ids: string[]): MethodCard[] => catalogue.filter((card) => ids.includes(card.id));

describe.each([
  ['light', 1],
  ['dark', 2],
] as const)('the %s palette', (name, theme) => {
  test('text has a contrast of 4.5 against the page, marks of 3', () => {
    const paper = role('paper', theme);
    for (const text of ['ink', 'muted', 'alert', 'accent'])
      expect(contrast(role(text, theme), paper), text).toBeGreaterThan(4.5);
    for (const card of catalogue) expect(contrast(card[name], paper), card.id).toBeGreaterThan(3);
  });
  test.each(Object.entries(blindness))('the four main methods stay apart under %s', (_, matrix) => {
    const main = cardsOf('linear', 'head2toe', 'finetune', 'scratch');
    expect(main).toHaveLength(4);
    for (const a of main)
      for (const b of main) {
        if (a === b) continue;
        const [x, y] = [a, b].map((m) => lab(seen(m[name], matrix))) as [Rgb, Rgb];
        expect(Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]), `${a.id} and ${b.id}`).toBeGreaterThan(15);
      }
  });
});

test('every method of the paper has a shape of its own', () => {
  const shapes = sample().methods.map((m) => m.shape);
  expect(new Set(shapes).size).toBe(shapes.length);
});

test('no two roles or methods share a colour, so that each becomes its own variable', () => {
  const lights = all.map((c) => c[1]);
  expect(new Set(lights).size).toBe(lights.length);
  for (const [variable, light] of all) expect(themed(`fill="${light}"`, all)).toBe(`fill="var(${variable})"`);
});
