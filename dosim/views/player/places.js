// Where everything stands: the part of the world that is shown, and the slots of actors on a map or in columns.
import { FONT, fitted, outline } from "./shapes.js";

// The part of the world that is shown: degrees at the left edge, pixels a degree, latitude in the middle.
export function viewOf(places, w, h, whole) {
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

// The edge below a map, where whoever is at no place stands, as the outside from which `sim.env` calls: pixels, 0 for nobody.
const EDGE_PX = 30, OFF_PX = 104;
export const edgeOf = (data) => (data.ends.some(([, , place]) => place < 0) ? EDGE_PX : 0);

// Slots for the ends on a map: {at: [{x, y, r}] by end, labels, anchors, edge: where the map ends}.
export function onMap(data, view, w, h, measure) {
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
  if (boxes.length <= 70) spreadOut(boxes, w, h - edgeOf(data));
  const labels = [];
  for (const b of boxes) {
    for (const s of b.slots) at[s.end] = { x: b.x + s.x, y: b.y + s.y, r: s.r, hidden: s.hidden };
    labels.push({ text: b.label, x: b.x, y: b.y + b.low + 11, align: "center" });
    if (b.alone) labels.push({ text: b.alone, x: b.x, y: b.y + b.low + 23, align: "center" });
    for (const s of b.slots) if (s.more) labels.push({ text: `+${s.more}`, x: b.x + s.x + 11, y: b.y + s.y + 4, align: "left" });
  }
  if (homeless.length) labels.push({ text: "not on the map", x: 8, y: h - EDGE_PX / 2 + 4, align: "left", soft: true });
  homeless.forEach((end, i) => {
    const many = Math.max(1, Math.min(homeless.length, Math.floor((w - OFF_PX) / 150)));
    const x = OFF_PX + 12 + 150 * Math.min(i, many - 1), y = h - EDGE_PX / 2;
    at[end] = { x, y, r: 7, hidden: i >= many };
    const more = i === many - 1 && homeless.length > many ? ` and ${homeless.length - many} more` : "";
    if (i < many) labels.push({ text: data.ends[end][0] + more, x: x + 12, y: y + 4, align: "left", most: 150 - 30 });
  });
  return { at, labels, edge: homeless.length ? h - EDGE_PX : h, anchors: boxes.map((b) => [b.anchor, [b.x, b.y]]) };
}

// Slots in columns: clients, Workers, objects, services.
export function inColumns(data, w, h) {
  const at = new Array(data.ends.length).fill(null), labels = [];
  const groups = data.roles.map((role, r) => [role, [...data.ends.keys()].filter((i) => data.ends[i][1] === r)]).filter(([, g]) => g.length);
  const widest = Math.max(1, groups.length);
  groups.forEach(([role, group], c) => {
    const x = widest === 1 ? w / 2 : Math.min(130, w * 0.25) + (c * (w - Math.min(130, w * 0.25) - Math.min(220, w * 0.3))) / (widest - 1);
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
      if (i < most) labels.push({ text, x: c === 0 && widest > 1 ? x - 13 : x + 14, y: y + 4, align: c === 0 && widest > 1 ? "right" : "left", most: c === 0 ? Math.min(112, w * 0.25 - 18) : c === widest - 1 ? Math.min(200, w * 0.3 - 18) : 165 });
    });
  });
  return { at, labels, edge: h, anchors: [] };
}

export function drawWorld(c, map, view, css) { // the land and the backbone
  for (const shift of [-360, 0, 360]) {
    c.beginPath();
    for (const ring of map.land) {
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
  for (const [lon, lat, lonB, latB] of map.routes) {
    const x = view.x(lon / 10), y = view.y(lat / 10), yB = view.y(latB / 10);
    const across = ((lonB - lon) / 10 + 540) % 360 - 180;
    for (const shift of [0, -view.period, view.period]) { c.moveTo(x + shift, y); c.lineTo(x + shift + across * view.k, yB); }
  }
  c.stroke();
}

export function drawPlaces(c, data, scene, isObject, css) { // the edge, names, clients, Workers, services
  c.lineWidth = 1;
  if (edgeOf(data) && scene.anchors.length) {
    c.fillStyle = css.band; c.fillRect(0, scene.edge, c.canvas.width, EDGE_PX);
    c.strokeStyle = css.faintInk; c.setLineDash([5, 4]); c.beginPath(); c.moveTo(0, scene.edge + 0.5); c.lineTo(c.canvas.width, scene.edge + 0.5); c.stroke(); c.setLineDash([]);
  }
  for (const [[x, y], [bx, by]] of scene.anchors) {
    if (Math.hypot(bx - x, by - y) < 5) continue;
    c.strokeStyle = css.faintInk; c.beginPath(); c.moveTo(x, y); c.lineTo(bx, by); c.stroke();
    c.fillStyle = css.ink; c.beginPath(); c.arc(x, y, 2, 0, 7); c.fill();
  }
  for (const label of scene.labels) {
    c.font = `${label.strong ? "600 12px" : "11px"} ${FONT}`; c.textAlign = label.align;
    const text = label.most ? fitted(c, label.text, label.most) : label.text;
    c.lineWidth = 3; c.lineJoin = "round"; c.strokeStyle = css.paper; c.strokeText(text, label.x, label.y);
    c.fillStyle = label.soft ? css.faintInk : css.ink; c.fillText(text, label.x, label.y);
  }
  data.ends.forEach(([, role], end) => {
    const p = scene.at[end];
    if (!p || p.hidden || isObject(end)) return;
    const kind = data.roles[role];
    outline(c, kind === "client" ? "dot" : kind === "worker" ? "worker" : "diamond", p.x, p.y, kind === "worker" ? p.r + 1 : p.r - 1);
    c.fillStyle = kind === "client" ? css.ink : css.paper; c.fill(); c.lineWidth = 1.6; c.strokeStyle = css.ink; c.stroke();
  });
}
