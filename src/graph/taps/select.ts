/** Which taps a request means: names, aliases, globs of either, 'default' and 'all'. */
import picomatch from 'picomatch';
import { nearest, UserError } from '../../base/index.js';
import type { Tap } from './find.js';

/** Alias of a module of an attention block, or of an end. */
const isModule = (alias: string) => /(?:\.(?:ln1|attn|mid|ln2|fc1|hidden|mlp|out)|^final_norm|^features)$/.test(alias);

/**
 * @param request comma-separated; `all`, `default`, `modules` (every named module of attention blocks), or globs over
 * aliases and ONNX names, e.g. `s3.*,features`.
 * @returns the taps meant, in topological order.
 * @throws UserError when a part matches nothing.
 */
export function selectTaps(taps: readonly Tap[], request = 'default'): Tap[] {
  const chosen = new Set<Tap>();
  for (const part of request.split(',').map((p) => p.trim())) {
    if (part === '') continue;
    const matches = picomatch(part);
    const found = taps.filter((tap) =>
      part === 'all'
        ? true
        : part === 'default'
          ? tap.standard
          : part === 'modules'
            ? isModule(tap.alias)
            : tap.alias === part || tap.name === part || matches(tap.alias) || matches(tap.name),
    );
    if (found.length === 0) {
      const hint = nearest(part, [...taps.map((t) => t.alias), 'all', 'default', 'modules']);
      throw new UserError(
        `no tap matches '${part}'${hint ? `; did you mean '${hint}'?` : ''} (toehold taps MODEL lists them)`,
      );
    }
    for (const tap of found) chosen.add(tap);
  }
  if (chosen.size === 0) throw new UserError('no taps are asked for: give --taps names, globs, default or all');
  return taps.filter((tap) => chosen.has(tap));
}
