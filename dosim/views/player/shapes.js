// How messages, objects and their states look: colours of Okabe and Ito, and a shape for each.

export const COLOURS = { blue: "#0072B2", sky: "#56B4E9", green: "#009E73", yellow: "#F0E442", orange: "#E69F00", red: "#D55E00", pink: "#CC79A7" };
export const KIND_LOOKS = { // kinds of messages: shape, colour, hollow or filled
  request: ["dot", COLOURS.blue, false], response: ["dot", COLOURS.green, true], call: ["diamond", COLOURS.orange, false],
  answer: ["diamond", COLOURS.orange, true], frame: ["envelope", COLOURS.yellow, false],
};
export const STATE_LOOKS = { // states of an object: colour, share of the lane's height, words
  starting: [COLOURS.yellow, 0.7, "starting", "its constructor runs"],
  running: [COLOURS.blue, 0.9, "running", "somebody is inside"],
  held: [COLOURS.sky, 0.56, "held", "nobody is inside, but something keeps it in memory"],
  idle: [COLOURS.green, 0.56, "idle", "in memory, nobody inside"],
  hibernated: [COLOURS.pink, 0.36, "hibernated", "asleep: not in memory, its sockets are kept"],
  evicted: ["", 0.1, "evicted", "not in memory, its storage is kept"],
};
export const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

export function outline(c, shape, x, y, r) {
  c.beginPath();
  if (shape === "dot") c.arc(x, y, r, 0, 7);
  else if (shape === "diamond") { c.moveTo(x, y - r * 1.25); c.lineTo(x + r * 1.25, y); c.lineTo(x, y + r * 1.25); c.lineTo(x - r * 1.25, y); c.closePath(); }
  else if (shape === "envelope") c.rect(x - r * 1.2, y - r * 0.85, r * 2.4, r * 1.7);
  else if (shape === "bell") { c.moveTo(x, y - r * 1.2); c.lineTo(x + r * 1.15, y + r * 0.9); c.lineTo(x - r * 1.15, y + r * 0.9); c.closePath(); }
  else if (shape === "worker") { for (let i = 0; i < 6; i++) c.lineTo(x + r * Math.cos(i * Math.PI / 3), y + r * Math.sin(i * Math.PI / 3)); c.closePath(); }
  else c.rect(x - r, y - r, 2 * r, 2 * r);
}

export function glyph(c, shape, colour, hollow, x, y, r, css) {
  outline(c, shape, x, y, r);
  c.fillStyle = hollow ? css.paper : colour;
  c.fill();
  c.lineWidth = hollow ? 2.2 : 1;
  c.strokeStyle = hollow ? colour : css.edge;
  c.stroke();
  if (shape === "envelope") { c.beginPath(); c.moveTo(x - r * 1.2, y - r * 0.85); c.lineTo(x, y + r * 0.2); c.lineTo(x + r * 1.2, y - r * 0.85); c.strokeStyle = "#1A1A1A"; c.lineWidth = 1; c.stroke(); }
}

export function cross(c, x, y, r, css) {
  for (const [width, colour] of [[5, css.paper], [2.5, css.red]]) {
    c.beginPath(); c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x + r, y - r); c.lineTo(x - r, y + r);
    c.lineWidth = width; c.strokeStyle = colour; c.stroke();
  }
}

// An object: a square, its state told by fill and by a mark.
export function square(c, state, x, y, r, css) {
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
export function notYet(c, x, y, r, css) {
  c.lineWidth = 1.2; c.strokeStyle = css.faintInk; c.beginPath();
  for (const [a, b] of [[-1, -1], [1, -1], [1, 1], [-1, 1]]) { c.moveTo(x + a * r, y + b * r * 0.4); c.lineTo(x + a * r, y + b * r); c.lineTo(x + a * r * 0.4, y + b * r); }
  c.stroke();
}

// A stretch of an object's lane.
export function stretch(c, state, x, y, w, h, css) {
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

export function fitted(c, text, most, tail = false) { // as much of a text as fits: its beginning, or its end
  if (c.measureText(text).width <= most) return text;
  let cut = text;
  if (tail) {
    while (cut.length > 1 && c.measureText(`…${cut}`).width > most) cut = cut.slice(1);
    return `…${cut}`;
  }
  while (cut.length > 1 && c.measureText(`${cut}…`).width > most) cut = cut.slice(0, -1);
  return `${cut}…`;
}
