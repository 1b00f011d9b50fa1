/* Runs an exported probe on images in the page: nothing is fetched, nothing is sent. */
(() => {
  const $ = (id) => document.getElementById(id);
  const card = JSON.parse($('card').textContent);
  globalThis.toehold ??= { files: {} };
  const { toehold } = globalThis;
  const percent = (p) => (p >= 0.9995 ? '100' : (100 * p).toFixed(1));
  const signed = (v) => `${v < 0 ? '−' : '+'}${Math.abs(v).toFixed(2)}`;
  const say = (text) => {
    $('state').textContent = text;
  };
  const fail = (text) => {
    $('problem').textContent = text;
    $('problem').hidden = text === '';
  };
  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  /* Files beside the page: scripts, since a page opened from disk may load nothing else. */
  const load = (file) =>
    new Promise((resolve, reject) => {
      const script = element('script', undefined, { src: file });
      script.addEventListener('load', () => {
        script.remove();
        resolve();
      });
      script.addEventListener('error', () => reject(new Error(`${file} is missing beside this page: export it again`)));
      document.head.append(script);
    });
  const bytesOf = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  };
  const unpack = async (name) => {
    const bytes = bytesOf(toehold.files[name]);
    delete toehold.files[name];
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  /* The runtime: WebGPU where there is an adapter, else WebAssembly. */
  const wanted = new URLSearchParams(location.search).get('runtime');
  const order = async () => {
    if (wanted === 'wasm' || wanted === 'webgpu') return [wanted];
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
    return adapter ? ['webgpu', 'wasm'] : ['wasm'];
  };
  const open = async (runtime, model) => {
    await load(`runtime-${runtime}.js`);
    const glue = await unpack(`${runtime}.mjs`);
    const { env, InferenceSession } = globalThis.ort;
    env.logLevel = 'error';
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([glue], { type: 'text/javascript' })) };
    env.wasm.wasmBinary = (await unpack(`${runtime}.wasm`)).buffer;
    return InferenceSession.create(model, {
      executionProviders: runtime === 'webgpu' ? ['webgpu', 'wasm'] : ['wasm'],
      // Errors come back as exceptions; which nodes run where is nobody's concern.
      logSeverityLevel: 4,
      extra: { optimization: { disable_specified_optimizers: 'MatMulAddFusion;Pad_Fusion' } },
    });
  };
  const start = async () => {
    await load('model.js');
    const model = await unpack('model');
    let last;
    for (const runtime of await order()) {
      try {
        return { session: await open(runtime, model), runtime };
      } catch (error) {
        last = error;
      }
    }
    throw last;
  };

  /* Pixels as toehold decodes them: RGB without alpha, oriented, no colour management. */
  const mostPixels = 4e6;
  const pixelsOf = async (blob) => {
    const bitmap = await createImageBitmap(blob, {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
      imageOrientation: 'from-image',
    });
    const shrink = Math.min(1, Math.sqrt(mostPixels / (bitmap.width * bitmap.height)));
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * shrink)));
    const canvas = element('canvas');
    Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d', { colorSpace: 'srgb', willReadFrequently: true });
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const rgb = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      rgb[to++] = data[from];
      rgb[to++] = data[from + 1];
      rgb[to++] = data[from + 2];
    }
    const note =
      shrink < 1
        ? `It has ${bitmap.width} × ${bitmap.height} pixels and was shrunk to ${width} × ${height} by the browser first: probabilities differ a little from those of toehold predict.`
        : '';
    return { width, height, rgb, note };
  };

  /* Showing an answer */
  const K = card.classes.length;
  const shownFirst = 5;
  let shownAll = false;
  let answer;
  const barCell = (share, left = 0) => {
    const cell = element('td', undefined, { class: 'bar' });
    const bar = element('i');
    bar.style.width = `${(100 * share).toFixed(2)}%`;
    bar.style.marginLeft = `${(100 * left).toFixed(2)}%`;
    cell.append(bar);
    return cell;
  };
  const rowOf = (name, number, bar) => {
    const row = element('tr');
    row.append(element('th', name, { scope: 'row' }), element('td', number, { class: 'n' }), bar);
    return row;
  };
  const showClasses = () => {
    const rows = answer.ranking.slice(0, shownAll ? K : shownFirst);
    $('classes').tBodies[0].replaceChildren(
      ...rows.map((k) => rowOf(card.classes[k], percent(answer.probabilities[k]), barCell(answer.probabilities[k]))),
    );
    $('more').hidden = K <= shownFirst;
    $('more').textContent = shownAll ? `Show the first ${shownFirst}` : `Show all ${K} classes`;
    $('more').setAttribute('aria-expanded', String(shownAll));
  };
  const mostLayers = 10;
  const showLayers = (k) => {
    if (card.layers.length === 0) return;
    // Poolings of one tap are one layer.
    const parts = new Map();
    for (const [t, { alias, depth }] of card.layers.entries()) {
      const [name] = alias.split('@');
      const part = parts.get(name) ?? { name, depth, value: 0 };
      part.value += answer.layers[t * K + k];
      parts.set(name, part);
    }
    const all = [...parts.values()];
    const largest = [...all].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, mostLayers);
    const shown = all.filter((part) => largest.includes(part)).sort((a, b) => a.depth - b.depth);
    const rest = all.filter((part) => !largest.includes(part));
    if (rest.length > 0) {
      shown.push({ name: `${rest.length} more`, value: rest.reduce((sum, part) => sum + part.value, 0) });
    }
    const scale = Math.max(1e-9, ...shown.map((part) => Math.abs(part.value)));
    $('layers').tBodies[0].replaceChildren(
      ...shown.map(({ name, value }) => {
        const share = Math.abs(value) / scale / 2;
        const bar = barCell(share, value < 0 ? 0.5 - share : 0.5);
        bar.classList.add('signed');
        if (value < 0) bar.firstChild.className = 'minus';
        return rowOf(name, signed(value), bar);
      }),
    );
    const total = all.reduce((sum, part) => sum + part.value, 0);
    $('against').textContent =
      `, against an average training image: together ${signed(total)}. First layers at the top.`;
  };
  const near = card.neighbours && {
    ...card.neighbours,
    coordinates: new Float32Array(bytesOf(card.neighbours.coordinates).buffer),
  };
  const showNearest = () => {
    if (!near) return;
    const { dimensions: d, coordinates, examples } = near;
    const distances = examples.map((_, e) => {
      let square = 0;
      for (let j = 0; j < d; j++) square += (coordinates[e * d + j] - answer.embedding[j]) ** 2;
      return square;
    });
    const nearest = examples.map((_, e) => e).sort((a, b) => distances[a] - distances[b]);
    const first = nearest.slice(0, 8);
    const same = first.filter((e) => examples[e].label === answer.ranking[0]).length;
    $('near-lead').textContent =
      `${same} of these ${first.length} are ${card.classes[answer.ranking[0]]}. Nearest of ${examples.length} training images in what the probe reads, each feature counting by its weights.`;
    $('near').replaceChildren(
      ...first.map((e) => {
        const { image, label, file } = examples[e];
        const item = element('li');
        item.append(
          element('img', undefined, { src: image, alt: `${file}`, width: '96', height: '96' }),
          element('span', card.classes[label]),
        );
        return item;
      }),
    );
    $('near-part').hidden = false;
  };
  const show = (blob, note, milliseconds) => {
    const [k] = answer.ranking;
    URL.revokeObjectURL($('image').src);
    $('image').src = URL.createObjectURL(blob);
    $('image').alt = blob.name ? `The image ${blob.name}` : 'The image that was classified';
    $('found').textContent = `${card.classes[k]}, ${percent(answer.probabilities[k])} %`;
    $('note').textContent = note;
    $('note').hidden = note === '';
    showClasses();
    $('which').replaceChildren(...answer.ranking.map((c) => element('option', card.classes[c], { value: String(c) })));
    showLayers(k);
    showNearest();
    $('result').hidden = false;
    say(
      `Classified in ${milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`}`,
    );
    $('found').focus({ preventScroll: true });
    $('result').scrollIntoView({ block: 'nearest' });
  };

  let model;
  let busy = Promise.resolve();
  const classify = (blob) => {
    busy = busy.then(async () => {
      fail('');
      say('Classifying …');
      // The words first: a run holds the page.
      await new Promise((resolve) => setTimeout(resolve, 30));
      const began = performance.now();
      let pixels;
      try {
        pixels = await pixelsOf(blob);
      } catch {
        say('Ready');
        fail(`${blob.name ?? 'This'} is not an image that this browser can read: PNG, JPEG and WebP are.`);
        return;
      }
      try {
        const { session } = model;
        const { width, height, rgb, note } = pixels;
        const image = new globalThis.ort.Tensor('uint8', rgb, [height, width, 3]);
        const { probabilities, layers, embedding } = await session.run({ image });
        const values = probabilities.data;
        const ranking = Array.from(values.keys()).sort((a, b) => values[b] - values[a]);
        answer = { probabilities: values, layers: layers?.data, embedding: embedding?.data, ranking };
        toehold.answer = answer;
        show(blob, note, performance.now() - began);
      } catch (error) {
        say('Ready');
        fail(`The model failed on this image: ${error.message ?? error}`);
      }
    });
    return busy;
  };

  /* Ways to give an image */
  const input = $('file');
  input.addEventListener('change', () => {
    const [file] = input.files;
    if (file) classify(file);
    input.value = '';
  });
  const drop = $('drop');
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', type === 'dragenter' || type === 'dragover');
      const [file] = type === 'drop' ? (event.dataTransfer?.files ?? []) : [];
      if (file && model) classify(file);
    });
  }
  addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file && model) classify(file);
  });
  const video = $('video');
  const stopCamera = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    $('shot').hidden = true;
    $('camera').focus();
  };
  $('camera').hidden = !navigator.mediaDevices?.getUserMedia;
  $('camera').addEventListener('click', async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
      $('shot').hidden = false;
      await video.play();
      $('snap').focus();
    } catch (error) {
      fail(`The camera cannot be used: ${error.message}`);
    }
  });
  $('snap').addEventListener('click', () => {
    const canvas = element('canvas');
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext('2d').drawImage(video, 0, 0);
    stopCamera();
    canvas.toBlob((blob) => blob && classify(blob));
  });
  $('stop').addEventListener('click', stopCamera);
  $('more').addEventListener('click', () => {
    shownAll = !shownAll;
    showClasses();
  });
  $('which').addEventListener('change', () => showLayers(Number($('which').value)));

  /* Beginning */
  // A network that was trained as a whole has no parts that add up.
  $('layers-part').hidden = card.layers.length === 0;
  $('about').textContent =
    `Tells ${K === 2 ? `${card.classes[0]} from ${card.classes[1]}` : `${K} classes apart`}: ${card.method} on ${card.model}.`;
  const ready = async () => {
    try {
      model = await start();
    } catch (error) {
      say('Not ready');
      fail(`The model cannot be opened here: ${error.message ?? error}`);
      return;
    }
    for (const id of ['file', 'camera']) $(id).disabled = false;
    const facts = {
      model: `${card.model}, sha256 ${card.sha256.slice(0, 16)}`,
      method: card.method,
      temperature: card.temperature.toFixed(3),
      runs: `${card.runtime}, ${model.runtime === 'webgpu' ? 'WebGPU' : 'WebAssembly'}`,
      'made by': `toehold ${card.toehold}`,
    };
    $('facts').replaceChildren(
      ...Object.entries(facts).map(([name, text]) => {
        const fact = element('div');
        fact.append(element('dt', name), element('dd', text));
        return fact;
      }),
    );
    document.documentElement.dataset.ready = model.runtime;
    say('Ready');
  };
  ready();
})();
