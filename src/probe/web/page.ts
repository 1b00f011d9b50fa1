/** The page's document. */

export interface PageParts {
  /** As HTML. */
  readonly title: string;
  readonly css: string;
  readonly js: string;
  /** JSON that may stand inside a script element. */
  readonly card: string;
}

/** index.html. Its policy lets it load what lies beside it, and connect to nothing. */
export function sitePage({ title, css, js, card }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval' 'self' file: blob:; form-action 'none'; base-uri 'none'">
<link rel="icon" href="data:,">
<title>${title} · toehold</title>
<style>
${css}</style>
</head>
<body>
<header class="top"><span class="brand"><svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M3 17h14M3 17V13h4V9.5h4V6h4V3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>toehold</span><span id="state" role="status">Loading the model …</span></header>
<main>
<h1>${title}</h1>
<p class="deck" id="about"></p>
<section class="take" aria-label="An image to classify">
<div id="drop" class="drop">
<input type="file" id="file" accept="image/*" disabled>
<label for="file"><strong>Choose an image</strong><span>or drop or paste one here</span></label>
<button type="button" id="camera" hidden disabled>Use the camera</button>
</div>
<div id="shot" class="shot" hidden><video id="video" muted playsinline></video><div class="row"><button type="button" id="snap">Take the photograph</button><button type="button" id="stop">Close the camera</button></div></div>
<p class="small">Images stay on this device: this page can send nothing anywhere.</p>
</section>
<noscript><p class="problem">The model runs in this page, which needs JavaScript.</p></noscript>
<p id="problem" class="problem" role="alert" hidden></p>
<div id="result" hidden>
<section class="answer" aria-labelledby="found">
<img id="image" alt="">
<div>
<h2 id="found" tabindex="-1"></h2>
<p id="note" class="small" hidden></p>
<table id="classes"><caption>Probabilities, temperature-scaled</caption><thead><tr><th scope="col">class</th><th scope="col" class="n">%</th><th scope="col"><span class="unseen">as a bar</span></th></tr></thead><tbody></tbody></table>
<button type="button" id="more" aria-expanded="false" aria-controls="classes" hidden>Show every class</button>
</div>
</section>
<section id="layers-part" aria-labelledby="layers-title">
<h2 id="layers-title">Which layers carried it</h2>
<p class="lead"><label for="which">How much each layer adds to the logit of</label> <select id="which"></select><span id="against"></span></p>
<table id="layers"><caption class="unseen">Contributions of layers</caption><thead><tr><th scope="col">layer</th><th scope="col" class="n">logit</th><th scope="col"><span class="unseen">as a bar</span></th></tr></thead><tbody></tbody></table>
</section>
<section id="near-part" aria-labelledby="near-title" hidden>
<h2 id="near-title">Nearest training images</h2>
<p class="lead" id="near-lead"></p>
<ol id="near" class="thumbs"></ol>
</section>
</div>
</main>
<footer><dl class="facts" id="facts"></dl><p class="small">PNG and other lossless images give the probabilities of <code>toehold predict</code>. Browsers have JPEG decoders of their own: pixels differ by a few levels of 255 there, and probabilities a little with them. Alpha is dropped, colour profiles are ignored.</p></footer>
<script type="application/json" id="card">${card}</script>
<script>
${js}</script>
</body>
</html>
`;
}
