/** Figures drawn: the SVG of a file, and what the page inlines. */
import { messageOf } from '../base/index.js';
import type { BrokenFigure, Figure } from './figures/index.js';
import { type CompiledSpec, compiled, type FigureSpec, renderSvg } from './svg.js';

export interface Drawing {
  /** With its legend, in light colours: stands alone. */
  readonly svg: string;
  /** Without legend: the page has keys of its own. */
  readonly plain: string;
  /** The Vega spec that the page runs. */
  readonly spec: CompiledSpec;
}

/** Draws each figure; one that cannot be drawn costs itself only. */
export async function drawAll(
  figures: readonly Figure[],
): Promise<{ drawings: Map<string, Drawing>; broken: BrokenFigure[] }> {
  const drawings = new Map<string, Drawing>();
  const broken: BrokenFigure[] = [];
  for (const figure of figures) {
    try {
      drawings.set(figure.id, await draw(figure.spec));
    } catch (error) {
      const { section, group, task } = figure;
      broken.push({ section, group, task, error: messageOf(error) });
    }
  }
  return { drawings, broken };
}

async function draw(spec: FigureSpec): Promise<Drawing> {
  const plain = plainSpec(spec);
  const svg = await renderSvg(spec);
  const hasLegend = JSON.stringify(spec).includes('"legend":{');
  return { svg, plain: hasLegend ? await renderSvg(plain) : svg, spec: await compiled(fitted(plain)) };
}

/** As wide as its place in the page; stacked charts are fitted by the page's script, small multiples stay as they are. */
function fitted(spec: FigureSpec): FigureSpec {
  return 'vconcat' in spec || 'facet' in spec
    ? spec
    : ({ ...spec, width: 'container', autosize: { type: 'fit-x', contains: 'padding' } } as FigureSpec);
}

/** A spec without legends. */
function plainSpec(spec: FigureSpec): FigureSpec {
  return { ...withoutLegend({ ...spec, config: undefined }), config: spec.config } as FigureSpec;
}

/** A copy in which no encoding draws a legend. */
function withoutLegend<T>(part: T): T {
  if (Array.isArray(part)) return part.map(withoutLegend) as T;
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, key === 'legend' ? null : withoutLegend(value)]),
  ) as T;
}
