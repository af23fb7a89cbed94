// Plays storage cases (../storage/FORMAT.md): the steps outside the object, one call to the Worker each.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";

const SCRIPT = fs.readFileSync(new URL("./storage_objects.js", import.meta.url), "utf8");
const DEFAULT_DATE = "2026-04-01";
const HARNESS_OPS = new Set(["event", "parallel", "sleep", "alarm.wait", "log", "restart"]);
const UNDEFINED = { value: { $undefined: true } };
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// One runtime process with its own disk.
class Host {
  constructor(date, flags) {
    this.date = date;
    this.flags = flags;
    this.disk = fs.mkdtempSync(path.join(os.tmpdir(), "dosim-live-"));
  }
  async up() {
    this.miniflare = new Miniflare({
      modules: true, script: SCRIPT, compatibilityDate: this.date, compatibilityFlags: this.flags,
      durableObjects: {
        SQL: { className: "Sql", useSQLite: true },
        SQLNOALARM: { className: "SqlNoAlarm", useSQLite: true },
        LEGACY: { className: "Legacy" },
      },
      durableObjectsPersist: this.disk,
      log: new Log(LogLevel.NONE),
      handleRuntimeStdio: (out, err) => { out.on("data", () => {}); err.on("data", () => {}); },
    });
    await this.miniflare.ready;
    return this;
  }
  async restart() { await this.miniflare.dispose(); await this.up(); }
  async ask(message) {
    const response = await this.miniflare.dispatchFetch("http://case/", { method: "POST", body: JSON.stringify(message) });
    return JSON.parse(await response.text());
  }
  async down() { await this.miniflare?.dispose(); fs.rmSync(this.disk, { recursive: true, force: true }); }
}

// Cases of one date and the same flags share a runtime, each with a fresh object; a case that restarts has its own.
export class StorageHosts {
  constructor() { this.hosts = new Map(); }
  async play(recorded, n, date) {
    const config = recorded.object_config;
    const day = date ?? config.compat_date ?? DEFAULT_DATE, flags = config.compat_flags ?? [];
    if (recorded.steps.some((step) => step.op === "restart")) {
      const host = await new Host(day, flags).up();
      try { return await new Story(recorded, n, host).play(); } finally { await host.down(); }
    }
    const key = `${day}|${flags}`;
    if (!this.hosts.has(key)) this.hosts.set(key, new Host(day, flags).up());
    return await new Story(recorded, n, await this.hosts.get(key)).play();
  }
  async down() { for (const host of this.hosts.values()) await (await host).down(); }
}

// One case under way.
class Story {
  constructor(recorded, n, host) {
    this.recorded = recorded;
    this.host = host;
    const config = recorded.object_config;
    const ns = config.storage === "kv" ? "LEGACY" : config.alarm_handler === false ? "SQLNOALARM" : "SQL";
    this.base = { ns, id: `${recorded.id}#${n}` };
    this.alarms = 0;
  }
  ask(message) { return this.host.ask({ ...this.base, ...message }); }
  async begin(T0) { this.T0 = (await this.ask({ action: "init", config: this.recorded.object_config, T0 })).T0; }
  async play() {
    await this.begin();
    const steps = this.recorded.steps, answers = [];
    while (answers.length < steps.length) {
      const at = answers.length;
      if (HARNESS_OPS.has(steps[at].op)) { answers.push(await this.harness(steps[at])); continue; }
      let end = at;
      while (end < steps.length && !HARNESS_OPS.has(steps[end].op)) end++;
      const { body, error } = await this.ask({ action: "event", body: steps.slice(at, end) });
      for (let k = 0; k < end - at; k++) answers.push(body[k] ?? { "never ran": error });
    }
    return answers;
  }
  async harness(step) {
    switch (step.op) {
      case "event": return await this.ask({ action: "event", body: step.body, end: step.end, label: step.label });
      case "parallel": return { value: await this.ask({ action: "parallel", events: step.events }) };
      case "sleep": await wait(step.args[0]); return UNDEFINED;
      case "restart": await this.host.restart(); await this.begin(this.T0); this.alarms = 0; return UNDEFINED;
      case "alarm.wait": return await this.alarmWait(step);
      case "log": return { value: (await this.ask({ action: "peek" })).log.map(lived) };
    }
  }
  async alarmWait(step) {
    const deadline = Date.now() + (step.timeout_ms ?? 10000);
    let seen = await this.ask({ action: "peek" });
    while (over(seen) < this.alarms + step.count && Date.now() <= deadline) {
      await wait(100);
      seen = await this.ask({ action: "peek" });
    }
    if (step.settle_ms) { await wait(step.settle_ms); seen = await this.ask({ action: "peek" }); }
    const runs = seen.alarmRuns.slice(this.alarms).map((run, k) => this.alarmRun(step, run, seen.alarmRuns[k + this.alarms - 1]));
    this.alarms = seen.alarmRuns.length;
    return { value: { runs } };
  }
  alarmRun(step, run, previous) {
    const out = { info: run.info, body: run.results, end: run.threw ? "threw" : run.done ? "returned" : "never ended" };
    if (this.recorded.object_config.record_scheduled_time) out.info = { ...out.info, scheduledTime: run.scheduled };
    if (step.times === "since_previous" && previous) {
      out.since_previous_end = { measured_ms: run.t - (previous.tEnd ?? previous.t), retry: run.info.isRetry };
    } else if (step.times) out.since_start = { measured_ms: run.t - this.T0, retry: false };
    return out;
  }
}

// A run is over when it ended, or when a later one started (an aborted run never ends).
const over = (seen) => seen.alarmRuns.filter((run, k) => run.done || k < seen.alarmRuns.length - 1).length;
const lived = (entry) => (entry.body ? { [entry.what]: entry.body } : entry.label ? `${entry.what} ${entry.label}` : entry.what);
