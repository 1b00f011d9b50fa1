/** Blocks of a README that show what a command printed: filled from the record of that run, and compared with it. */
const block = /(<!-- printed: (\S+) -->\n```\n)([\s\S]*?)(\n```)/g;

/** The runs that a text quotes, by their folders, with what it says that they printed. */
export function printedIn(text: string): { folder: string; printed: string }[] {
  return [...text.matchAll(block)].map(([, , folder = '', printed = '']) => ({ folder, printed }));
}

/** The text with what the runs really print. `textOf` gives that of the run in a folder. */
export function withPrinted(text: string, textOf: ReadonlyMap<string, string>): string {
  return text.replace(block, (_, before: string, folder: string, was: string, after: string) => {
    return `${before}${textOf.get(folder) ?? was}${after}`;
  });
}
