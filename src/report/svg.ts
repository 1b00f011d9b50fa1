/**
 * Vega-Lite to SVG without a browser, and to the compiled specs that the page runs. The two libraries take longer to load than
 * most commands run: they come with the first drawing.
 */
import type { LoggerInterface, Spec } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import { chartConfig, fontFamily } from './theme.js';

/**
 * A figure's spec: Vega-Lite with literal data, the theme, and numeric width. Not Vega-Lite's own type, which a program could
 * compile against with a browser's types only.
 */
export interface FigureSpec {
  readonly $schema: string;
  readonly config?: object;
  readonly [key: string]: unknown;
}

/** What Vega-Lite compiles it to. */
export interface CompiledSpec {
  readonly $schema?: string;
  readonly config?: object;
  readonly [key: string]: unknown;
}

const schema = 'https://vega.github.io/schema/vega-lite/v6.json';

/** Completes the body of a Vega-Lite spec to one that stands alone, in the look of the report's figures. */
export function standalone(body: object): FigureSpec {
  return { $schema: schema, config: chartConfig, ...body } as FigureSpec;
}

/** Renders a spec to an SVG document; the same spec gives the same bytes. */
export async function renderSvg(spec: FigureSpec): Promise<string> {
  const { parse, resetSVGDefIds, View } = await import('vega');
  const vega = await compiled(spec);
  resetSVGDefIds();
  const problems = new Problems();
  const view = new View(parse(vega as Spec), { renderer: 'none', logger: problems.logger });
  try {
    const svg = await view.toSVG();
    // Vega continues without what it could not evaluate: such a drawing lacks marks.
    if (problems.first !== undefined) throw problems.first;
    return shorten(svg);
  } finally {
    view.finalize();
  }
}

/** The Vega spec of a Vega-Lite spec. Warnings of the compiler are mistakes of ours: they throw. */
export async function compiled(spec: FigureSpec): Promise<CompiledSpec> {
  const { compile } = await import('vega-lite');
  const problems = new Problems();
  const vega = compile(spec as object as TopLevelSpec, { logger: problems.logger }).spec;
  // A step height beside a fitted width is meant.
  const warning = problems.warnings.find((text) => !text.startsWith('Dropping "fit-y"'));
  if (problems.first !== undefined || warning !== undefined) throw problems.first ?? new Error(`Vega-Lite: ${warning}`);
  return vega as CompiledSpec;
}

/** What Vega and its compiler log, kept instead of printed. */
class Problems {
  first: Error | undefined;
  readonly warnings: string[] = [];
  readonly logger: LoggerInterface;

  constructor() {
    const keep = (...messages: readonly unknown[]) => {
      const [cause] = messages;
      this.first ??= cause instanceof Error ? cause : new Error(messages.join(' '));
      return this.logger;
    };
    const warn = (...messages: readonly unknown[]) => {
      this.warnings.push(messages.join(' '));
      return this.logger;
    };
    const silent = () => this.logger;
    this.logger = {
      level: (() => this.logger) as LoggerInterface['level'],
      error: keep,
      warn,
      info: silent,
      debug: silent,
    };
  }
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
