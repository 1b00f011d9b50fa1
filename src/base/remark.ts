/** What somebody should know of the data at hand and the result cannot say. */

let listener: (sentence: string) => void = () => undefined;
const made = new Set<string>();

/** @param listen is called with every sentence */
export function onRemark(listen: (sentence: string) => void): void {
  listener = listen;
  made.clear();
}

/** Makes a remark, of each kind the first only. */
export function remark(kind: string, sentence: string): void {
  if (made.has(kind)) return;
  made.add(kind);
  listener(sentence);
}
