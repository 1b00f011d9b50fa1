/** What the process is doing, for whoever has to explain its death. */

let listener: (doing: string) => void = () => undefined;

/** @param listen is called with what begins, as in 'while it was ...' */
export function onActivity(listen: (doing: string) => void): void {
  listener = listen;
}

/** Says what begins: 'opening model.onnx'. */
export function activity(doing: string): void {
  listener(doing);
}
