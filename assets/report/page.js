/* Makes the page's charts interactive. Without it, and in print, the static drawings stand. */
(() => {
  const { config, figures: specs } = JSON.parse(document.getElementById('specs').textContent);
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
  const start = async (place) => {
    const id = place.dataset.figure;
    const spec = specs[id];
    if (!spec || views.has(id) || place.clientWidth === 0) return;
    views.set(id, undefined);
    const stage = document.createElement('div');
    stage.style.width = '100%';
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
