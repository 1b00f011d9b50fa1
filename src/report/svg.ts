/** Vega-Lite to SVG without a browser, and to the compiled specs that the page runs. */
import { parse, resetSVGDefIds, type Spec, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { chartConfig, fontFamily } from './theme.js';

/** A figure's spec: Vega-Lite with literal data, the theme, and numeric width. */
export type FigureSpec = TopLevelSpec;

const schema = 'https://vega.github.io/schema/vega-lite/v6.json';

/** Completes a spec body to one that stands alone. */
export function standalone(body: object): FigureSpec {
  return { $schema: schema, config: chartConfig, ...body } as FigureSpec;
}

/** Renders a spec to an SVG document; the same spec gives the same bytes. */
export async function renderSvg(spec: FigureSpec): Promise<string> {
  resetSVGDefIds();
  const view = new View(parse(compiled(spec)), { renderer: 'none' });
  try {
    return shorten(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** The Vega spec of a Vega-Lite spec. Warnings of the compiler are mistakes of ours: they throw. */
export function compiled(spec: FigureSpec): Spec {
  const complain = (...messages: readonly unknown[]) => {
    // A step height beside a fitted width is meant.
    if (!String(messages[0]).startsWith('Dropping "fit-y"')) throw new Error(`Vega-Lite: ${messages.join(' ')}`);
  };
  const silent = () => undefined;
  const logger = { level: () => logger, info: silent, debug: silent, warn: complain, error: complain };
  return compile(spec, { logger: logger as never }).spec as Spec;
}

/** Two decimals of a pixel are enough, and attributes that only say the default can go: half of the bytes. */
function shorten(svg: string): string {
  const font = ` font-family="${fontFamily.replaceAll('"', '&quot;')}"`;
  return svg
    .replaceAll(font, '')
    .replace('<svg ', `<svg${font} `)
    .replace(/-?\d+\.\d{3,}/g, (v) => String(Number(Number(v).toFixed(2))))
    .replace(/<path class="(background|foreground)"[^>]*(display="none"|d="M0,0h0v0h0Z")[^>]*\/>/g, '')
    .replace(
      / (aria-hidden|role|aria-roledescription|pointer-events|opacity|font-weight)="(true|none|1|normal|graphics-\w+|[^"]*container)"/g,
      '',
    )
    .replace(/(fill="[^"]*") stroke-width="2"/g, '$1');
}
