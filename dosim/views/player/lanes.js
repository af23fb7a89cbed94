// The lanes under the map: the states of each object over time, alarms, faults, cuts, and where the playhead is.
import { upper } from "./trace.js";
import { COLOURS, FONT, cross, fitted, glyph, stretch } from "./shapes.js";
import { short } from "./words.js";

export const MOST_LANES = 12;

/**
 * `w` tells what changes: width, height, ratio (of the screen), css (colours), dark, whole_us, warp, zoom, firstLane,
 * focus; and how to get from time to view time. Returns {draw(v), window(v), gutter(), stale()}.
 */
export function lanesOf(canvas, data, trace, w) {
  const context = canvas.getContext("2d");
  let base = null, painted = "";
  const gutter = () => Math.min(170, Math.max(70, w.width * 0.2));
  function laneWindow(v) {
    const length = w.whole_us / 2 ** w.zoom;
    const start = Math.max(0, Math.min(w.whole_us - length, v - length * 0.5));
    return [w.zoom ? start : 0, length];
  }
  const laneX = (v, [start, length]) => gutter() + ((v - start) / length) * (w.width - gutter() - 10);
  const rowTop = (row) => 4 + row * 24;

  function drawLanes(v) {
    if (!trace.objects.length) return;
    const win = laneWindow(v), key = `${win[0].toFixed(1)},${win[1]},${w.width},${w.dark},${w.ratio},${w.firstLane}`;
    if (key !== painted) { paintLanes(win); painted = key; }
    context.setTransform(1, 0, 0, 1, 0, 0); context.drawImage(base, 0, 0);
    context.setTransform(w.ratio, 0, 0, w.ratio, 0, 0);
    const x = laneX(v, win);
    context.fillStyle = w.css.ink; context.fillRect(x - 0.75, 0, 1.5, w.height - 20);
    context.beginPath(); context.moveTo(x - 5, 0); context.lineTo(x + 5, 0); context.lineTo(x, 6); context.fill();
    if (w.focus && w.focus.type === "object") {
      const row = w.focus.index - w.firstLane;
      if (row >= 0 && row < MOST_LANES) { context.lineWidth = 1.5; context.strokeStyle = w.css.ink; context.strokeRect(1, rowTop(row) - 1, gutter() - 6, 21); }
    }
  }

  function paintLanes(win) {
    if (!base) base = document.createElement("canvas");
    if (base.width !== canvas.width || base.height !== canvas.height) { base.width = canvas.width; base.height = canvas.height; }
    const c = base.getContext("2d"), left = gutter(), right = w.width - 10, shown = trace.objects.slice(w.firstLane, w.firstLane + MOST_LANES);
    c.setTransform(w.ratio, 0, 0, w.ratio, 0, 0); c.fillStyle = w.css.paper; c.fillRect(0, 0, w.width, w.height);
    const rowOf = new Map(shown.map((o, row) => [o.actor, row]));
    shown.forEach((o, row) => {
      c.fillStyle = w.css.band; c.fillRect(left, rowTop(row), right - left, 20);
      c.font = `12px ${FONT}`; c.textAlign = "right"; c.fillStyle = w.css.ink;
      c.fillText(fitted(c, w.name(o.actor), left - 14, true), left - 8, rowTop(row) + 14);
    });
    c.save(); c.beginPath(); c.rect(left, 0, right - left, w.height); c.clip();
    shown.forEach((o, row) => {
      let dense = -Infinity;
      for (let j = Math.max(0, w.stretchAt(o, w.toTime(win[0]))); j < o.start.length; j++) {
        const x = laneX(w.toView(o.start[j]), win);
        if (x > right) break;
        const end = laneX(w.toView(o.end[j]), win), state = data.states[o.state[j]];
        if (end < dense + 0.4 && state !== "running") continue;
        stretch(c, state, Math.max(x, left - 2), rowTop(row), Math.max(1, Math.min(end, right + 2) - Math.max(x, left - 2)), 20, w.css);
        dense = end;
        const begin = Math.max(x, left), wide = Math.min(end, right) - begin;
        if (state === "running" && o.inside[j] && wide > 14) {
          c.font = `11px ${FONT}`; c.textAlign = "center"; c.fillStyle = "#FFFFFF";
          c.fillText(wide > 56 ? `${o.inside[j]} inside` : `${o.inside[j]}`, begin + wide / 2, rowTop(row) + 14);
        }
      }
    });
    for (const [a, b] of w.warp.knots.length > 2 ? w.warp.gaps : []) { // quiet stretches: two cuts through the lanes
      const start = laneX(w.toView(a), win), end = laneX(w.toView(b), win), x = (start + end) / 2;
      if (x < left || x > right || end - start < 24) continue;
      for (const [thick, colour, gap] of [[5, w.css.paper, 0], [1, w.css.faintInk, 3], [1, w.css.faintInk, -3]]) {
        c.beginPath(); c.moveTo(x + gap + 4, 0); c.lineTo(x + gap - 4, w.height - 20); c.lineWidth = thick; c.strokeStyle = colour; c.stroke();
      }
    }
    paintMoments(c, win, rowOf, left, right);
    c.restore();
    paintAxis(c, win, left, right);
    if (trace.objects.length > MOST_LANES) {
      c.font = `11px ${FONT}`; c.textAlign = "left"; c.fillStyle = w.css.ink;
      c.fillText(`${w.firstLane + 1}–${w.firstLane + shown.length} of ${trace.objects.length}`, 4, w.height - 5);
    }
  }

  function paintMoments(c, win, rowOf, left, right) {
    let lastBell = -Infinity;
    trace.alarms.at.forEach((at, i) => {
      const row = rowOf.get(trace.alarms.actor[i]), x = laneX(w.toView(at), win);
      if (row === undefined || x < left || x > right || trace.alarms.what[i] === "cleared") return;
      const rings = trace.alarms.what[i] === "rings";
      if (!rings && x - lastBell < 3) return;
      glyph(c, "bell", COLOURS.pink, !rings, x, rowTop(row) + (rings ? 7 : 14), rings ? 5 : 3.5, w.css);
      lastBell = x;
    });
    trace.faults.at.forEach((at, i) => {
      const row = rowOf.get(trace.faults.actor[i]), x = laneX(w.toView(at), win);
      if (x < left || x > right) return;
      if (row === undefined) { c.fillStyle = w.css.red; c.fillRect(x - 0.75, 0, 1.5, w.height - 20); } else cross(c, x, rowTop(row) + 10, 4.5, w.css);
    });
  }

  function paintAxis(c, win, left, right) {
    c.font = `11px ${FONT}`; c.fillStyle = w.css.ink; c.strokeStyle = w.css.faintInk; c.lineWidth = 1; c.textAlign = "center";
    const many = Math.max(2, Math.floor((right - left) / 120)), y = w.height - 18;
    const taken = [];
    const write = (x, words, colour) => {
      const half = c.measureText(words).width / 2, at = Math.max(left + half - 4, Math.min(right + 8 - half, x));
      if (taken.some(([a, b]) => at - half < b + 8 && at + half > a - 8)) return false;
      taken.push([at - half, at + half]); c.fillStyle = colour; c.fillText(words, at, y + 15);
      return true;
    };
    const line = (a, b) => { c.beginPath(); c.moveTo(Math.max(a, left), y); c.lineTo(Math.min(b, right), y); c.stroke(); };
    const tick = (time, wide) => {
      const x = laneX(w.toView(time), win);
      if (x < left - 1 || x > right + 1 || !write(x, axisText(time, wide), w.css.ink)) return;
      c.beginPath(); c.moveTo(x, y); c.lineTo(x, y + 4); c.stroke();
    };
    const bent = w.warp.knots.length > 2, gaps = bent ? w.warp.gaps.map(([a, b]) => [laneX(w.toView(a), win), laneX(w.toView(b), win), b - a, b]) : [];
    if (!bent) {
      const step = niceStep(win[1] / many), start = w.toTime(win[0]), end = w.toTime(win[0] + win[1]);
      for (let time = Math.ceil(start / step) * step; time <= end; time += step) tick(time, end - start);
    } else { // quiet stretches are cut: their ends are told, and how long they are
      tick(w.from, 0);
      tick(w.to, 0);
      for (const [, , , b] of gaps) tick(b, 0);
      for (const [a, b, us] of gaps) if (b - a > 12 && a < right && b > left) write((a + b) / 2, `… ${short(us)} …`, w.css.faintInk);
      if (w.zoom) for (let k = 1; k < many; k++) {
        const time = w.toTime(win[0] + (k * win[1]) / many);
        if (!w.warp.gaps.some(([a, b]) => time >= a && time <= b)) tick(time, 0);
      }
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
    if (wide < 2e6 && us < 120e6) return us < 1e6 || wide < 2e3 ? `${+(us / 1e3).toFixed(wide < 2e3 ? 3 : 1)} ms` : `${+(us / 1e6).toFixed(3)} s`;
    if (us < 120e6) return `${+(us / 1e6).toFixed(wide < 20e6 ? 2 : 0)} s`;
    const d = Math.floor(us / 86400e6), h = Math.floor(us / 3600e6) % 24, m = Math.floor(us / 60e6) % 60, s = Math.floor(us / 1e6) % 60;
    const two = (n) => String(n).padStart(2, "0");
    return (d ? `${d} d ` : "") + (wide < 2 * 3600e6 ? `${two(h)}:${two(m)}:${two(s)}` : `${two(h)}:${two(m)}`);
  }

  return { draw: drawLanes, window: laneWindow, gutter, stale() { painted = ""; } };
}
