// Moments and durations in words, and the making of elements.

const ICONS = {
  play: "M4 2.5v11l9.5-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z", back: "M12 2.5v11L5.5 8zM3.5 2.5h2v11h-2z",
  forward: "M4 2.5v11L10.5 8zM10.5 2.5h2v11h-2z", world: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM2 8h12M8 2c-4 4-4 8 0 12M8 2c4 4 4 8 0 12",
  columns: "M2 2.5h3v11H2zM6.5 2.5h3v11h-3zM11 2.5h3v11h-3z", closer: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.5 10.5l4 4M5 7h4M7 5v4",
  fork: "M5 13.5V2.5M5 9c0-3 6-2 6-6.5M3 4.5l2-2 2 2M9 4.5l2-2 2 2",
  wider: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.5 10.5l4 4M5 7h4",
};
const OUTLINED = new Set(["fork", "world", "closer", "wider"]);

export function duration(us) {
  const a = Math.abs(us);
  if (a < 1e3) return `${Math.round(us)} µs`;
  if (a < 1e6) return `${+(us / 1e3).toFixed(3)} ms`;
  if (a < 60e6) return `${+(us / 1e6).toFixed(6)} s`;
  return clock(us, us);
}

export function clock(us, span) { // a moment, as exact as the run is long
  const s = us / 1e6;
  if (span < 60e6) return `${s.toFixed(6)} s`;
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  const rest = `${two(h)}:${two(m)}:${(s % 60).toFixed(6).padStart(9, "0")}`;
  return span >= 86400e6 ? `${d} d ${rest}` : rest;
}

export function short(us) { // a rough duration
  for (const [unit, size] of [["d", 86400e6], ["h", 3600e6], ["min", 60e6], ["s", 1e6], ["ms", 1e3]]) {
    if (us >= size) return `${+(us / size).toPrecision(3)} ${unit}`;
  }
  return `${+us.toPrecision(3)} µs`;
}

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true", focusable: "false" })) svg.setAttribute(k, v);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  if (OUTLINED.has(name)) for (const [k, v] of [["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "1.5"]]) path.setAttribute(k, v);
  else path.setAttribute("fill", "currentColor");
  svg.append(path);
  return svg;
}
