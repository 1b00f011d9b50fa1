/* Makes the page's charts interactive. Without it, and in print, the static drawings stand. */
(() => {
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return JSON.parse(await new Response(stream).text());
  };
  const idsOf = (id) => new Set(document.getElementById(id).dataset.ids.split(' '));
  const [alive, takeable] = [idsOf('specs'), idsOf('sources')];
  let specs = {};
  let config;
  const tip = document.getElementById('tip');
  const views = new Map();
  const hidden = { task: new Set(), method: new Set() };
  const chips = {
    task: [...document.querySelectorAll('[data-task-filter]')],
    method: [...document.querySelectorAll('[data-method-filter]')],
  };
  const named = (chip, kind) => chip.dataset[`${kind}Filter`];
  const shown = (kind) => chips[kind].map((chip) => named(chip, kind)).filter((value) => !hidden[kind].has(value));

  /* Tooltips */
  const tooltip = (_handler, event, _item, value) => {
    if (value === null || value === undefined || value === '' || typeof value !== 'object') {
      tip.hidden = true;
      return;
    }
    const table = document.createElement('table');
    for (const [name, text] of Object.entries(value)) {
      const row = table.insertRow();
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = name;
      row.append(head);
      row.insertCell().textContent = text;
    }
    tip.replaceChildren(table);
    tip.hidden = false;
    const place = (at, size, room) => Math.max(8, at + 14 + size > room - 8 ? at - 14 - size : at + 14);
    tip.style.left = `${place(event.clientX, tip.offsetWidth, innerWidth)}px`;
    tip.style.top = `${place(event.clientY, tip.offsetHeight, innerHeight)}px`;
  };
  addEventListener(
    'scroll',
    () => {
      tip.hidden = true;
    },
    { passive: true },
  );
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape') tip.hidden = true;
  });

  /* Charts: drawn when they come near the window, at the width of their place. */
  // Stacked charts take the width of their panels: what the axes need beside it is measured on the first drawing.
  const fitStacked = async (view, place) => {
    const drawn = place.querySelector('svg').getBoundingClientRect().width;
    const width = Math.max(140, place.clientWidth - (drawn - view.width()));
    await view.width(Math.floor(width)).resize().runAsync();
  };
  const isStacked = (spec) => 'layout' in spec;
  const allowed = (name) => (name === 'tasks' ? 'task' : 'method');
  const applyFilters = (view) => {
    for (const name of ['tasks', 'methods']) {
      if (!(name in view.getState().signals)) continue;
      view.signal(name, shown(allowed(name)));
    }
  };
  let specsOpened;
  const opened = () => {
    specsOpened ??= unpack('specs');
    return specsOpened;
  };
  const start = async (place) => {
    const id = place.dataset.figure;
    if (!alive.has(id)) return;
    ({ figures: specs, config } = await opened());
    const spec = specs[id];
    if (!spec || views.has(id) || place.clientWidth === 0) return;
    views.set(id, undefined);
    const stage = document.createElement('div');
    stage.style.width = '100%';
    // The place around it says in words what it shows.
    stage.setAttribute('aria-hidden', 'true');
    const drawing = place.firstElementChild;
    drawing.before(stage);
    drawing.style.display = 'none';
    try {
      const view = new vega.View(vega.parse(spec, config), {
        renderer: 'svg',
        container: stage,
        hover: true,
        logLevel: vega.Error,
        tooltip,
      });
      applyFilters(view);
      await view.runAsync();
      drawing.remove();
      if (isStacked(spec)) await fitStacked(view, place);
      views.set(id, view);
    } catch (error) {
      stage.remove();
      drawing.style.display = '';
      console.error(`figure ${id}: ${error.message}`);
    }
  };
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) start(entry.target);
    },
    { rootMargin: '600px' },
  );
  for (const place of document.querySelectorAll('.chart')) near.observe(place);
  let resizing;
  addEventListener('resize', () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => {
      for (const place of document.querySelectorAll('.chart')) {
        const view = views.get(place.dataset.figure);
        if (view && isStacked(specs[place.dataset.figure])) fitStacked(view, place);
      }
    }, 120);
  });

  /* Taking a figure along */
  let sourcesOpened;
  const save = (name, blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  const png = async (svg) => {
    const image = new Image();
    image.src = `data:image/svg+xml;base64,${btoa(String.fromCharCode(...new TextEncoder().encode(svg)))}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 2 * image.naturalWidth, height: 2 * image.naturalHeight });
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve));
  };
  const text = (content, type) => new Blob([content], { type });
  const kinds = {
    SVG: ({ svg }) => ['svg', text(svg, 'image/svg+xml')],
    PNG: async ({ svg }) => ['png', await png(svg)],
    CSV: ({ csv }) => ['csv', text(csv, 'text/csv')],
    'Vega-Lite': ({ spec }) => ['vl.json', text(JSON.stringify(spec, null, 1), 'application/json')],
  };
  for (const place of document.querySelectorAll('.chart')) {
    const id = place.dataset.figure;
    if (!takeable.has(id)) continue;
    const menu = document.createElement('div');
    menu.className = 'take';
    menu.setAttribute('role', 'group');
    menu.setAttribute('aria-label', `Save ${place.getAttribute('aria-label').split('. ')[0]}`);
    for (const [kind, make] of Object.entries(kinds)) {
      const take = document.createElement('button');
      take.type = 'button';
      take.textContent = kind;
      take.addEventListener('click', async () => {
        sourcesOpened ??= unpack('sources');
        const [ending, blob] = await make((await sourcesOpened)[id]);
        save(`${id}.${ending}`, blob);
      });
      menu.append(take);
    }
    place.after(menu);
  }

  /* Tables: sorted by a column, stacked on narrow screens, whole in print. */
  const numberIn = (text) => {
    const found = /[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?/i.exec(text);
    return found ? Number(found[0].replace('−', '-').replaceAll(',', '')) : Number.NaN;
  };
  const compare = (a, b, numeric) => {
    if (!numeric) return a.localeCompare(b, 'en', { numeric: true });
    const [x, y] = [numberIn(a), numberIn(b)];
    // What is no number comes last, either way round.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return x - y;
  };
  const sortBy = (table, column, heads) => {
    const body = table.tBodies[0];
    const up = heads[column].getAttribute('aria-sort') !== 'ascending';
    const numeric = heads[column].classList.contains('n');
    const textOf = (row) => row.cells[column]?.textContent ?? '';
    const known = [...body.rows].filter((row) => !numeric || !Number.isNaN(numberIn(textOf(row))));
    const rest = [...body.rows].filter((row) => !known.includes(row));
    known.sort((a, b) => (up ? 1 : -1) * compare(textOf(a), textOf(b), numeric));
    body.append(...known, ...rest);
    for (const [i, head] of heads.entries()) {
      if (i === column) head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    }
  };
  for (const table of document.querySelectorAll('.exhibit table:not(.advice-table), .tables table')) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    const roles = [
      [[table], 'table'],
      [[table.tHead, ...table.tBodies].filter(Boolean), 'rowgroup'],
      [table.rows, 'row'],
      [heads, 'columnheader'],
      [table.querySelectorAll('tbody th'), 'rowheader'],
      [table.querySelectorAll('td'), 'cell'],
    ];
    // Stacked, an element is no table to assistive technology unless it says so.
    for (const [elements, role] of roles) for (const element of elements) element.setAttribute('role', role);
    for (const row of table.tBodies[0]?.rows ?? []) {
      for (const [i, cell] of [...row.cells].entries()) cell.dataset.label = heads[i]?.textContent ?? '';
    }
    if ((table.tBodies[0]?.rows.length ?? 0) < 3) continue;
    for (const [i, head] of heads.entries()) {
      const sort = document.createElement('button');
      sort.type = 'button';
      sort.className = 'sort';
      sort.append(...head.childNodes);
      sort.addEventListener('click', () => sortBy(table, i, heads));
      head.append(sort);
    }
  }
  let openedForPrint = [];
  addEventListener('beforeprint', () => {
    openedForPrint = [...document.querySelectorAll('details:not([open])')];
    for (const part of openedForPrint) part.open = true;
  });
  addEventListener('afterprint', () => {
    for (const part of openedForPrint) part.open = false;
  });

  /* Terms: their meaning beside them, by mouse and by keyboard. */
  for (const term of document.querySelectorAll('.term')) {
    const meaning = document.querySelector(term.getAttribute('href'))?.querySelector('dd')?.textContent ?? '';
    const show = () => {
      const { left, bottom } = term.getBoundingClientRect();
      tip.textContent = meaning;
      tip.hidden = false;
      tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${bottom + 6}px`;
    };
    const hide = () => {
      tip.hidden = true;
    };
    term.addEventListener('mouseenter', show);
    term.addEventListener('focus', show);
    term.addEventListener('mouseleave', hide);
    term.addEventListener('blur', hide);
  }

  /* Filters */
  const all = document.getElementById('all');
  const refresh = () => {
    for (const kind of ['task', 'method']) {
      for (const chip of chips[kind]) chip.setAttribute('aria-pressed', String(!hidden[kind].has(named(chip, kind))));
      for (const part of document.querySelectorAll(`[data-${kind}]`))
        part.hidden = hidden[kind].has(part.dataset[kind]);
    }
    all.disabled = hidden.task.size + hidden.method.size === 0;
    for (const view of views.values()) {
      if (!view) continue;
      applyFilters(view);
      view.runAsync();
    }
  };
  for (const kind of ['task', 'method'])
    for (const chip of chips[kind])
      chip.addEventListener('click', () => {
        const value = named(chip, kind);
        if (!hidden[kind].delete(value)) hidden[kind].add(value);
        refresh();
      });
  all.addEventListener('click', () => {
    hidden.task.clear();
    hidden.method.clear();
    refresh();
  });
  for (const filters of document.querySelectorAll('.filters')) filters.hidden = false;

  /* Theme: as the system, or chosen here. */
  const themes = ['auto', 'light', 'dark'];
  const button = document.getElementById('theme');
  const setTheme = (theme) => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.dataset.value = theme;
  };
  const remember = (theme) => {
    try {
      localStorage.setItem('toehold-theme', theme);
    } catch {
      /* Some browsers keep no storage for files: the choice then lasts as long as the page. */
    }
  };
  let remembered = null;
  try {
    remembered = localStorage.getItem('toehold-theme');
  } catch {
    remembered = null;
  }
  setTheme(themes.includes(remembered) ? remembered : 'auto');
  button.addEventListener('click', () => {
    const next = themes[(themes.indexOf(button.dataset.value) + 1) % themes.length];
    setTheme(next);
    remember(next);
  });
  button.hidden = false;
})();
