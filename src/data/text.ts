/** Words and order for lists of names. */

/** '1 image', '2 images'. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** "'a', 'b' and 3 more". */
export function quoteSome(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).map((name) => `'${name}'`);
  const rest = names.length > most ? ` and ${names.length - most} more` : '';
  return `${shown.join(', ')}${rest}`;
}

/** Code-point order: the same on every machine, whatever its locale. */
export function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
