/** What a reader sees of a page: its text, without scripts, drawings and tags. */
export const textOf = (page: string): string =>
  page
    .slice(page.indexOf('<main>'), page.indexOf('<div id="tip"'))
    .replace(/<svg[\s\S]*?<\/svg>/g, '')
    .replace(/<a class="term"[^>]*>([^<]*)<\/a>/g, '$1')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('\u00a0', ' ')
    .replace(/\s+/g, ' ');
