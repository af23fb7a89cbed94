// Messages, objects and events in words. They are text, never markup: labels come from the trace.
import { STATE_LOOKS } from "./shapes.js";
import { upper } from "./trace.js";
import { clock, duration } from "./words.js";

/** Returns {text(number), placeOf(end), message(i), object(index, t), event(one of the events)}. */
export function sentencesOf(data, trace) {
  const { messages: M, objects } = trace, [, to] = data.span;
  const name = (end) => (data.ends[end] ? data.ends[end][0] : "");
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

  function objectText(index, t) {
    const o = objects[index], j = upper(o.start, t) - 1, where = placeOf(o.actor) ? ` in ${placeOf(o.actor)}` : "";
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

  return { text, placeOf, message: messageText, object: objectText, event: eventText };
}
