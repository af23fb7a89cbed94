// The player of a dosim trace: one ES module without dependencies. It is the view of an anywidget (default export), and
// `mount(element, data, options)` puts it into any page. What `data` is, `data.py` beside this file says. Times are
// microseconds of simulated time; "view time" is the same with quiet stretches cut short. Texts from the trace reach
// the page as text only, never as markup.

const COLOURS = { blue: "#0072B2", sky: "#56B4E9", green: "#009E73", yellow: "#F0E442", orange: "#E69F00", red: "#D55E00", pink: "#CC79A7" };
const KIND_LOOKS = { // kinds of messages: shape, colour, hollow or filled
  request: ["dot", COLOURS.blue, false], response: ["dot", COLOURS.green, true], call: ["diamond", COLOURS.orange, false],
  answer: ["diamond", COLOURS.orange, true], frame: ["envelope", COLOURS.yellow, false],
};
const STATE_LOOKS = { // states of an object: colour, share of the lane's height, words
  starting: [COLOURS.yellow, 0.7, "starting", "its constructor runs"],
  running: [COLOURS.blue, 0.9, "running", "somebody is inside"],
  held: [COLOURS.sky, 0.56, "held", "nobody is inside, but something keeps it in memory"],
  idle: [COLOURS.green, 0.56, "idle", "in memory, nobody inside"],
  hibernated: [COLOURS.pink, 0.36, "hibernated", "asleep: not in memory, its sockets are kept"],
  evicted: ["", 0.1, "evicted", "not in memory, its storage is kept"],
};
const ICONS = {
  play: "M4 2.5v11l9.5-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z", back: "M12 2.5v11L5.5 8zM3.5 2.5h2v11h-2z",
  forward: "M4 2.5v11L10.5 8zM10.5 2.5h2v11h-2z", world: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM2 8h12M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12",
  columns: "M2 2.5h3v11H2zM6.5 2.5h3v11h-3zM11 2.5h3v11h-3z", closer: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.5 10.5l4 4M5 7h4M7 5v4",
  wider: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.5 10.5l4 4M5 7h4",
};
const OUTLINED = new Set(["world", "closer", "wider"]);
const LINGER_S = 0.45, CROSS_S = 2.2, ROWS = 25, MOST_LANES = 12;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

// ---- words

function duration(us) {
  const a = Math.abs(us);
  if (a < 1e3) return `${Math.round(us)} µs`;
  if (a < 1e6) return `${+(us / 1e3).toFixed(3)} ms`;
  if (a < 60e6) return `${+(us / 1e6).toFixed(6)} s`;
  return clock(us, us);
}

function clock(us, span) { // a moment, as exact as the run is long
  const s = us / 1e6;
  if (span < 60e6) return `${s.toFixed(6)} s`;
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  const rest = `${two(h)}:${two(m)}:${(s % 60).toFixed(6).padStart(9, "0")}`;
  return span >= 86400e6 ? `${d} d ${rest}` : rest;
}

function short(us) { // a rough duration
  for (const [unit, size] of [["d", 86400e6], ["h", 3600e6], ["min", 60e6], ["s", 1e6], ["ms", 1e3]]) {
    if (us >= size) return `${+(us / size).toPrecision(3)} ${unit}`;
  }
  return `${+us.toPrecision(3)} µs`;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true", focusable: "false" })) svg.setAttribute(k, v);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  if (OUTLINED.has(name)) for (const [k, v] of [["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "1.5"]]) path.setAttribute(k, v);
  else path.setAttribute("fill", "currentColor");
  svg.append(path);
  return svg;
}

// ---- the trace

const lower = (list, value) => { // how many entries are below the value
  let a = 0, b = list.length;
  while (a < b) { const m = (a + b) >> 1; if (list[m] < value) a = m + 1; else b = m; }
  return a;
};
const upper = (list, value) => { // how many entries are not above the value
  let a = 0, b = list.length;
  while (a < b) { const m = (a + b) >> 1; if (list[m] <= value) a = m + 1; else b = m; }
  return a;
};

function summed(differences) {
  const out = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < out.length; i++) out[i] = sum += differences[i];
  return out;
}

const spread = (values, count) => (Array.isArray(values) ? values : new Array(count).fill(values));

function decode(data) {
  const m = data.messages, t0 = summed(m.start), n = t0.length;
  const took = spread(m.took, n), t1 = Float64Array.from(t0, (t, i) => t + took[i]);
  const messages = { n, t0, t1, request: summed(m.request) };
  for (const name of ["source", "target", "kind", "label", "lost", "failed", "open"]) messages[name] = Int32Array.from(spread(m[name], n));
  messages.longest = t0.reduce((most, t, i) => Math.max(most, t1[i] - t), 0);
  messages.lostOnes = [...t0.keys()].filter((i) => messages.lost[i]);
  messages.lostAt = Float64Array.from(messages.lostOnes, (i) => t1[i]);
  messages.lostAt.sort();
  messages.lostOnes.sort((a, b) => t1[a] - t1[b]);
  messages.arrivals = [...t0.keys()].filter((i) => !messages.lost[i] && !messages.open[i]).sort((a, b) => t1[a] - t1[b]);
  messages.arrivedAt = Float64Array.from(messages.arrivals, (i) => t1[i]);
  const objects = data.objects.map((o) => {
    const start = summed(o.start), count = start.length;
    const life = { actor: o.actor, start, end: Float64Array.from(start, (_, i) => (i + 1 < count ? start[i + 1] : o.end)) };
    for (const name of ["state", "instance", "inside", "stored", "sockets", "why"]) life[name] = spread(o[name], count);
    return life;
  });
  const moments = (c) => {
    const at = summed(c.at);
    return { at, actor: spread(c.actor, at.length), what: spread(c.what, at.length).map((i) => data.texts[i]) };
  };
  return { messages, objects, alarms: moments(data.alarms), faults: moments(data.faults) };
}

// Everything that can be stepped to, in order: [time, type, index, index in life].
function eventsOf({ messages, objects, alarms, faults }) {
  const found = [];
  faults.at.forEach((t, i) => found.push([t, "fault", i, 0]));
  alarms.at.forEach((t, i) => found.push([t, "alarm", i, 0]));
  for (let i = 0; i < messages.n; i++) {
    if (messages.lost[i] || !messages.open[i]) found.push([messages.t1[i], messages.lost[i] ? "lost" : "arrived", i, 0]);
  }
  objects.forEach((o, i) => o.start.forEach((t, j) => found.push([t, "state", i, j])));
  for (let i = 0; i < messages.n; i++) if (!messages.lost[i] || messages.t1[i] > messages.t0[i]) found.push([messages.t0[i], "left", i, 0]);
  found.sort((a, b) => a[0] - b[0]);
  return found;
}

// View time: stretches in which nothing moves, nobody is inside and nothing happens are cut short.
function warpOf(trace, events, [from, to], cut) {
  const plain = { knots: [from, to], view: [0, Math.max(1, to - from)], skipped: 0, gaps: [] };
  const busy = [];
  for (let i = 0; i < trace.messages.n; i++) busy.push([trace.messages.t0[i], trace.messages.t1[i]]);
  const inside = new Set([0, 1]);
  for (const o of trace.objects) o.start.forEach((t, j) => { if (inside.has(o.state[j])) busy.push([t, o.end[j]]); });
  for (const e of events) busy.push([e[0], e[0]]);
  busy.sort((a, b) => a[0] - b[0]);
  const islands = [];
  for (const [a, b] of busy) {
    const last = islands[islands.length - 1];
    if (last && a <= last[1]) last[1] = Math.max(last[1], b); else islands.push([a, b]);
  }
  const awake = islands.reduce((sum, [a, b]) => sum + b - a, 0);
  const least = Math.max(50e3, 0.08 * awake);
  let at = from;
  for (const [a, b] of [...islands, [to, to]]) {
    if (a - at > least) plain.gaps.push([at, a]);
    at = Math.max(at, b);
  }
  plain.skipped = plain.gaps.reduce((sum, [a, b]) => sum + b - a, 0);
  if (!cut || !plain.gaps.length) return plain;
  const short = Math.min(least, Math.max(5e3, (to - from - plain.skipped) / (plain.gaps.length + 1)));
  const warp = { ...plain, knots: [from], view: [0] };
  const knot = (t, v) => { warp.knots.push(t); warp.view.push(v); };
  let now = from, view = 0;
  for (const [a, b] of plain.gaps) {
    view += a - now; knot(a, view);
    view += short; knot(b, view);
    now = b;
  }
  knot(to, Math.max(view + to - now, 1));
  return warp;
}

function along(x, xs, ys) { // piecewise linear
  const last = xs.length - 1;
  if (x <= xs[0]) return ys[0];
  if (x >= xs[last]) return ys[last];
  const i = upper(xs, x);
  const share = xs[i] === xs[i - 1] ? 1 : (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
  return ys[i - 1] + share * (ys[i] - ys[i - 1]);
}

// ---- shapes

function outline(c, shape, x, y, r) {
  c.beginPath();
  if (shape === "dot") c.arc(x, y, r, 0, 7);
  else if (shape === "diamond") { c.moveTo(x, y - r * 1.25); c.lineTo(x + r * 1.25, y); c.lineTo(x, y + r * 1.25); c.lineTo(x - r * 1.25, y); c.closePath(); }
  else if (shape === "envelope") c.rect(x - r * 1.2, y - r * 0.85, r * 2.4, r * 1.7);
  else if (shape === "bell") { c.moveTo(x, y - r * 1.2); c.lineTo(x + r * 1.15, y + r * 0.9); c.lineTo(x - r * 1.15, y + r * 0.9); c.closePath(); }
  else if (shape === "worker") { for (let i = 0; i < 6; i++) c.lineTo(x + r * Math.cos(i * Math.PI / 3), y + r * Math.sin(i * Math.PI / 3)); c.closePath(); }
  else c.rect(x - r, y - r, 2 * r, 2 * r);
}

function glyph(c, shape, colour, hollow, x, y, r, css) {
  outline(c, shape, x, y, r);
  c.fillStyle = hollow ? css.paper : colour;
  c.fill();
  c.lineWidth = hollow ? 2.2 : 1;
  c.strokeStyle = hollow ? colour : css.edge;
  c.stroke();
  if (shape === "envelope") { c.beginPath(); c.moveTo(x - r * 1.2, y - r * 0.85); c.lineTo(x, y + r * 0.2); c.lineTo(x + r * 1.2, y - r * 0.85); c.strokeStyle = "#1A1A1A"; c.lineWidth = 1; c.stroke(); }
}

function cross(c, x, y, r, css) {
  for (const [width, colour] of [[5, css.paper], [2.5, css.red]]) {
    c.beginPath(); c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x + r, y - r); c.lineTo(x - r, y + r);
    c.lineWidth = width; c.strokeStyle = colour; c.stroke();
  }
}

// An object: a square, its state told by fill and by a mark.
function square(c, state, x, y, r, css) {
  const colour = (STATE_LOOKS[state] || [""])[0] || css.faintInk;
  c.setLineDash(state === "evicted" ? [1.5, 2] : state === "hibernated" ? [4, 2] : []);
  c.beginPath(); c.rect(x - r, y - r, 2 * r, 2 * r);
  c.fillStyle = state === "running" ? colour : css.paper; c.fill();
  if (state === "starting") { c.fillStyle = colour; c.fillRect(x - r, y, 2 * r, r); }
  c.lineWidth = 1.8; c.strokeStyle = state === "starting" ? css.ink : state === "evicted" ? css.faintInk : colour; c.stroke();
  c.setLineDash([]);
  if (state === "running") { c.beginPath(); c.moveTo(x - r * 0.3, y - r * 0.5); c.lineTo(x + r * 0.5, y); c.lineTo(x - r * 0.3, y + r * 0.5); c.closePath(); c.fillStyle = "#FFFFFF"; c.fill(); }
  else if (state === "held") { c.fillStyle = colour; c.fillRect(x - r * 0.5, y - r * 0.5, r * 0.36, r); c.fillRect(x + r * 0.14, y - r * 0.5, r * 0.36, r); }
  else if (state === "idle") { c.fillStyle = colour; c.beginPath(); c.arc(x, y, r * 0.34, 0, 7); c.fill(); }
  else if (state === "hibernated") { c.beginPath(); c.moveTo(x - r * 0.45, y - r * 0.45); c.lineTo(x + r * 0.45, y - r * 0.45); c.lineTo(x - r * 0.45, y + r * 0.45); c.lineTo(x + r * 0.45, y + r * 0.45); c.lineWidth = 1.6; c.strokeStyle = css.ink; c.stroke(); }
}

// An object that is not there yet: corners of a square.
function notYet(c, x, y, r, css) {
  c.lineWidth = 1.2; c.strokeStyle = css.faintInk; c.beginPath();
  for (const [a, b] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) { c.moveTo(x + a * r, y + b * r * 0.4); c.lineTo(x + a * r, y + b * r); c.lineTo(x + a * r * 0.4, y + b * r); }
  c.stroke();
}

// A stretch of an object's lane.
function stretch(c, state, x, y, w, h, css) {
  const [colour, share] = STATE_LOOKS[state] || ["", 0.1];
  const height = Math.max(2, h * share), top = y + (h - height) / 2;
  if (state === "evicted") { c.fillStyle = css.faintInk; c.fillRect(x, y + h / 2 - 0.75, w, 1.5); return; }
  c.fillStyle = colour;
  c.globalAlpha = state === "idle" ? 0.35 : 1;
  c.fillRect(x, top, w, height);
  c.globalAlpha = 1;
  if (w < 4) return;
  c.strokeStyle = state === "idle" ? colour : css.edge; c.lineWidth = 1; c.setLineDash([]);
  c.strokeRect(x + 0.5, top + 0.5, w - 1, height - 1);
  if (state === "held" || state === "hibernated") {
    c.save(); c.beginPath(); c.rect(x, top, w, height); c.clip(); c.beginPath();
    for (let a = x; a < x + w + height; a += state === "held" ? 5 : 12) { c.moveTo(a, top); c.lineTo(state === "held" ? a : a - height, top + height); }
    c.strokeStyle = "#1A1A1A"; c.globalAlpha = 0.55; c.stroke(); c.restore();
  }
}

// ---- where things are

// The part of the world that is shown: degrees at the left edge, pixels a degree, latitude in the middle.
function viewOf(places, w, h, whole) {
  const lons = places.map((p) => p[2]).sort((a, b) => a - b), lats = places.map((p) => p[3]);
  let west = -169, east = 191, south = -56, north = 78;
  if (!whole && lons.length) {
    let gap = lons[0] + 360 - lons[lons.length - 1];
    west = lons[0]; east = lons[lons.length - 1];
    for (let i = 1; i < lons.length; i++) if (lons[i] - lons[i - 1] > gap) { gap = lons[i] - lons[i - 1]; west = lons[i]; east = lons[i - 1] + 360; }
    const pad = Math.max(9, 0.14 * (east - west));
    west -= pad; east += pad;
    south = Math.min(...lats) - pad * 0.7; north = Math.max(...lats) + pad * 0.7;
  }
  if (east - west >= 320) { west = -169; east = 191; }
  const middle = Math.max(-35, Math.min(60, (south + north) / 2));
  const stretched = 1 / Math.max(0.5, Math.cos((Math.PI / 180) * Math.min(55, Math.abs(middle))) ** 0.6);
  let k = Math.min(w / Math.max(72, east - west), h / (stretched * Math.max(30, north - south)));
  k = Math.max(k, w / 360);
  const left = (west + east) / 2 - w / (2 * k);
  const world = w / k >= 359;
  const halfLat = h / (2 * k * stretched);
  const centre = halfLat * 2 > 145 ? 12 : Math.max(-60 + halfLat, Math.min(84 - halfLat, (south + north) / 2));
  return {
    world, width: w, period: 360 * k, k,
    x: (lon) => ((((lon - left) % 360) + 360) % 360) * k,
    near: (lon) => (lon - left) * k,
    y: (lat) => h / 2 - (lat - centre) * k * stretched,
    inside: (x) => x >= -40 && x <= w + 40,
  };
}

// Boxes that overlap are pushed apart, each as little as possible.
function spreadOut(boxes, w, h) {
  for (let round = 0; round < 120; round++) {
    let moved = false;
    for (let i = 0; i < boxes.length; i++) {
      for (let j = i + 1; j < boxes.length; j++) {
        const a = boxes[i], b = boxes[j];
        const dx = (b.x + b.cx) - (a.x + a.cx), dy = (b.y + b.cy) - (a.y + a.cy);
        const ox = (a.w + b.w) / 2 + 4 - Math.abs(dx), oy = (a.h + b.h) / 2 + 3 - Math.abs(dy);
        if (ox <= 0 || oy <= 0) continue;
        moved = true;
        if (oy <= ox) { const s = (dy < 0 ? -1 : 1) * oy * 0.5; a.y -= s; b.y += s; } else { const s = (dx < 0 ? -1 : 1) * ox * 0.5; a.x -= s; b.x += s; }
      }
    }
    for (const b of boxes) {
      b.x = Math.max(b.w / 2 - b.cx + 2, Math.min(w - b.w / 2 - b.cx - 2, b.x));
      b.y = Math.max(b.h / 2 - b.cy + 2, Math.min(h - b.h / 2 - b.cy - 2, b.y));
    }
    if (!moved) return;
  }
}

// Slots for the ends on a map: {at: [{x, y, r}] by end, labels, anchors}.
function onMap(data, view, w, h, measure) {
  const at = new Array(data.ends.length).fill(null), boxes = [], homeless = [];
  const clusters = data.places.map(() => []);
  data.ends.forEach(([, , place], i) => (place < 0 ? homeless : clusters[place]).push(i));
  clusters.forEach((members, place) => {
    const [name, colo, lon, lat] = data.places[place];
    const role = (i) => data.roles[data.ends[i][1]];
    const groups = ["client", "worker", "object", "service"].map((r) => members.filter((i) => role(i) === r));
    const slots = [];
    let x = 0;
    groups.forEach((group, g) => {
      if (!group.length) return;
      const square = g === 2, pitch = square ? 17 : 14, most = square ? 9 : 1;
      const shown = Math.min(group.length, most), columns = Math.min(3, shown), rows = Math.ceil(shown / columns);
      group.forEach((end, i) => {
        const s = Math.min(i, most - 1);
        slots.push({ end, x: x + (s % columns) * pitch, y: (Math.floor(s / columns) - (rows - 1) / 2) * pitch, r: square ? 7 : 5, more: square && i === most - 1 ? group.length - most : 0, hidden: i >= most });
      });
      x += columns * pitch + 3 + (group.length > most && square ? 22 : 0);
    });
    const width = x - 3, low = Math.max(7, ...slots.map((s) => s.y + s.r));
    for (const s of slots) s.x -= width / 2 - 8;
    const label = colo && colo !== name ? `${name} (${colo})` : name;
    const alone = groups[2].length === 1 && data.objects.length <= 8 ? data.ends[groups[2][0]][0] : "";
    const text = Math.max(measure(label), measure(alone));
    const high = Math.min(-7, ...slots.map((s) => s.y - s.r));
    const box = { place, slots, label, alone, low, w: Math.max(width + 4, text) + 4, h: low - high + (alone ? 28 : 16), cx: 0, x: view.x(lon), y: view.y(lat) };
    box.cy = (low + (alone ? 27 : 15) + high) / 2;
    box.anchor = [box.x, box.y];
    boxes.push(box);
  });
  if (boxes.length <= 70) spreadOut(boxes, w, h);
  const labels = [];
  for (const b of boxes) {
    for (const s of b.slots) at[s.end] = { x: b.x + s.x, y: b.y + s.y, r: s.r, hidden: s.hidden };
    labels.push({ text: b.label, x: b.x, y: b.y + b.low + 11, align: "center" });
    if (b.alone) labels.push({ text: b.alone, x: b.x, y: b.y + b.low + 23, align: "center" });
    for (const s of b.slots) if (s.more) labels.push({ text: `+${s.more}`, x: b.x + s.x + 11, y: b.y + s.y + 4, align: "left" });
  }
  homeless.forEach((end, i) => {
    const many = Math.max(1, Math.min(homeless.length, Math.floor(w / 150))), column = i % many;
    const x = ((column + 0.5) * w) / many - 30, y = h - 14;
    at[end] = { x, y, r: 7, hidden: i >= many };
    if (i < many) labels.push({ text: data.ends[end][0], x: x + 12, y: y + 4, align: "left" });
  });
  return { at, labels, anchors: boxes.map((b) => [b.anchor, [b.x, b.y]]) };
}

// Slots in columns: clients, Workers, objects, services.
function inColumns(data, w, h) {
  const at = new Array(data.ends.length).fill(null), labels = [];
  const groups = data.roles.map((role, r) => [role, [...data.ends.keys()].filter((i) => data.ends[i][1] === r)]).filter(([, g]) => g.length);
  const widest = Math.max(1, groups.length);
  groups.forEach(([role, group], c) => {
    const x = widest === 1 ? w / 2 : 130 + (c * (w - 300)) / (widest - 1);
    const most = Math.max(1, Math.floor((h - 44) / 19)), shown = Math.min(group.length, most);
    const pitch = Math.min(56, (h - 44) / shown);
    const top = 34 + (h - 44 - pitch * shown) / 2 + pitch / 2;
    labels.push({ text: { client: "Clients", worker: "Workers", object: "Objects", service: "Services" }[role], x, y: 18, align: "center", strong: true });
    group.forEach((end, i) => {
      const row = Math.min(i, most - 1), y = top + row * pitch;
      at[end] = { x, y, r: role === "object" ? 8 : 6, hidden: i >= most };
      const more = i === most - 1 && group.length > most ? ` and ${group.length - most} more` : "";
      const place = data.ends[end][2] < 0 || role === "client" ? "" : data.places[data.ends[end][2]][1] || "";
      const name = data.ends[end][0];
      const text = (place && !name.endsWith(`@${place}`) ? `${name} in ${place}` : name) + more;
      if (i < most) labels.push({ text, x: c === 0 && widest > 1 ? x - 13 : x + 14, y: y + 4, align: c === 0 && widest > 1 ? "right" : "left", most: c === 0 ? 112 : 165 });
    });
  });
  return { at, labels, anchors: [] };
}

// ---- the page around it

function hostIsDark() {
  const b = document.body ? document.body.dataset : {}, h = document.documentElement;
  if (b.jpThemeLight) return b.jpThemeLight === "false"; // JupyterLab, Notebook 7
  if (b.vscodeThemeKind) return /dark|high-contrast$/.test(b.vscodeThemeKind); // VS Code
  const theme = h.getAttribute("theme") || h.dataset.theme; // Colab, Sphinx themes
  if (theme === "dark" || theme === "light") return theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * Put a player into an element. Options: `dark` (true, false, or null: as the page around is), `t_us`, `onTime(t_us, final)`,
 * `onPick(what)`, `onPlaying(bool)`. Returns {t_us, playing, picked (a request's number, an object's label, or 0),
 * speed, stats, seek(t_us), play(), pause(), step(1 or -1), pick(what), destroy()}.
 */
export function mount(root, data, options = {}) {
  if (!data || data.version !== 1) throw new Error(`This page shows player data of version 1, not ${data && data.version}.`);
  const trace = decode(data), { messages: M, objects } = trace, events = eventsOf(trace);
  const eventTimes = Float64Array.from(events, (e) => e[0]);
  const [from, to] = data.span, span = to - from;
  const name = (end) => (data.ends[end] ? data.ends[end][0] : "");
  const objectOf = new Map(objects.map((o, i) => [o.actor, i]));
  const pending = trace.alarms.at.length > 0;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const stats = { frames: 0, drawn_ms: 0, in_flight: 0 };

  // -- elements
  root.classList.add("dosim-player");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", data.title ? `Player: ${data.title}` : "Player of a run");
  const map = make("canvas", { class: "dosim-map", role: "img", tabindex: "0", "aria-label": data.about });
  const lanes = make("canvas", { class: "dosim-lanes", role: "img", "aria-label": `States of ${objects.length} object${objects.length === 1 ? "" : "s"} over time. ${data.about}` });
  const button = (label, image, action, keys = "") => make("button", { type: "button", "aria-label": label, title: keys ? `${label} (${keys})` : label, onclick: action }, icon(image));
  const back = button("Previous event", "back", () => step(-1), "←");
  const playButton = button("Play", "play", () => toggle(), "space");
  const forward = button("Next event", "forward", () => step(1), "→");
  const range = make("input", { type: "range", class: "dosim-range", min: "0", max: "1000000", step: "any", value: "0", "aria-label": "Time" });
  const now = make("output", { class: "dosim-clock" });
  const speed = make("input", { type: "range", class: "dosim-speed", min: "-5", max: "7", step: "0.05", "aria-label": "Speed" });
  const speedText = make("span", { class: "dosim-pace" });
  const skip = make("input", { type: "checkbox" });
  const skipLabel = make("label", { class: "dosim-skip" }, skip, " skip quiet stretches");
  const worldButton = button("Whole world", "world", () => { whole = !whole; layOut(); });
  const columnsButton = button("In columns, without the map", "columns", () => { columns = !columns; layOut(); });
  const closer = button("Shorter stretch of time in the lanes", "closer", () => zoomTime(1), "+");
  const wider = button("Longer stretch of time in the lanes", "wider", () => zoomTime(-1), "-");
  const bar = make("div", { class: "dosim-bar" }, back, playButton, forward, range, now);
  const second = make("div", { class: "dosim-bar dosim-second" }, make("span", {}, "speed "), speed, speedText, skipLabel, make("span", { class: "dosim-room" }), worldButton, columnsButton, closer, wider);
  const live = make("p", { class: "dosim-live", "aria-live": "polite" });
  const told = make("div", { class: "dosim-told" });
  const legend = make("div", { class: "dosim-legend" });
  const table = make("details", { class: "dosim-table", ontoggle: () => showTable() }, make("summary", {}, "Messages as a table"));
  const tableBody = make("div");
  table.append(tableBody);
  if (data.title) root.append(make("p", { class: "dosim-title" }, data.title));
  root.append(make("p", { class: "dosim-about" }, data.about));
  for (const note of data.notes) root.append(make("p", { class: "dosim-note" }, note));
  root.append(map, lanes, bar, second, live, told, legend, table);
  if (!objects.length) lanes.hidden = true;
  const context = map.getContext("2d"), laneContext = lanes.getContext("2d");

  // -- state
  let dark = false, css = {}, ratio = 1, width = 0, height = 0, laneHeight = 0;
  let whole = false, columns = !data.map || data.places.length < 2, scene = null, view = null, base = null, laneBase = null, laneBaseKey = "";
  let zoom = 0, playing = false, visible = true, frame = 0, last = 0, timer = 0, cursor = -1, focus = null, picked = 0, shownObject = "", firstLane = 0;
  let t = Math.max(from, Math.min(to, options.t_us ?? from)), drawWanted = false, destroyed = false, page = 0;
  let warp = warpOf(trace, events, data.span, true);
  const mostlyQuiet = warp.skipped > 0.5 * span;
  skip.checked = mostlyQuiet;
  skipLabel.hidden = !warp.gaps.length;
  if (!mostlyQuiet) warp = warpOf(trace, events, data.span, false);
  let whole_us = warp.view[warp.view.length - 1];
  const toView = (time) => along(time, warp.knots, warp.view), toTime = (v) => along(v, warp.view, warp.knots);

  // -- speed: so that a message that goes far takes about a second, and the run a minute at most
  const flights = [...M.t0.keys()].map((i) => M.t1[i] - M.t0[i]).filter((us) => us > 0).sort((a, b) => a - b);
  const far = flights.length ? flights[Math.floor(0.8 * flights.length)] : whole_us / 20;
  let pace = Math.max(10, Math.min(Math.max(far / 0.9, whole_us / 60), whole_us / 5)); // view microseconds a second
  speed.value = String(Math.log10(pace / 1e6));
  function setPace() {
    pace = 1e6 * 10 ** +speed.value;
    const words = `1 s shows ${short(pace)}`;
    speedText.textContent = words;
    speed.setAttribute("aria-valuetext", words);
  }

  // -- drawing what does not move
  function theme() {
    dark = options.dark ?? hostIsDark();
    root.dataset.theme = dark ? "dark" : "light";
    css = dark
      ? { paper: "#16181C", ink: "#ECECEC", faintInk: "#8B9098", land: "#2B3038", sea: "#16181C", route: "#3D4653", edge: "#D8DBE0", red: "#FF7A2E", band: "#1D2026" }
      : { paper: "#FFFFFF", ink: "#1A1A1A", faintInk: "#767B82", land: "#E7EAEE", sea: "#FFFFFF", route: "#CDD4DC", edge: "#1A1A1A", red: COLOURS.red, band: "#F4F5F7" };
  }

  function layOut() {
    if (destroyed) return;
    theme();
    width = Math.max(280, root.clientWidth - 20);
    ratio = window.devicePixelRatio || 1;
    const wanted = columns ? Math.max(200, Math.min(460, 60 + 44 * mostInColumn())) : Math.max(240, Math.min(460, width * 0.47));
    height = Math.round(options.height ?? wanted);
    laneHeight = objects.length ? 26 + Math.min(MOST_LANES, objects.length) * 24 : 0;
    for (const [canvas, h] of [[map, height], [lanes, laneHeight]]) {
      canvas.style.width = `${width}px`; canvas.style.height = `${h}px`;
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(h * ratio);
    }
    context.font = `11px ${FONT}`;
    const measure = (text) => context.measureText(text).width;
    if (columns) { view = null; scene = inColumns(data, width, height); } else { view = viewOf(data.places, width, height, whole); scene = onMap(data, view, width, height, measure); }
    worldButton.hidden = columns || (view && view.world && !whole); columnsButton.hidden = !data.map;
    worldButton.setAttribute("aria-pressed", String(whole)); columnsButton.setAttribute("aria-pressed", String(columns));
    ways.clear();
    base = document.createElement("canvas"); base.width = map.width; base.height = map.height;
    const c = base.getContext("2d");
    c.scale(ratio, ratio); c.fillStyle = css.sea; c.fillRect(0, 0, width, height);
    if (view) drawWorld(c);
    drawPlaces(c);
    laneBaseKey = "";
    drawLegend();
    draw();
  }

  function mostInColumn() {
    const counts = data.roles.map((_, r) => data.ends.filter((e) => e[1] === r).length);
    return Math.max(1, ...counts);
  }

  function drawWorld(c) {
    for (const shift of [-360, 0, 360]) {
      c.beginPath();
      for (const ring of data.map.land) {
        let lon = 0, lat = 0;
        for (let i = 0; i < ring.length; i += 2) {
          lon += ring[i]; lat += ring[i + 1];
          const x = view.near(lon / 10 + shift), y = view.y(lat / 10);
          if (i) c.lineTo(x, y); else c.moveTo(x, y);
        }
        c.closePath();
      }
      c.fillStyle = css.land; c.fill();
    }
    c.strokeStyle = css.route; c.lineWidth = 0.8; c.beginPath();
    for (const [lon, lat, lonB, latB] of data.map.routes) {
      const x = view.x(lon / 10), y = view.y(lat / 10), yB = view.y(latB / 10);
      const across = ((lonB - lon) / 10 + 540) % 360 - 180;
      for (const shift of [0, -view.period, view.period]) { c.moveTo(x + shift, y); c.lineTo(x + shift + across * view.k, yB); }
    }
    c.stroke();
  }

  function drawPlaces(c) {
    c.lineWidth = 1;
    for (const [[x, y], [bx, by]] of scene.anchors) {
      if (Math.hypot(bx - x, by - y) < 5) continue;
      c.strokeStyle = css.faintInk; c.beginPath(); c.moveTo(x, y); c.lineTo(bx, by); c.stroke();
      c.fillStyle = css.ink; c.beginPath(); c.arc(x, y, 2, 0, 7); c.fill();
    }
    for (const label of scene.labels) {
      c.font = `${label.strong ? "600 12px" : "11px"} ${FONT}`; c.textAlign = label.align;
      const text = label.most ? fitted(c, label.text, label.most) : label.text;
      c.lineWidth = 3; c.lineJoin = "round"; c.strokeStyle = css.paper; c.strokeText(text, label.x, label.y);
      c.fillStyle = css.ink; c.fillText(text, label.x, label.y);
    }
    data.ends.forEach(([, role], end) => {
      const p = scene.at[end];
      if (!p || p.hidden || objectOf.has(end)) return;
      const kind = data.roles[role];
      outline(c, kind === "client" ? "dot" : kind === "worker" ? "worker" : "diamond", p.x, p.y, kind === "worker" ? p.r + 1 : p.r - 1);
      c.fillStyle = kind === "client" ? css.ink : css.paper; c.fill(); c.lineWidth = 1.6; c.strokeStyle = css.ink; c.stroke();
    });
  }

  function fitted(c, text, most) {
    if (c.measureText(text).width <= most) return text;
    let cut = text;
    while (cut.length > 1 && c.measureText(`${cut}…`).width > most) cut = cut.slice(0, -1);
    return `${cut}…`;
  }

  function drawLegend() {
    legend.replaceChildren();
    const swatch = (words, paint) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      canvas.width = canvas.height = Math.round(18 * ratio); canvas.style.width = canvas.style.height = "18px";
      const c = canvas.getContext("2d"); c.scale(ratio, ratio); paint(c);
      legend.append(make("span", { class: "dosim-key" }, canvas, words));
    };
    const used = new Set(M.kind), states = new Set(objects.flatMap((o) => o.state));
    data.kinds.forEach((kind, k) => { if (used.has(k)) swatch(kind, (c) => glyph(c, ...KIND_LOOKS[kind], 9, 9, 4.5, css)); });
    if (M.failed.some(Boolean)) swatch("failed", (c) => glyph(c, "dot", css.red, false, 9, 9, 4.5, css));
    if (M.lostOnes.length) swatch("lost", (c) => cross(c, 9, 9, 4.5, css));
    if (pending) swatch("alarm rings", (c) => glyph(c, "bell", COLOURS.pink, false, 9, 9, 5, css));
    if (trace.alarms.what.some((w) => w !== "rings")) swatch("alarm is set", (c) => glyph(c, "bell", COLOURS.pink, true, 9, 9, 5, css));
    data.states.forEach((state, s) => { if (states.has(s)) swatch(STATE_LOOKS[state][2], (c) => square(c, state, 9, 9, 6.5, css)); });
    if (objects.some((o) => o.start[0] > from)) swatch("not there yet", (c) => notYet(c, 9, 9, 6.5, css));
  }

  // -- messages on their way
  const ways = new Map();
  function wayOf(source, target) {
    const key = source * data.ends.length + target;
    let way = ways.get(key);
    if (way) return way;
    const a = scene.at[source] || { x: 0, y: 0 }, b = scene.at[target] || { x: 0, y: 0 };
    let dx = b.x - a.x;
    if (view && view.world && Math.abs(dx) > view.period / 2) dx -= Math.sign(dx) * view.period;
    const dy = b.y - a.y, far = Math.hypot(dx, dy), bend = Math.min(0.17 * far, 70) + (far < 1 ? 26 : 0);
    const nx = far < 1 ? 0.6 : -dy / far, ny = far < 1 ? -1 : dx / far;
    way = { x0: a.x, y0: a.y, x1: a.x + dx, y1: b.y, cx: a.x + dx / 2 - nx * bend, cy: a.y + dy / 2 - ny * bend, wraps: a.x + dx < 0 || a.x + dx > width };
    ways.set(key, way);
    return way;
  }

  function draw() {
    if (!base || destroyed) return;
    const begun = performance.now();
    stats.frames++;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(base, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const v = toView(t), linger = Math.min(LINGER_S * pace, whole_us / 8);
    drawPulses(v, linger);
    drawObjects(v, linger);
    drawMessages(v, linger);
    drawLost(v);
    if (focus) drawFocus();
    drawLanes(v);
    sayTime(v);
    if (options.onTime) options.onTime(Math.round(t), !playing);
    stats.drawn_ms += performance.now() - begun;
  }

  function drawMessages(v, linger) {
    let flying = 0;
    const since = Math.min(toTime(v - linger), t - M.longest) - 1;
    const size = M.n > 2000 ? 4 : 5;
    context.lineWidth = 1;
    for (let i = lower(M.t0, since), end = upper(M.t0, t); i < end; i++) {
      if (M.lost[i] && M.t1[i] <= t) continue;
      const over = M.t1[i] <= t && !(M.t1[i] === t && M.open[i]);
      if (over) {
        if (flying > 600 || (M.t1[i] - M.t0[i]) > 0.3 * linger || v - toView(M.t1[i]) > linger) continue;
        trail(i, 1 - (v - toView(M.t1[i])) / linger); // in no time: a line shows where it went
        continue;
      }
      flying++;
      place(i, (t - M.t0[i]) / Math.max(1, M.t1[i] - M.t0[i]), size);
    }
    stats.in_flight = flying;
  }

  function place(i, share, size) {
    const way = wayOf(M.source[i], M.target[i]), rest = 1 - share;
    let x = rest * rest * way.x0 + 2 * share * rest * way.cx + share * share * way.x1;
    const y = rest * rest * way.y0 + 2 * share * rest * way.cy + share * share * way.y1;
    if (way.wraps && view) x = ((x % view.period) + view.period) % view.period;
    const sprite = spriteOf(M.kind[i], M.failed[i], size);
    context.drawImage(sprite, x - 10, y - 10, 20, 20);
    return [x, y];
  }

  const sprites = new Map();
  function spriteOf(kind, failed, size) {
    const key = `${kind},${failed},${size},${dark},${ratio}`;
    let sprite = sprites.get(key);
    if (!sprite) {
      sprite = document.createElement("canvas"); sprite.width = sprite.height = Math.ceil(20 * ratio);
      const c = sprite.getContext("2d"), [shape, colour, hollow] = KIND_LOOKS[data.kinds[kind]] || ["dot", css.ink, false];
      c.scale(sprite.width / 20, sprite.height / 20);
      glyph(c, shape, failed ? css.red : colour, hollow, 10, 10, size, css);
      sprites.set(key, sprite);
    }
    return sprite;
  }

  function curve(way, shift) {
    context.beginPath(); context.moveTo(way.x0 + shift, way.y0); context.quadraticCurveTo(way.cx + shift, way.cy, way.x1 + shift, way.y1);
  }

  function trail(i, alpha) {
    const way = wayOf(M.source[i], M.target[i]), [, colour] = KIND_LOOKS[data.kinds[M.kind[i]]];
    context.globalAlpha = Math.max(0, alpha);
    curve(way, 0);
    context.lineWidth = 3.5; context.strokeStyle = css.faintInk; context.stroke();
    context.lineWidth = 2; context.strokeStyle = M.failed[i] ? css.red : colour; context.stroke();
    context.drawImage(spriteOf(M.kind[i], M.failed[i], 5), way.x1 - 10, way.y1 - 10, 20, 20);
    context.globalAlpha = 1;
  }

  function drawPulses(v, linger) { // a ring where something has just arrived
    const since = toTime(v - 0.6 * linger);
    const end = upper(M.arrivedAt, t), begin = Math.max(lower(M.arrivedAt, since), end - 80);
    for (let k = begin; k < end; k++) {
      const p = scene.at[M.target[M.arrivals[k]]];
      if (!p) continue;
      const share = (v - toView(M.arrivedAt[k])) / Math.max(1, 0.6 * linger);
      if (share > 1) continue;
      context.globalAlpha = 0.75 * (1 - share); context.lineWidth = 1.5; context.strokeStyle = css.faintInk;
      context.beginPath(); context.arc(p.x, p.y, p.r + 2 + 7 * share, 0, 7); context.stroke();
    }
    context.globalAlpha = 1;
  }

  function drawLost(v) {
    const keep = Math.min(CROSS_S * pace, whole_us / 4);
    const end = upper(M.lostAt, t), begin = Math.max(lower(M.lostAt, toTime(v - keep)), end - 200);
    for (let k = begin; k < end; k++) {
      const age = (v - toView(M.lostAt[k])) / Math.max(1, keep);
      if (age > 1) continue;
      context.globalAlpha = Math.min(1, 2 - 2 * age);
      const i = M.lostOnes[k], way = wayOf(M.source[i], M.target[i]);
      context.lineWidth = 1.2; context.strokeStyle = css.red; context.setLineDash([3, 3]); curve(way, 0); context.stroke(); context.setLineDash([]);
      const [x, y] = middle(way);
      cross(context, x, y, 5.5, css);
    }
    context.globalAlpha = 1;
  }

  function middle(way) {
    let x = (way.x0 + 2 * way.cx + way.x1) / 4;
    if (way.wraps && view) x = ((x % view.period) + view.period) % view.period;
    return [x, (way.y0 + 2 * way.cy + way.y1) / 4];
  }

  // -- objects
  const alarmsOf = new Map(); // per actor: when its alarm was set, rang or was cleared
  trace.alarms.at.forEach((at, i) => {
    const of = trace.alarms.actor[i];
    if (!alarmsOf.has(of)) alarmsOf.set(of, { at: [], set: [] });
    alarmsOf.get(of).at.push(at); alarmsOf.get(of).set.push(trace.alarms.what[i].startsWith("set"));
  });
  const alarmIsSet = (actor) => { const a = alarmsOf.get(actor), i = a ? upper(a.at, t) - 1 : -1; return i >= 0 && a.set[i]; };
  const stretchAt = (o, time) => upper(o.start, time) - 1;
  const stateAt = (o, time) => { const j = stretchAt(o, time); return j < 0 ? "" : data.states[o.state[j]]; };

  function drawObjects(v, linger) {
    for (const o of objects) {
      const p = scene.at[o.actor];
      if (!p || p.hidden) continue;
      const state = stateAt(o, t);
      if (state) square(context, state, p.x, p.y, p.r, css);
      else notYet(context, p.x, p.y, p.r, css);
      const j = stretchAt(o, t);
      if (alarmIsSet(o.actor)) glyph(context, "bell", COLOURS.pink, true, p.x + p.r + 1, p.y - p.r, 3.2, css);
      if (j >= 0 && o.inside[j] > 1) { context.font = `600 10px ${FONT}`; context.textAlign = "center"; context.fillStyle = css.ink; context.fillText(`${o.inside[j]}`, p.x, p.y - p.r - 4); }
    }
    const loud = 1.6 * linger;
    for (let i = upper(trace.alarms.at, t) - 1; i >= 0; i--) {
      const age = v - toView(trace.alarms.at[i]);
      if (age > loud) break;
      const p = scene.at[trace.alarms.actor[i]];
      if (!p || trace.alarms.what[i] !== "rings") continue;
      context.globalAlpha = 1 - 0.7 * (age / Math.max(1, loud));
      glyph(context, "bell", COLOURS.pink, false, p.x + p.r + 1, p.y - p.r - 1, 6.5, css);
      context.globalAlpha = 1;
    }
    for (let i = upper(trace.faults.at, t) - 1; i >= 0; i--) {
      const age = v - toView(trace.faults.at[i]);
      if (age > 3 * loud) break;
      const p = scene.at[trace.faults.actor[i]];
      if (!p) continue;
      context.globalAlpha = 1 - age / Math.max(1, 3 * loud);
      context.lineWidth = 2.5; context.strokeStyle = css.red;
      outline(context, "square", p.x, p.y, p.r + 4); context.stroke();
      context.globalAlpha = 1;
    }
  }

  function drawFocus() {
    context.lineWidth = 2; context.strokeStyle = css.ink;
    if (focus.type === "message") {
      const i = focus.index, way = wayOf(M.source[i], M.target[i]);
      context.setLineDash([5, 4]); curve(way, 0); context.stroke(); context.setLineDash([]);
      const share = Math.max(0, Math.min(1, (t - M.t0[i]) / Math.max(1, M.t1[i] - M.t0[i])));
      if (M.lost[i] && t >= M.t1[i]) { const [x, y] = middle(way); cross(context, x, y, 6.5, css); return; }
      const [x, y] = place(i, M.t1[i] > M.t0[i] ? share : t >= M.t1[i] ? 1 : 0, 6);
      context.beginPath(); context.arc(x, y, 10, 0, 7); context.stroke();
    } else {
      const p = scene.at[focus.type === "object" ? objects[focus.index].actor : focus.index];
      if (p) { outline(context, "square", p.x, p.y, p.r + 4); context.stroke(); }
    }
  }

  // -- lanes
  const gutter = () => Math.min(170, Math.max(70, width * 0.2));
  function laneWindow(v) {
    const length = whole_us / 2 ** zoom;
    const start = Math.max(0, Math.min(whole_us - length, v - length * 0.5));
    return [zoom ? start : 0, length];
  }
  const laneX = (v, [start, length]) => gutter() + ((v - start) / length) * (width - gutter() - 10);
  const rowTop = (row) => 4 + row * 24;

  function drawLanes(v) {
    if (!objects.length) return;
    const win = laneWindow(v), key = `${win[0].toFixed(1)},${win[1]},${width},${dark},${ratio},${firstLane}`;
    if (key !== laneBaseKey) { paintLanes(win); laneBaseKey = key; }
    laneContext.setTransform(1, 0, 0, 1, 0, 0); laneContext.drawImage(laneBase, 0, 0);
    laneContext.setTransform(ratio, 0, 0, ratio, 0, 0);
    const x = laneX(v, win);
    laneContext.fillStyle = css.ink; laneContext.fillRect(x - 0.75, 0, 1.5, laneHeight - 20);
    laneContext.beginPath(); laneContext.moveTo(x - 5, 0); laneContext.lineTo(x + 5, 0); laneContext.lineTo(x, 6); laneContext.fill();
    if (focus && focus.type === "object") {
      const row = focus.index - firstLane;
      if (row >= 0 && row < MOST_LANES) { laneContext.lineWidth = 1.5; laneContext.strokeStyle = css.ink; laneContext.strokeRect(1, rowTop(row) - 1, gutter() - 6, 21); }
    }
  }

  function paintLanes(win) {
    if (!laneBase) laneBase = document.createElement("canvas");
    if (laneBase.width !== lanes.width || laneBase.height !== lanes.height) { laneBase.width = lanes.width; laneBase.height = lanes.height; }
    const c = laneBase.getContext("2d"), left = gutter(), right = width - 10, shown = objects.slice(firstLane, firstLane + MOST_LANES);
    c.setTransform(ratio, 0, 0, ratio, 0, 0); c.fillStyle = css.paper; c.fillRect(0, 0, width, laneHeight);
    const rowOf = new Map(shown.map((o, row) => [o.actor, row]));
    shown.forEach((o, row) => {
      c.fillStyle = css.band; c.fillRect(left, rowTop(row), right - left, 20);
      c.font = `12px ${FONT}`; c.textAlign = "right"; c.fillStyle = css.ink;
      c.fillText(fitted(c, name(o.actor), left - 14), left - 8, rowTop(row) + 14);
    });
    c.save(); c.beginPath(); c.rect(left, 0, right - left, laneHeight); c.clip();
    shown.forEach((o, row) => {
      let dense = -Infinity;
      for (let j = Math.max(0, stretchAt(o, toTime(win[0]))); j < o.start.length; j++) {
        const x = laneX(toView(o.start[j]), win);
        if (x > right) break;
        const end = laneX(toView(o.end[j]), win), state = data.states[o.state[j]];
        if (end < dense + 0.4 && state !== "running") continue;
        stretch(c, state, Math.max(x, left - 2), rowTop(row), Math.max(1, Math.min(end, right + 2) - Math.max(x, left - 2)), 20, css);
        dense = end;
        const from = Math.max(x, left), wide = Math.min(end, right) - from;
        if (state === "running" && o.inside[j] && wide > 14) {
          c.font = `11px ${FONT}`; c.textAlign = "center"; c.fillStyle = "#FFFFFF";
          c.fillText(wide > 56 ? `${o.inside[j]} inside` : `${o.inside[j]}`, from + wide / 2, rowTop(row) + 14);
        }
      }
    });
    for (const [a, b] of warp.knots.length > 2 ? warp.gaps : []) { // quiet stretches: two cuts through the lanes
      const start = laneX(toView(a), win), end = laneX(toView(b), win), x = (start + end) / 2;
      if (x < left || x > right || end - start < 24) continue;
      for (const [width, colour, gap] of [[5, css.paper, 0], [1, css.faintInk, 3], [1, css.faintInk, -3]]) {
        c.beginPath(); c.moveTo(x + gap + 4, 0); c.lineTo(x + gap - 4, laneHeight - 20); c.lineWidth = width; c.strokeStyle = colour; c.stroke();
      }
    }
    paintMoments(c, win, rowOf, left, right);
    c.restore();
    paintAxis(c, win, left, right);
    if (objects.length > MOST_LANES) {
      c.font = `11px ${FONT}`; c.textAlign = "left"; c.fillStyle = css.ink;
      c.fillText(`${firstLane + 1}–${firstLane + shown.length} of ${objects.length}`, 4, laneHeight - 5);
    }
  }

  function paintMoments(c, win, rowOf, left, right) {
    let lastBell = -Infinity;
    trace.alarms.at.forEach((at, i) => {
      const row = rowOf.get(trace.alarms.actor[i]), x = laneX(toView(at), win);
      if (row === undefined || x < left || x > right || trace.alarms.what[i] === "cleared") return;
      const rings = trace.alarms.what[i] === "rings";
      if (!rings && x - lastBell < 3) return;
      glyph(c, "bell", COLOURS.pink, !rings, x, rowTop(row) + (rings ? 7 : 14), rings ? 5 : 3.5, css);
      lastBell = x;
    });
    trace.faults.at.forEach((at, i) => {
      const row = rowOf.get(trace.faults.actor[i]), x = laneX(toView(at), win);
      if (x < left || x > right) return;
      if (row === undefined) { c.fillStyle = css.red; c.fillRect(x - 0.75, 0, 1.5, laneHeight - 20); } else cross(c, x, rowTop(row) + 10, 4.5, css);
    });
  }

  function paintAxis(c, win, left, right) {
    c.font = `11px ${FONT}`; c.fillStyle = css.ink; c.strokeStyle = css.faintInk; c.lineWidth = 1; c.textAlign = "center";
    const many = Math.max(2, Math.floor((right - left) / 120)), y = laneHeight - 18;
    const taken = [];
    const write = (x, words, colour) => {
      const half = c.measureText(words).width / 2, at = Math.max(left + half - 4, Math.min(right + 8 - half, x));
      if (taken.some(([a, b]) => at - half < b + 8 && at + half > a - 8)) return false;
      taken.push([at - half, at + half]); c.fillStyle = colour; c.fillText(words, at, y + 15);
      return true;
    };
    const line = (a, b) => { c.beginPath(); c.moveTo(Math.max(a, left), y); c.lineTo(Math.min(b, right), y); c.stroke(); };
    const tick = (time, wide) => {
      const x = laneX(toView(time), win);
      if (x < left - 1 || x > right + 1 || !write(x, axisText(time, wide), css.ink)) return;
      c.beginPath(); c.moveTo(x, y); c.lineTo(x, y + 4); c.stroke();
    };
    const bent = warp.knots.length > 2, gaps = bent ? warp.gaps.map(([a, b]) => [laneX(toView(a), win), laneX(toView(b), win), b - a, b]) : [];
    if (!bent || zoom > 2) {
      const step = niceStep(win[1] / many), start = toTime(win[0]), end = toTime(win[0] + win[1]);
      if ((end - start) / step < 200) for (let time = Math.ceil(start / step) * step; time <= end; time += step) tick(time, end - start);
    } else { // quiet stretches are cut: their ends are told, and how long they are
      tick(from, 0);
      tick(to, 0);
      for (const [, , , b] of gaps) tick(b, 0);
      for (const [a, b, us] of gaps) if (b - a > 12 && a < right && b > left) write((a + b) / 2, `… ${short(us)} …`, css.faintInk);
    }
    let at = left;
    for (const [a, b] of gaps) {
      if (a > at) line(at, a);
      c.setLineDash([1, 4]); if (b > left && a < right) line(a, b); c.setLineDash([]);
      at = Math.max(at, b);
    }
    if (at < right) line(at, right);
  }

  function niceStep(us) {
    if (us > 1e6) for (const s of [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 432000]) if (s * 1e6 >= us) return s * 1e6;
    const size = 10 ** Math.floor(Math.log10(Math.max(1, us)));
    return size * [1, 2, 5, 10].find((n) => n * size >= us * 0.999);
  }

  function axisText(us, wide) {
    if (wide === 0) return us < 1e6 ? `${+(us / 1e3).toFixed(1)} ms` : us < 120e6 ? `${+(us / 1e6).toFixed(2)} s` : axisText(us, 1e6);
    if (wide < 2e6 && us < 10e6) return wide < 2e3 ? `${+(us / 1e3).toFixed(3)} ms` : `${+(us / 1e3).toFixed(1)} ms`;
    if (us < 120e6) return `${+(us / 1e6).toFixed(wide < 20e6 ? 2 : 0)} s`;
    const d = Math.floor(us / 86400e6), h = Math.floor(us / 3600e6) % 24, m = Math.floor(us / 60e6) % 60, s = Math.floor(us / 1e6) % 60;
    const two = (n) => String(n).padStart(2, "0");
    return (d ? `${d} d ` : "") + (wide < 2 * 3600e6 ? `${two(h)}:${two(m)}:${two(s)}` : `${two(h)}:${two(m)}`);
  }

  function zoomTime(by) { zoom = Math.max(0, Math.min(16, zoom + by)); draw(); }

  // -- words about now
  function sayTime(v) {
    const skipping = playing && warp.knots.length > 2 ? warp.gaps.find(([a, b]) => t > a && t < b) : null;
    const flying = stats.in_flight ? ` · ${stats.in_flight} under way` : "";
    now.textContent = clock(t, to) + (skipping ? ` · skipping ${short(skipping[1] - skipping[0])}` : flying);
    range.value = String((v / whole_us) * 1e6);
    range.setAttribute("aria-valuetext", clock(t, to));
    if (focus && focus.type === "object") {
      const text = objectText(focus.index);
      if (text !== shownObject) { shownObject = text; live.textContent = text; }
    }
  }

  const text = (number) => data.texts[number] || "";
  const placeOf = (end) => { const p = data.ends[end] ? data.ends[end][2] : -1; return p < 0 ? "" : data.places[p][1] || data.places[p][0]; };

  function messageText(i) {
    const of = M.request[i] ? ` of request #${M.request[i]}` : "";
    const what = `${M.failed[i] ? "failed " : ""}${data.kinds[M.kind[i]]} “${text(M.label[i])}”${of}, ${name(M.source[i])} to ${name(M.target[i])}`;
    const left = `left at ${clock(M.t0[i], to)}`;
    if (M.lost[i]) return `Lost ${what}: ${left}, never arrived (${text(M.lost[i])}).`;
    if (M.open[i]) return `${what[0].toUpperCase()}${what.slice(1)}: ${left}, still under way when the trace ends.`;
    return `${what[0].toUpperCase()}${what.slice(1)}: ${left}, arrived after ${duration(M.t1[i] - M.t0[i])}, at ${clock(M.t1[i], to)}.`;
  }

  function objectText(index) {
    const o = objects[index], j = stretchAt(o, t), where = placeOf(o.actor) ? ` in ${placeOf(o.actor)}` : "";
    if (j < 0) return `${name(o.actor)}${where}: not there yet.`;
    const [, , state, means] = STATE_LOOKS[data.states[o.state[j]]];
    const said = [`since ${clock(o.start[j], to)}`];
    if (text(o.why[j])) said.push(`because: ${text(o.why[j])}`);
    if (o.instance[j]) said.push(`instance ${o.instance[j]}`);
    if (o.inside[j]) said.push(`${o.inside[j]} inside`);
    if (o.sockets[j]) said.push(`${o.sockets[j]} socket${o.sockets[j] === 1 ? "" : "s"}`);
    if (o.stored[j] >= 0) said.push(`${o.stored[j]} bytes stored`);
    return `${name(o.actor)}${where}: ${state} (${means}), ${said.join(", ")}.`;
  }

  function eventText([time, type, i, j]) {
    const at = `${clock(time, to)}: `;
    if (type === "fault") return `${at}fault: ${trace.faults.what[i]}.`;
    if (type === "alarm") { const whose = name(trace.alarms.actor[i]), what = trace.alarms.what[i]; return `${at}the alarm of ${whose} ${what === "rings" ? what : `is ${what}`}.`; }
    if (type === "state") {
      const o = objects[i], [, , state, means] = STATE_LOOKS[data.states[o.state[j]]];
      return `${at}${name(o.actor)} is ${state}${text(o.why[j]) ? ` (${text(o.why[j])})` : ""}: ${state === "running" ? `${o.inside[j]} inside` : means}.`;
    }
    if (type === "left") return `${at}${data.kinds[M.kind[i]]} “${text(M.label[i])}” leaves ${name(M.source[i])} for ${name(M.target[i])}.`;
    return messageText(i);
  }

  function tell(request) { // the sentences of a request, or its segments
    told.replaceChildren();
    if (!request) return;
    const known = data.told.sentences[request], parts = data.told.segments[request];
    const list = make("ol", { class: "dosim-sentences" });
    const row = (offset, words) => list.append(make("li", {}, make("span", { class: "dosim-after" }, `+${duration(offset)}`), ` ${words}`));
    if (known) {
      known.slice(1, -1).forEach(([offset, words]) => row(offset, words));
      told.append(make("p", {}, known[0]), list, make("p", {}, known[known.length - 1]));
    } else if (parts) {
      let offset = 0;
      for (let k = 1; k < parts.length; k += 3) {
        row(offset, `${duration(parts[k + 1])} ${data.told.said[parts[k]]} ${name(parts[k + 2]) || "another"}`);
        offset += parts[k + 1];
      }
      told.append(make("p", {}, `Request #${request}, sent at ${clock(parts[0], to)}; its parts sum to ${duration(offset)}:`), list);
    } else told.append(make("p", {}, `Of request #${request} the page holds its messages only: sim.explain(${request}) tells the rest.`));
  }

  function setFocus(next, say = true) {
    focus = next;
    shownObject = "";
    let what = 0;
    if (next && next.type === "message") { what = M.request[next.index]; if (say) live.textContent = messageText(next.index); tell(what); }
    else if (next && next.type === "object") { what = name(objects[next.index].actor); if (say) live.textContent = shownObject = objectText(next.index); tell(0); }
    else { tell(0); if (next && say) live.textContent = `${name(next.index)}${placeOf(next.index) ? ` in ${placeOf(next.index)}` : ""}: ${data.roles[data.ends[next.index][1]]}.`; }
    if (next && next.type === "object" && (next.index < firstLane || next.index >= firstLane + MOST_LANES)) { firstLane = Math.floor(next.index / MOST_LANES) * MOST_LANES; }
    if (what !== picked) { picked = what; if (options.onPick) options.onPick(what); }
    draw();
  }

  function pick(what) { // a request's number, an object's label, or 0
    if (what === picked) return;
    const object = objects.findIndex((o) => name(o.actor) === what);
    const message = typeof what === "number" && what ? M.request.indexOf(what) : -1;
    setFocus(object >= 0 ? { type: "object", index: object } : message >= 0 ? { type: "message", index: message } : null);
    if (object < 0 && message < 0) live.textContent = what ? `There is no ${typeof what === "number" ? "request" : "object"} ${what} here.` : "";
  }

  // -- time
  function seek(time, keep = false) {
    t = Math.max(from, Math.min(to, time));
    if (!keep) cursor = upper(eventTimes, t) - 1;
    draw();
  }

  function step(by) {
    pause();
    if (!events.length) { live.textContent = data.about; return; }
    const next = Math.max(0, Math.min(events.length - 1, cursor + by));
    if (next === cursor) { live.textContent = by > 0 ? "This is the last event." : "This is the first event."; return; }
    cursor = next;
    const event = events[cursor];
    t = event[0];
    if (["left", "arrived", "lost"].includes(event[1])) setFocus({ type: "message", index: event[2] }, false);
    else setFocus(event[1] === "state" ? { type: "object", index: event[2] } : null, false);
    shownObject = focus && focus.type === "object" ? objectText(focus.index) : "";
    live.textContent = `Event ${(cursor + 1).toLocaleString("en")} of ${events.length.toLocaleString("en")}. ${eventText(event)}`;
    draw();
  }

  function tick(stamp) {
    frame = 0;
    if (!playing || !visible || document.hidden) { last = 0; return; }
    if (!root.isConnected) { destroy(); return; }
    const passed = last ? Math.min(stamp - last, 100) : 0;
    last = stamp;
    const v = toView(t) + (passed / 1000) * pace;
    if (v >= whole_us) { t = to; cursor = events.length - 1; pause(); return; }
    t = toTime(v);
    cursor = upper(eventTimes, t) - 1;
    draw();
    frame = requestAnimationFrame(tick);
  }

  function go() { if (playing && !frame && !still.matches) { last = 0; frame = requestAnimationFrame(tick); } }

  function stepsInstead() { // reduced motion: one event after the other, nothing moves between them
    if (!playing || destroyed) return;
    if (!visible || document.hidden) { timer = setTimeout(stepsInstead, 1000); return; }
    const before = cursor;
    const was = playing;
    step(1);
    if (cursor === before) return;
    setPlaying(was);
    timer = setTimeout(stepsInstead, 1100);
  }

  function setPlaying(value) {
    if (playing === value) return;
    playing = value;
    const label = value ? "Pause" : "Play";
    playButton.setAttribute("aria-label", label); playButton.title = `${label} (space)`;
    playButton.replaceChildren(icon(value ? "pause" : "play"));
    if (options.onPlaying) options.onPlaying(value);
  }

  function play() {
    if (playing || destroyed) return;
    if (t >= to) { t = from; cursor = -1; }
    setPlaying(true);
    if (still.matches) stepsInstead(); else { setFocusQuietly(); go(); }
  }

  function setFocusQuietly() { if (focus && focus.type === "message" && M.t1[focus.index] < t) { focus = null; } }

  function pause() {
    clearTimeout(timer);
    if (!playing) return;
    setPlaying(false);
    if (frame) cancelAnimationFrame(frame);
    frame = 0;
    draw();
  }

  const toggle = () => (playing ? pause() : play());

  // -- the table
  function showTable(at) {
    if (!table.open) return;
    const pages = Math.max(1, Math.ceil(M.n / ROWS));
    page = Math.max(0, Math.min(pages - 1, at ?? Math.floor(Math.max(0, upper(M.t0, t) - 1) / ROWS)));
    const rows = make("tbody");
    for (let i = page * ROWS; i < Math.min(M.n, (page + 1) * ROWS); i++) {
      const show = make("button", { type: "button", "aria-label": `Show message ${i + 1}`, onclick: () => { pause(); seek(M.t0[i]); setFocus({ type: "message", index: i }); } }, String(i + 1));
      const outcome = M.lost[i] ? `lost (${text(M.lost[i])})` : M.open[i] ? "under way" : M.failed[i] ? "failed" : "arrived";
      const cells = [clock(M.t0[i], to), duration(M.t1[i] - M.t0[i]), data.kinds[M.kind[i]], text(M.label[i]), name(M.source[i]), name(M.target[i]), M.request[i] ? `#${M.request[i]}` : "", outcome];
      rows.append(make("tr", {}, make("td", {}, show), ...cells.map((cell) => make("td", {}, cell))));
    }
    const heads = ["message", "left at", "took", "kind", "what", "from", "to", "request", "outcome"];
    const turn = (label, by) => make("button", { type: "button", disabled: page + by < 0 || page + by >= pages, onclick: () => showTable(page + by) }, label);
    tableBody.replaceChildren(
      make("p", { class: "dosim-bar" }, turn("Earlier", -1), `${(page * ROWS + (M.n ? 1 : 0)).toLocaleString("en")}–${Math.min(M.n, (page + 1) * ROWS).toLocaleString("en")} of ${M.n.toLocaleString("en")}`, turn("Later", 1)),
      make("div", { class: "dosim-scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), rows)));
  }

  // -- what is under the pointer
  function messageUnder(x, y) {
    let best = null, near = 12;
    for (let i = Math.max(0, lower(M.t0, t - M.longest)), end = upper(M.t0, t); i < end; i++) {
      if (M.t1[i] < t || M.lost[i]) continue;
      const way = wayOf(M.source[i], M.target[i]), share = (t - M.t0[i]) / Math.max(1, M.t1[i] - M.t0[i]), rest = 1 - share;
      let mx = rest * rest * way.x0 + 2 * share * rest * way.cx + share * share * way.x1;
      if (way.wraps && view) mx = ((mx % view.period) + view.period) % view.period;
      const far = Math.hypot(mx - x, rest * rest * way.y0 + 2 * share * rest * way.cy + share * share * way.y1 - y);
      if (far < near) { near = far; best = { type: "message", index: i }; }
    }
    const v = toView(t), keep = Math.min(CROSS_S * pace, whole_us / 4);
    for (let k = upper(M.lostAt, t) - 1; k >= 0 && v - toView(M.lostAt[k]) <= keep; k--) {
      const [cx, cy] = middle(wayOf(M.source[M.lostOnes[k]], M.target[M.lostOnes[k]]));
      if (Math.hypot(cx - x, cy - y) < near) { near = Math.hypot(cx - x, cy - y); best = { type: "message", index: M.lostOnes[k] }; }
    }
    return best;
  }

  function under(x, y) {
    const message = messageUnder(x, y);
    if (message) return message;
    let best = null, near = 14;
    scene.at.forEach((p, end) => {
      const far = p && !p.hidden ? Math.hypot(p.x - x, p.y - y) : 99;
      if (far < near) { near = far; best = objectOf.has(end) ? { type: "object", index: objectOf.get(end) } : { type: "end", index: end }; }
    });
    return best;
  }

  map.addEventListener("click", (e) => setFocus(under(e.offsetX, e.offsetY)));
  map.addEventListener("pointermove", (e) => { map.style.cursor = !playing && under(e.offsetX, e.offsetY) ? "pointer" : ""; });
  const scrubLanes = (e) => {
    const win = laneWindow(toView(t)), x = e.offsetX;
    const row = Math.floor((e.offsetY - 4) / 24), object = firstLane + row;
    if (x < gutter()) {
      if (e.type === "pointerdown" && row >= 0 && row < MOST_LANES && object < objects.length) setFocus({ type: "object", index: object });
      else if (e.type === "pointerdown" && e.offsetY > laneHeight - 20 && objects.length > MOST_LANES) { firstLane = firstLane + MOST_LANES >= objects.length ? 0 : firstLane + MOST_LANES; draw(); }
      return;
    }
    pause();
    if (e.type === "pointerdown" && row >= 0 && row < MOST_LANES && object < objects.length && e.offsetY < laneHeight - 20) focus = { type: "object", index: object };
    seek(toTime(win[0] + ((x - gutter()) / (width - gutter() - 10)) * win[1]));
    if (focus && focus.type === "object") setFocus(focus);
  };
  lanes.addEventListener("pointerdown", (e) => { lanes.setPointerCapture(e.pointerId); scrubLanes(e); });
  lanes.addEventListener("pointermove", (e) => { if (e.buttons & 1 && !zoom) scrubLanes(e); });
  range.addEventListener("input", () => { pause(); seek(toTime((+range.value / 1e6) * whole_us)); });
  speed.addEventListener("input", () => { setPace(); draw(); });
  skip.addEventListener("change", () => { warp = warpOf(trace, events, data.span, skip.checked); whole_us = warp.view[warp.view.length - 1]; laneBaseKey = ""; draw(); });
  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => { pause(); seek(from); }, End: () => { pause(); seek(to); }, "+": () => zoomTime(1), "-": () => zoomTime(-1), Escape: () => { setFocus(null); live.textContent = ""; } };
  root.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target === speed || table.contains(e.target)) return;
    if (e.key === " " && /^(BUTTON|SUMMARY|INPUT)$/.test(e.target.tagName) && e.target !== range) return;
    const action = e.key === " " ? toggle : Object.hasOwn(keys, e.key) ? keys[e.key] : null;
    if (!action) return;
    action();
    e.preventDefault(); e.stopPropagation();
  });

  // -- the world around
  const wake = () => { if (!document.hidden && visible) go(); };
  const seen = new IntersectionObserver((entries) => { visible = entries[entries.length - 1].isIntersecting; wake(); });
  seen.observe(map);
  let laidOut = 0;
  const sized = new ResizeObserver(() => { if (root.clientWidth !== laidOut) { laidOut = root.clientWidth; layOut(); } });
  sized.observe(root);
  const themed = new MutationObserver(() => { if (dark !== (options.dark ?? hostIsDark())) layOut(); });
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "theme"] });
  if (document.body) themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  const scheme = matchMedia("(prefers-color-scheme: dark)"), rescheme = () => layOut();
  scheme.addEventListener("change", rescheme);
  document.addEventListener("visibilitychange", wake);

  function destroy() {
    if (destroyed) return;
    destroyed = true; playing = false;
    if (frame) cancelAnimationFrame(frame);
    clearTimeout(timer);
    for (const observer of [seen, sized, themed]) observer.disconnect();
    scheme.removeEventListener("change", rescheme);
    document.removeEventListener("visibilitychange", wake);
  }

  setPace();
  layOut();
  laidOut = root.clientWidth;
  seek(t);
  return {
    seek, play, pause, step, pick, destroy, stats,
    get t_us() { return t; }, get playing() { return playing; }, get picked() { return picked; },
    get speed() { return pace / 1e6; }, set speed(value) { speed.value = String(Math.log10(value)); setPace(); },
    get event() { return cursor; }, get events() { return events.length; }, get slots() { return scene.at; },
  };
}

// ---- the view of an anywidget: `data` (JSON text), and `t_us`, `playing`, `picked` in both directions
function render({ model, el }) {
  let timer = null, told = Math.round(model.get("t_us"));
  const save = () => { timer = null; model.save_changes(); };
  const soon = () => { timer ??= setTimeout(save, 100); };
  const set = (name, value) => { if (model.get(name) !== value) { model.set(name, value); soon(); } };
  const root = document.createElement("div");
  el.append(root);
  const player = mount(root, JSON.parse(model.get("data")), {
    dark: model.get("dark"), t_us: told,
    onTime: (t_us) => { told = t_us; set("t_us", t_us); },
    onPick: (what) => set("picked", what), onPlaying: (value) => set("playing", value),
  });
  const heard = {
    "change:t_us": () => { if (model.get("t_us") !== told) { player.pause(); player.seek(model.get("t_us")); } },
    "change:playing": () => { if (model.get("playing") !== player.playing) { if (model.get("playing")) player.play(); else player.pause(); } },
    "change:picked": () => player.pick(model.get("picked")),
  };
  for (const [name, action] of Object.entries(heard)) model.on(name, action);
  root.dosim = player;
  if (model.get("picked")) player.pick(model.get("picked"));
  if (model.get("playing")) player.play();
  return () => {
    for (const [name, action] of Object.entries(heard)) model.off(name, action);
    clearTimeout(timer);
    player.destroy();
  };
}

export default { render, mount };
