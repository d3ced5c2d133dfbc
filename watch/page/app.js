"use strict";
// The page of package watch: it reads the stream of /api/events and draws what it says.

const $ = id => document.getElementById(id);
const token = document.querySelector('meta[name="page-token"]').content;
const kind = document.body.dataset.kind;

// make returns an element with properties and children.
function make(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// short prints a number in few characters.
function short(v) {
  if (v === null || v === undefined) return "–";
  const a = Math.abs(v);
  if (a !== 0 && (a < 1e-3 || a >= 1e6)) return v.toExponential(2);
  if (a >= 1000) return Math.round(v).toLocaleString("en");
  return Number(v.toPrecision(4)).toString();
}
// tick prints a number at an axis, where there is little room.
const tick = v => v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e6) ? Number(v.toPrecision(2)).toExponential() : short(v);
const percentTick = v => Number((100 * v).toPrecision(4)) + " %";
const percent = v => v === null || v === undefined ? "–" : (100 * v).toFixed(2) + " %";

// ---- tables of numbers, as the server keeps them

const tables = new Map(); // name -> {columns, rows}

function takeRows(m) {
  if (m.reset || !tables.has(m.table)) tables.set(m.table, { columns: m.columns, rows: [] });
  const t = tables.get(m.table);
  for (const row of m.rows) t.rows.push(row);
}

// column returns the numbers of a table's column as [x, y].
function column(table, name) {
  const t = tables.get(table);
  if (!t) return [[], []];
  const i = t.columns.indexOf(name);
  return [t.rows.map(r => r[0]), t.rows.map(r => (i < 0 ? null : r[i]))];
}

// ---- charts

const charts = [];

// shade is the colour of line i of n: few have colours of their own, many go from one to another.
function shade(i, n) {
  if (n <= 8) return css("--c" + i);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return `hsl(${Math.round(260 - 230 * i / (n - 1))} 65% ${dark ? 65 : 42}%)`;
}

// few reports whether a line has so few points that each is marked.
const few = (plot, line) => plot.data[line].reduce((n, v) => n + (v !== null && v !== undefined), 0) < 40;

// A Chart draws lines that lines() gives: [{name, x, y}], on one horizontal axis.
class Chart {
  constructor(title, lines, { log = false, format = short, unit = "step" } = {}) {
    Object.assign(this, { title, lines, log, format, unit, names: "", plot: null });
    this.body = make("div");
    this.key = make("div", { className: "key" });
    this.card = make("div", { className: "card" }, this.heading(), this.body, this.key);
    $("charts").append(this.card);
    this.waiting();
    new ResizeObserver(() => this.fit()).observe(this.card);
    charts.push(this);
  }

  // heading is the title and, for a loss, a button that has the axis logarithmic.
  heading() {
    const h = make("h2", { textContent: this.title });
    if (!this.title.toLowerCase().includes("loss")) return h;
    const b = make("button", { type: "button", className: "small", textContent: "log" });
    b.setAttribute("aria-pressed", false);
    b.onclick = () => { this.log = !this.log; b.setAttribute("aria-pressed", this.log); this.update(true); };
    h.append(b);
    return h;
  }

  waiting() {
    this.body.replaceChildren(make("div", { className: "empty", textContent: "nothing yet" }));
    this.key.replaceChildren();
  }

  width() { return Math.max(200, Math.floor(this.body.clientWidth)); }

  fit() { if (this.plot && this.plot.width !== this.width()) this.plot.setSize({ width: this.width(), height: 200 }); }

  update(again = false) {
    const lines = this.lines().filter(l => l.x.length > 0 && l.y.some(v => v !== null && (!this.log || v > 0)));
    if (lines.length === 0) return;
    const data = uPlot.join(lines.map(l => [l.x, this.log ? l.y.map(v => v > 0 ? v : null) : l.y]));
    const names = lines.map(l => l.name).join("\n");
    if (again || names !== this.names || !this.plot) {
      this.names = names;
      this.build(lines, data);
    } else {
      this.plot.setData(data);
    }
    this.label(null);
  }

  build(lines, data) {
    if (this.plot) this.plot.destroy();
    this.body.replaceChildren();
    const axis = { stroke: css("--faint"), grid: { stroke: css("--grid"), width: 1 }, ticks: { stroke: css("--grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    this.colours = lines.map((_, i) => shade(i, lines.length));
    this.plot = new uPlot({
      width: this.width(), height: 200,
      legend: { show: false },
      cursor: { drag: { x: true, y: false }, points: { show: lines.length <= 8 } },
      scales: { x: { time: false }, y: this.log ? { distr: 3 } : {} },
      axes: [
        { ...axis, space: 60, size: 32, values: (_, all) => all.map(v => v === Math.round(v) ? v.toLocaleString("en") : "") },
        { ...axis, size: 62, values: (_, all) => all.map(v => v === null ? "" : this.format === percent ? percentTick(v) : tick(v)) },
      ],
      series: [{}, ...lines.map((l, i) => ({
        label: l.name, stroke: this.colours[i], width: lines.length > 8 ? 1.25 : 2, spanGaps: true,
        dash: l.dashed ? [6, 4] : undefined, points: { show: few, size: 5, fill: this.colours[i] },
      }))],
      hooks: { setCursor: [u => this.label(u.cursor.idx)] },
    }, data, this.body);
  }

  // label writes the key, with the values under the cursor or the last ones.
  label(at) {
    if (!this.plot) return;
    const last = values => { for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null && values[i] !== undefined) return values[i]; return null; };
    const items = this.plot.series.slice(1).map((s, i) => {
      const values = this.plot.data[i + 1];
      const v = at === null || at === undefined ? last(values) : values[at];
      const mark = make("i");
      mark.style.background = this.colours[i];
      return make("span", { title: s.label }, mark, `${s.label} ${this.format(v)}`);
    });
    if (at !== null && at !== undefined) items.unshift(make("span", { textContent: `${this.unit} ${this.plot.data[0][at].toLocaleString("en")}` }));
    this.key.replaceChildren(...items);
  }
}

// ---- a run

const line = (table, name, as = name, dashed = false) => { const [x, y] = column(table, name); return { name: as, x, y, dashed }; };

function normLines(prefix) {
  const t = tables.get("norms");
  if (!t) return [];
  return t.columns.filter(c => c.startsWith(prefix + " ")).map(c => line("norms", c, c.slice(prefix.length + 1)));
}

// rates are images a second, each over as much of the run as a few pixels show: single steps jump.
function rates(seconds) {
  const window = Math.ceil(seconds.length / 60);
  let sum = 0;
  return seconds.map((v, i) => {
    sum += v - (i >= window ? seconds[i - window] : 0);
    return sum > 0 ? Math.min(i + 1, window) / sum : null;
  });
}

// metricCharts adds a chart for each column that is a metric besides loss and accuracy.
function metricCharts(table, lines, options) {
  const t = tables.get(table), plain = ["step", "epoch", "loss", "accuracy", "rate", "images a second", "seconds"];
  for (const c of t.columns) {
    const name = c.replace(/^validation /, "");
    if (plain.includes(name) || charted.has(name)) continue;
    charted.add(name);
    new Chart(name, () => lines(name), options);
  }
}
const charted = new Set();

function runCharts() {
  new Chart("Loss", () => [line("steps", "loss", "training"), line("epochs", "validation loss", "validation")]);
  new Chart("Accuracy", () => [line("steps", "accuracy", "training"), line("epochs", "validation accuracy", "validation")], { format: percent });
  new Chart("Norm of the gradient, by layer", () => normLines("gradient"), { log: true });
  new Chart("Change of a step over size, by layer", () => normLines("update"), { log: true });
  new Chart("Images a second", () => { const [x, y] = column("steps", "seconds an image"); return [{ name: "images/s", x, y: rates(y) }]; });
  new Chart("Learning rate", () => [line("steps", "rate", "rate")]);
}

let state = null, example = 0, mapsSeen = -1;

function duration(s) {
  if (s === null || s === undefined) return "";
  const h = Math.floor(s / 3600), m = Math.floor(s % 3600 / 60), rest = Math.round(s % 60);
  return ", about " + (h ? `${h} h ${m} min` : m ? `${m} min ${rest} s` : `${rest} s`) + " to go";
}

function showState(s) {
  const before = state;
  state = s;
  $("title").textContent = s.title;
  document.title = s.title + " – Plexaura";
  showPhase(s.phase);
  const running = ["waiting", "training", "stopping"].includes(s.phase);
  $("stop").hidden = !running;
  $("stop").disabled = s.phase === "stopping";
  $("stop").textContent = s.phase === "stopping" ? "Stopping…" : "Stop and save";
  const all = s.epochs * s.batches, done = Math.min(all, (s.epoch - 1) * s.batches + s.batch);
  if (s.epochs > 0) {
    const of = s.batches > 0 ? " of " + s.batches.toLocaleString("en") : ""; // of a stream nobody knows how many
    const share = all > 0 ? done / all : s.phase === "finished" ? 1 : Math.min(1, (s.epoch - 1) / s.epochs);
    $("bar").style.width = 100 * share + "%";
    $("where").textContent = `epoch ${Math.min(s.epoch, s.epochs)} of ${s.epochs}, step ${s.batch.toLocaleString("en")}${of}` + (running ? duration(s.left) : "");
  }
  say(s.message);
  $("notes").replaceChildren(...(s.notes || []).map(n => make("li", { textContent: n })));
  if (s.model && !(before && before.model)) showModel(s.model);
  showExamples(s.examples || []);
  if (s.maps !== mapsSeen && s.maps > 0) fetchMaps();
  $("trial").hidden = !s.trial;
}

function showPhase(phase) {
  $("phase").textContent = phase;
  $("phase").className = "badge " + phase;
}

function say(text) {
  $("message").textContent = text || "";
  $("message").hidden = !text;
}

// ---- maps

const ramp = (() => { // from dark to light, as matplotlib's viridis does
  const stops = [[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37]];
  return Array.from({ length: 256 }, (_, i) => {
    const at = i / 255 * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at)), f = at - k;
    return stops[k].map((c, j) => Math.round(c + f * (stops[k + 1][j] - c)));
  });
})();
const grey = Array.from({ length: 256 }, (_, i) => [i, i, i]);

const bytesOf = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

// drawMaps draws the maps of one layer side by side on a canvas, a pixel for a number.
function drawMaps(m) {
  const pixels = bytesOf(m.pixels), canvas = make("canvas");
  if (m.name === "input" && m.channels === 3) return drawColour(m, pixels, canvas);
  let { channels, height, width } = m, columns = Math.ceil(Math.sqrt(channels * height / width * 1.6)), gap = 1;
  if (channels === 1 && height === 1) { // numbers: as rows of a square
    channels = width; width = height = 1; columns = Math.min(channels, Math.max(10, Math.ceil(Math.sqrt(channels * 2)))); gap = 0;
  }
  columns = Math.max(1, Math.min(columns, channels));
  const lines = Math.ceil(channels / columns);
  canvas.width = columns * (width + gap) - gap;
  canvas.height = lines * (height + gap) - gap;
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  const colours = m.name === "input" ? grey : ramp;
  for (let c = 0; c < channels; c++) {
    const left = (c % columns) * (width + gap), top = Math.floor(c / columns) * (height + gap);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const [r, g, b] = colours[pixels[(c * height + y) * width + x]];
      image.data.set([r, g, b, 255], 4 * ((top + y) * canvas.width + left + x));
    }
  }
  context.putImageData(image, 0, 0);
  return enlarge(canvas);
}

function drawColour(m, pixels, canvas) {
  const n = m.height * m.width, image = new ImageData(m.width, m.height);
  for (let i = 0; i < n; i++) image.data.set([pixels[i], pixels[n + i], pixels[2 * n + i], 255], 4 * i);
  [canvas.width, canvas.height] = [m.width, m.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return enlarge(canvas);
}

function enlarge(canvas) {
  const by = Math.max(1, Math.min(10, Math.floor(Math.min(280 / canvas.width, 200 / canvas.height))));
  canvas.style.width = canvas.width * by + "px";
  return canvas;
}

function figure(m) {
  const caption = make("figcaption", {}, make("b", { textContent: m.name + (m.op ? " " + m.op : "") }),
    ` ${m.shape}, from ${short(m.least)} to ${short(m.most)}`);
  const channels = m.shape.split(",").length === 3 ? Number(m.shape.slice(1).split(",")[0]) : 1;
  if (channels > m.channels) caption.append(`, the first ${m.channels} channels`);
  if (m.flat > 0) caption.append(`, ${m.flat} of them the same everywhere`);
  return make("figure", {}, drawMaps(m), caption);
}

function showMaps(into, all) { into.replaceChildren(...[all.input, ...all.layers].map(figure)); }

function showExamples(names) {
  $("activations").hidden = names.length === 0;
  const buttons = $("examples");
  while (buttons.children.length < names.length) {
    const b = make("button", { type: "button" }), i = buttons.children.length;
    b.setAttribute("aria-pressed", i === example);
    b.onclick = () => {
      example = i;
      for (const [k, other] of [...buttons.children].entries()) other.setAttribute("aria-pressed", k === i);
      fetchMaps();
    };
    buttons.append(b);
  }
  names.forEach((name, i) => { buttons.children[i].textContent = name; });
}

let fetching = false;

async function fetchMaps() {
  if (fetching || document.hidden) return;
  fetching = true;
  const [seen, wanted] = [state.maps, example];
  try {
    const answer = await fetch("api/maps?example=" + wanted);
    if (!answer.ok) return;
    showMaps($("maps"), await answer.json());
    mapsSeen = seen;
  } catch (_) { // the connection is gone, which the stream tells
  } finally {
    fetching = false;
    if (wanted !== example) fetchMaps();
  }
}

// ---- the model

const sizes = ["B", "KB", "MB", "GB", "TB"];
function bytes(n) {
  let i = 0;
  while (n >= 1000 && i < sizes.length - 1) { n /= 1000; i++; }
  return (i === 0 ? n : n.toPrecision(3)) + " " + sizes[i];
}

const parts = [["arena", "values of a step", "--c0"], ["leaves", "parameters and state", "--c1"], ["packed", "packed parameters", "--c2"], ["consts", "constants", "--c3"]];

function showModel(m) {
  $("model").hidden = false;
  $("facts").textContent = `${m.params.toLocaleString("en")} parameters, inputs ${m.input}, batches of ${m.batch}, engine ${m.engine}`;
  const most = Math.max(...m.memory.map(p => p.arena + p.leaves + p.packed + p.consts));
  $("memory").replaceChildren(...m.memory.map(p => {
    const stack = make("div", { className: "stack" }), key = make("div", { className: "key" });
    for (const [field, name, colour] of parts) {
      if (p[field] === 0) continue;
      const bar = make("div", { title: `${name}: ${bytes(p[field])}` }), mark = make("i");
      bar.style.width = 100 * p[field] / most + "%";
      bar.style.background = mark.style.background = `var(${colour})`;
      stack.append(bar);
      key.append(make("span", {}, mark, `${name} ${bytes(p[field])}` + (field === "arena" ? `, instead of ${bytes(p.unshared)} were no memory shared` : "")));
    }
    return make("div", { className: "plan" }, make("div", { textContent: `${p.program}: ${bytes(p.arena + p.leaves + p.packed + p.consts)}` }), stack, key);
  }));
}

// ---- requests

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Page-Token": token }, body });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

function setUpRun() {
  runCharts();
  $("stop").onclick = async () => {
    $("stop").disabled = true;
    try { await post("api/stop"); } catch (e) { say(e.message); $("stop").disabled = false; }
  };
  setUpPaper();
}

function setUpPaper() {
  const paper = $("paper"), context = paper.getContext("2d");
  const wipe = () => { context.fillStyle = "#fff"; context.fillRect(0, 0, paper.width, paper.height); };
  wipe();
  context.lineWidth = 22;
  context.lineCap = context.lineJoin = "round";
  let from = null, timer = 0, last = 0;
  const point = e => { const r = paper.getBoundingClientRect(); return [(e.clientX - r.left) * paper.width / r.width, (e.clientY - r.top) * paper.height / r.height]; };
  const soon = () => { clearTimeout(timer); timer = setTimeout(tryPaper, 150); };
  const tryPaper = () => paper.toBlob(b => tryPicture(b), "image/png");
  const tryPicture = async blob => {
    const number = ++last;
    try {
      const all = await post("api/predict", blob);
      if (number === last) showTrial(all);
    } catch (e) {
      if (number === last) { $("hint").textContent = e.message; $("hint").hidden = false; }
    }
  };
  paper.onpointerdown = e => { paper.setPointerCapture(e.pointerId); from = point(e); stroke(from, from); };
  paper.onpointermove = e => { if (from) { const to = point(e); stroke(from, to); from = to; } };
  paper.onpointerup = paper.onpointercancel = () => { from = null; };
  function stroke(a, b) {
    context.strokeStyle = "#000";
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    context.stroke();
    soon();
  }
  $("clear").onclick = () => {
    wipe();
    clearTimeout(timer);
    last++;
    $("prediction").replaceChildren();
    $("trial-maps").replaceChildren();
    $("hint").hidden = false;
  };
  $("picture").onchange = e => { if (e.target.files[0]) tryPicture(e.target.files[0]); e.target.value = ""; };
}

function showTrial(all) {
  $("hint").hidden = true;
  $("prediction").replaceChildren(...(all.top || []).slice(0, 5).map(c => {
    const share = make("div", { className: "share" });
    share.style.width = 100 * c.probability + "%";
    return make("li", {}, make("span", { className: "class", textContent: c.name }), share, make("span", { className: "percent", textContent: percent(c.probability) }));
  }));
  showMaps($("trial-maps"), all);
}

// ---- folders

let folders = [];

function folderCharts() {
  const lines = (name, dashed) => folders.map((f, i) => line(String(i), name, f.name + (dashed ? " (training)" : ""), dashed));
  const options = { unit: "epoch" };
  new Chart("Validation loss", () => lines("validation loss"), options);
  new Chart("Validation accuracy", () => lines("validation accuracy"), { ...options, format: percent });
  new Chart("Training loss", () => lines("loss"), options);
  new Chart("Training accuracy", () => lines("accuracy"), { ...options, format: percent });
  new Chart("Images a second", () => lines("images a second"), options);
  new Chart("Learning rate", () => lines("rate"), options);
}

function showFolders(all) {
  folders = all;
  document.title = (all.length === 1 ? all[0].name : all.length + " runs") + " – Plexaura";
  $("title").textContent = all.length === 1 ? all[0].name : all.length + " runs";
  showPhase(all.some(f => f.phase === "running") ? "running" : all.length === 1 ? all[0].phase : "at rest");
  say(all.filter(f => f.message).map(f => f.name + ": " + f.message).join("; "));
  const keys = [...new Set(all.flatMap(f => Object.keys(f.settings || {})))].filter(k => k !== "epochs").sort();
  const differs = k => new Set(all.map(f => (f.settings || {})[k])).size > 1;
  keys.sort((a, b) => differs(b) - differs(a));
  const row = (name, of, className) => make("tr", {}, make("th", { textContent: name }),
    ...all.map(f => make("td", { textContent: of(f) ?? "–", className })));
  const last = i => f => f.last ? f.last[i] : null;
  $("table").replaceChildren(
    row("run", f => f.name), row("state", f => f.phase),
    row("epochs", f => (last(0)(f) ?? 0) + (f.epochs ? " of " + f.epochs : "")),
    row("best accuracy", f => percent(f.best)), row("validation loss", f => short(last(3)(f))), row("loss", f => short(last(1)(f))),
    row("images a second", f => short(last(6)(f))),
    ...keys.map(k => row(k, f => (f.settings || {})[k], differs(k) && all.length > 1 ? "differs" : "")),
  );
}

// furtherCharts adds charts for metrics that only some runs have.
function furtherCharts(m) {
  if (kind === "run" && m.table === "epochs") {
    metricCharts("epochs", name => [line("epochs", name, "training"), line("epochs", "validation " + name, "validation")]);
  } else if (kind !== "run") {
    const of = (name, dashed) => folders.map((f, i) => line(String(i), name, f.name + (dashed ? " (training)" : ""), dashed));
    metricCharts(m.table, name => [...of("validation " + name), ...of(name, true)], { unit: "epoch" });
  }
}

// ---- the stream

let drawn = 0;

// drawSoon draws the charts, not more often than the eye sees.
function drawSoon() {
  if (drawn) return;
  drawn = requestAnimationFrame(() => { drawn = 0; for (const c of charts) c.update(); });
}

function listen() {
  const stream = new EventSource("api/events");
  const on = (event, f) => stream.addEventListener(event, e => f(JSON.parse(e.data)));
  on("hello", id => { if (id !== token.slice(0, 8)) location.reload(); }); // another run has the port by now
  on("state", showState);
  on("folders", showFolders);
  on("rows", m => { takeRows(m); furtherCharts(m); drawSoon(); });
  on("bye", () => { stream.close(); showPhase("ended"); say("The program has ended; this is what it showed last."); if ($("stop")) $("stop").hidden = true; if ($("trial")) $("trial").hidden = true; });
  stream.onerror = () => {
    showPhase("lost");
    if (stream.readyState !== EventSource.CLOSED) { say("No connection to the program; trying again."); return; }
    stream.close();
    say("The program does not answer, or too many browsers look at this page; trying again.");
    setTimeout(listen, 3000);
  };
  stream.onopen = () => say("");
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(c => c.update(true)));
document.addEventListener("visibilitychange", () => { if (!document.hidden && state && state.maps > 0) fetchMaps(); });
if (kind === "run") setUpRun(); else folderCharts();
listen();
