// The trace as the page holds it: columns made whole, what can be stepped to, and view time.

export const lower = (list, value) => { // how many entries are below the value
  let a = 0, b = list.length;
  while (a < b) { const m = (a + b) >> 1; if (list[m] < value) a = m + 1; else b = m; }
  return a;
};
export const upper = (list, value) => { // how many entries are not above the value
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

export function decode(data) {
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
export function eventsOf({ messages, objects, alarms, faults }) {
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
export function warpOf(trace, events, [from, to], cut) {
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

export function along(x, xs, ys) { // piecewise linear
  const last = xs.length - 1;
  if (x <= xs[0]) return ys[0];
  if (x >= xs[last]) return ys[last];
  const i = upper(xs, x);
  const share = xs[i] === xs[i - 1] ? 1 : (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
  return ys[i - 1] + share * (ys[i] - ys[i - 1]);
}
