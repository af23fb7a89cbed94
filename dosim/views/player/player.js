// The player of a dosim trace: `mount(element, data, options)` puts it into any page. With the files that it imports it
// is written as one ES module (`page.py`), without dependencies. What `data` is, `data.py` beside this file says. Times are
// microseconds of simulated time; "view time" is the same with quiet stretches cut short. Texts from the trace reach
// the page as text only, never as markup.
import { hostIsDark, onHostTheme } from "./host.js";
import { lanesOf, MOST_LANES } from "./lanes.js";
import { drawPlaces, drawWorld, edgeOf, inColumns, onMap, viewOf } from "./places.js";
import { sentencesOf } from "./sentences.js";
import { COLOURS, FONT, KIND_LOOKS, STATE_LOOKS, cross, glyph, notYet, outline, square } from "./shapes.js";
import { along, decode, eventsOf, lower, upper, warpOf } from "./trace.js";
import { clock, duration, icon, make, short } from "./words.js";

const LINGER_S = 0.45, CROSS_S = 2.2, ROWS = 25; // seconds that an arrival and a loss stay in sight; rows of a page of the table

/**
 * Put a player into an element. Options: `dark` (true, false, or null: as the page around is), `t_us`, `onTime(t_us, final)`,
 * `onPick(what)`, `onPlaying(bool)`. Returns {t_us, playing, picked (a request's number, an object's label, or 0),
 * speed, seconds, stats, seek(t_us), play(), pause(), step(1 or -1), pick(what), destroy()}.
 */
export function mount(root, data, options = {}) {
  if (!data || data.version !== 1) throw new Error(`This page shows player data of version 1, not ${data && data.version}.`);
  const trace = decode(data), { messages: M, objects } = trace, events = eventsOf(trace), say = sentencesOf(data, trace);
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
  const forkButton = options.onFork ? [button("Fork the run from here", "fork", () => { pause(); options.onFork(Math.round(t)); }, "f")] : [];
  const bar = make("div", { class: "dosim-bar" }, back, playButton, forward, range, now);
  const second = make("div", { class: "dosim-bar dosim-second" }, make("span", {}, "speed "), speed, speedText, skipLabel, make("span", { class: "dosim-room" }), ...forkButton, worldButton, columnsButton, closer, wider);
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
  const context = map.getContext("2d");

  // -- state
  let dark = false, css = {}, ratio = 1, laidOut = 0, width = 0, height = 0, laneHeight = 0;
  let whole = false, columns = !data.map || data.places.length < 2, scene = null, view = null, base = null;
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
    laidOut = root.clientWidth;
    if (laidOut || !width) width = Math.max(280, laidOut - 20); // hidden, as a page is while its theme loads, it has no width
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
    if (columns) { view = null; scene = inColumns(data, width, height); } else { view = viewOf(data.places, width, height - edgeOf(data), whole); scene = onMap(data, view, width, height, measure); }
    worldButton.hidden = columns || (view && view.world && !whole); columnsButton.hidden = !data.map;
    worldButton.setAttribute("aria-pressed", String(whole)); columnsButton.setAttribute("aria-pressed", String(columns));
    ways.clear();
    base = document.createElement("canvas"); base.width = map.width; base.height = map.height;
    const c = base.getContext("2d");
    c.scale(ratio, ratio); c.fillStyle = css.sea; c.fillRect(0, 0, width, height);
    if (view) drawWorld(c, data.map, view, css);
    drawPlaces(c, data, scene, (end) => objectOf.has(end), css);
    strip.stale();
    drawLegend();
    draw();
  }

  function mostInColumn() {
    const counts = data.roles.map((_, r) => data.ends.filter((e) => e[1] === r).length);
    return Math.max(1, ...counts);
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
    if (objects.length) strip.draw(v);
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

  function pointOn(way, share) {
    const rest = 1 - share, y = rest * rest * way.y0 + 2 * share * rest * way.cy + share * share * way.y1;
    let x = rest * rest * way.x0 + 2 * share * rest * way.cx + share * share * way.x1;
    if (way.wraps && view) x = ((x % view.period) + view.period) % view.period;
    return [x, y];
  }
  const middle = (way) => pointOn(way, 0.5);

  function place(i, share, size) {
    const [x, y] = pointOn(wayOf(M.source[i], M.target[i]), share);
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

  function curve(way) {
    context.beginPath(); context.moveTo(way.x0, way.y0); context.quadraticCurveTo(way.cx, way.cy, way.x1, way.y1);
  }

  function trail(i, alpha) {
    const way = wayOf(M.source[i], M.target[i]), [, colour] = KIND_LOOKS[data.kinds[M.kind[i]]];
    context.globalAlpha = Math.max(0, alpha);
    curve(way);
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
      context.lineWidth = 1.2; context.strokeStyle = css.red; context.setLineDash([3, 3]); curve(way); context.stroke(); context.setLineDash([]);
      const [x, y] = middle(way);
      cross(context, x, y, 5.5, css);
    }
    context.globalAlpha = 1;
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
      context.setLineDash([5, 4]); curve(way); context.stroke(); context.setLineDash([]);
      const share = Math.max(0, Math.min(1, (t - M.t0[i]) / Math.max(1, M.t1[i] - M.t0[i])));
      if (M.lost[i] && t >= M.t1[i]) { const [x, y] = middle(way); cross(context, x, y, 6.5, css); return; }
      const [x, y] = place(i, M.t1[i] > M.t0[i] ? share : t >= M.t1[i] ? 1 : 0, 6);
      context.beginPath(); context.arc(x, y, 10, 0, 7); context.stroke();
    } else {
      const p = scene.at[focus.type === "object" ? objects[focus.index].actor : focus.index];
      if (p) { outline(context, "square", p.x, p.y, p.r + 4); context.stroke(); }
    }
  }

  // -- lanes: what they need of what changes here
  const strip = lanesOf(lanes, data, trace, {
    toView, toTime, name, stretchAt, from, to,
    get width() { return width; }, get height() { return laneHeight; }, get ratio() { return ratio; }, get css() { return css; },
    get dark() { return dark; }, get whole_us() { return whole_us; }, get warp() { return warp; }, get zoom() { return zoom; },
    get firstLane() { return firstLane; }, get focus() { return focus; },
  });

  function zoomTime(by) { zoom = Math.max(0, Math.min(16, zoom + by)); draw(); }

  // -- words about now
  function sayTime(v) {
    const skipping = playing && warp.knots.length > 2 ? warp.gaps.find(([a, b]) => t > a && t < b) : null;
    const flying = stats.in_flight ? ` · ${stats.in_flight} under way` : "";
    now.textContent = clock(t, to) + (skipping ? ` · skipping ${short(skipping[1] - skipping[0])}` : flying);
    range.value = String((v / whole_us) * 1e6);
    range.setAttribute("aria-valuetext", clock(t, to));
    if (focus && focus.type === "object") {
      const text = say.object(focus.index, t);
      if (text !== shownObject) { shownObject = text; live.textContent = text; }
    }
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
        row(offset, `${duration(parts[k + 1])} ${data.told.said[parts[k]]} ${name(parts[k + 2]) || "somebody else"}`);
        offset += parts[k + 1];
      }
      told.append(make("p", {}, `Request #${request}, sent at ${clock(parts[0], to)}; its parts sum to ${duration(offset)}:`), list);
    } else told.append(make("p", {}, `Of request #${request} the page holds its messages only: sim.explain(${request}) tells the rest.`));
  }

  function setFocus(next, aloud = true) {
    focus = next;
    shownObject = "";
    let what = 0;
    if (next && next.type === "message") { what = M.request[next.index]; if (aloud) live.textContent = say.message(next.index); tell(what); }
    else if (next && next.type === "object") { what = name(objects[next.index].actor); if (aloud) live.textContent = shownObject = say.object(next.index, t); tell(0); }
    else { tell(0); if (next && aloud) live.textContent = `${name(next.index)}${say.placeOf(next.index) ? ` in ${say.placeOf(next.index)}` : ""}: ${data.roles[data.ends[next.index][1]]}.`; }
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
  function seek(time) {
    t = Math.max(from, Math.min(to, time));
    cursor = t <= from ? -1 : upper(eventTimes, t) - 1; // from the start on, the first step is to the first event
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
    shownObject = focus && focus.type === "object" ? say.object(focus.index, t) : "";
    live.textContent = `Event ${(cursor + 1).toLocaleString("en")} of ${events.length.toLocaleString("en")}. ${say.event(event)}`;
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
      const outcome = M.lost[i] ? `lost (${say.text(M.lost[i])})` : M.open[i] ? "under way" : M.failed[i] ? "failed" : "arrived";
      const cells = [clock(M.t0[i], to), duration(M.t1[i] - M.t0[i]), data.kinds[M.kind[i]], say.text(M.label[i]), name(M.source[i]), name(M.target[i]), M.request[i] ? `#${M.request[i]}` : "", outcome];
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
      const [mx, my] = pointOn(wayOf(M.source[i], M.target[i]), (t - M.t0[i]) / Math.max(1, M.t1[i] - M.t0[i]));
      const far = Math.hypot(mx - x, my - y);
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
    const win = strip.window(toView(t)), x = e.offsetX;
    const row = Math.floor((e.offsetY - 4) / 24), object = firstLane + row;
    if (x < strip.gutter()) {
      if (e.type === "pointerdown" && row >= 0 && row < MOST_LANES && object < objects.length) setFocus({ type: "object", index: object });
      else if (e.type === "pointerdown" && e.offsetY > laneHeight - 20 && objects.length > MOST_LANES) { firstLane = firstLane + MOST_LANES >= objects.length ? 0 : firstLane + MOST_LANES; draw(); }
      return;
    }
    pause();
    if (e.type === "pointerdown" && row >= 0 && row < MOST_LANES && object < objects.length && e.offsetY < laneHeight - 20) focus = { type: "object", index: object };
    seek(toTime(win[0] + ((x - strip.gutter()) / (width - strip.gutter() - 10)) * win[1]));
    if (focus && focus.type === "object") setFocus(focus);
  };
  lanes.addEventListener("pointerdown", (e) => { lanes.setPointerCapture(e.pointerId); scrubLanes(e); });
  lanes.addEventListener("pointermove", (e) => { if (e.buttons & 1 && !zoom) scrubLanes(e); });
  range.addEventListener("input", () => { pause(); seek(toTime((+range.value / 1e6) * whole_us)); });
  speed.addEventListener("input", () => { setPace(); draw(); });
  skip.addEventListener("change", () => { warp = warpOf(trace, events, data.span, skip.checked); whole_us = warp.view[warp.view.length - 1]; strip.stale(); draw(); });
  const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => { pause(); seek(from); }, End: () => { pause(); seek(to); }, f: () => forkButton[0]?.click(), "+": () => zoomTime(1), "-": () => zoomTime(-1), Escape: () => { setFocus(null); live.textContent = ""; } };
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
  const sized = new ResizeObserver(() => { if (root.clientWidth !== laidOut) layOut(); });
  sized.observe(root);
  const unthemed = onHostTheme(() => { if (dark !== (options.dark ?? hostIsDark())) layOut(); });
  document.addEventListener("visibilitychange", wake);

  function destroy() {
    if (destroyed) return;
    destroyed = true; playing = false;
    if (frame) cancelAnimationFrame(frame);
    clearTimeout(timer);
    for (const observer of [seen, sized]) observer.disconnect();
    unthemed();
    document.removeEventListener("visibilitychange", wake);
  }

  setPace();
  layOut();
  seek(t);
  return {
    seek, play, pause, step, pick, destroy, stats,
    say(text) { live.textContent = text; },
    get t_us() { return t; }, get playing() { return playing; }, get picked() { return picked; },
    get seconds() { return whole_us / pace; }, // that the whole takes at this speed
    get speed() { return pace / 1e6; }, set speed(value) { speed.value = String(Math.log10(value)); setPace(); },
    get event() { return cursor; }, get events() { return events.length; }, get slots() { return scene.at; },
  };
}
