/**
 * Colours and type of every figure. Specs carry the light colours as plain hex, so that a saved spec or SVG stands
 * alone; in the page each hex becomes a CSS variable, and one chart serves light, dark and print.
 */
import type { MethodCard } from '../record/index.js';

/** Colours that are not a method's: [light, dark]. Each hex names one role only. */
const roles = {
  ink: ['#1c2128', '#e9ecef'],
  muted: ['#59636e', '#a6b0bb'],
  rule: ['#e2e5e9', '#343a42'],
  axis: ['#8f99a4', '#6c7680'],
  ghost: ['#cdd4db', '#4a525c'],
  paper: ['#fffffe', '#15191e'],
  alert: ['#b3261e', '#ff8a80'],
  accent: ['#0b65c1', '#67b3fe'],
  own: ['#1f6fb2', '#74b6ee'],
  other: ['#c23b32', '#ff9088'],
  drawn: ['#7a6a58', '#c4b29c'],
} as const;

export type Role = keyof typeof roles;

/** A role's colour as figures write it. */
export const color = (role: Role): string => roles[role][0];

export const fontFamily = '"Inter", "Helvetica Neue", Arial, "Liberation Sans", sans-serif';

/** Vega-Lite's config: quiet axes, no frame, one type size. */
export const chartConfig = {
  background: 'transparent',
  font: fontFamily,
  aria: false,
  padding: 2,
  view: { stroke: null },
  text: { color: color('ink'), fontSize: 11.5 },
  axis: {
    labelColor: color('muted'),
    labelFontSize: 11.5,
    titleColor: color('muted'),
    titleFontSize: 11.5,
    titleFontWeight: 'normal',
    titlePadding: 8,
    domainColor: color('axis'),
    tickColor: color('axis'),
    gridColor: color('rule'),
    tickSize: 4,
    labelPadding: 4,
    labelLimit: 140,
  },
  axisY: { domain: false, ticks: false },
  legend: {
    labelColor: color('ink'),
    labelFontSize: 11.5,
    titleColor: color('muted'),
    titleFontSize: 11.5,
    titleFontWeight: 'normal',
    orient: 'top',
    symbolSize: 80,
    labelLimit: 0,
  },
  title: { anchor: 'start', color: color('ink'), fontSize: 13, fontWeight: 600, offset: 10 },
} as const;

/** A colour of a page: CSS variable, light, dark. */
export type Colour = readonly [string, string, string];

/** Every colour of a page that shows these methods. */
export function variables(methods: readonly MethodCard[]): Colour[] {
  return [
    ...Object.entries(roles).map(([role, [light, dark]]): Colour => [`--${role}`, light, dark]),
    ...methods.map(({ light, dark }, i): Colour => [`--m${i}`, light, dark]),
  ];
}

/** Replaces each light hex by its variable: in an SVG's attributes or a spec's strings. */
export function themed(text: string, colours: readonly Colour[]): string {
  const byHex = new Map(colours.map(([name, light]) => [light, `var(${name})`]));
  return text.replace(/#[0-9a-f]{6}\b/g, (hex) => byHex.get(hex) ?? hex);
}
