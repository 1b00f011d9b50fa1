/** Text of others' making (names of files, classes, layers) where something reads it that obeys. */

/**
 * What a terminal may be sent: control codes, which move its cursor, colour it or set its title, and marks that turn the
 * direction of writing round, become U+FFFD. Line ends and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** JSON for a terminal: JavaScript leaves the control codes from U+007F on as they are. */
export function printableJson(value: unknown): string {
  const code = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, 2).replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, code);
}

/**
 * A cell that a spreadsheet shows and does not compute: text that begins like a formula gets a quote before it, as OWASP
 * advises. Numbers that are text stay.
 */
export function harmlessCell(text: string): string {
  return /^[=+\-@\t\r]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
}
