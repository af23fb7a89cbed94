// Runs cases on npm `agents` in workerd and writes what happened into them (`expected`); --check compares instead.
//   node record.mjs [--check] [case.json ...]      (all of ../cases without names)
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { prettied } from "./pretty.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CASES = join(HERE, "..", "cases");
const QUIET_MS = 300; // a step is over when no frame came for so long
const COMPATIBILITY_DATE = "2026-11-17";
const version = (name) => JSON.parse(readFileSync(join(HERE, "node_modules", name, "package.json"), "utf8")).version;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const binding = (className) => className.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase();

// A dependency of mimetext requires "path"; workerd offers it as node:path, to an import only.
const nodePath = {
  name: "path as node:path",
  setup(build) {
    build.onResolve({ filter: /^path$/ }, () => ({ path: "path", namespace: "node-path" }));
    build.onLoad({ filter: /.*/, namespace: "node-path" }, () => ({ contents: 'export * from "node:path"; export { default } from "node:path";' }));
  },
};

async function bundled(agents) {
  const bindings = Object.fromEntries(Object.keys(agents).map((name) => [name, binding(name)]));
  const lines = Object.entries(agents).map(([name, program]) => `export const ${name} = makeAgent("${name}", ${JSON.stringify(program)});`);
  const made = await build({
    stdin: {
      contents: `import { makeAgent, makeWorker } from "./agent.js";\n${lines.join("\n")}\nexport default makeWorker(${JSON.stringify(bindings)});`,
      resolveDir: HERE,
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    keepNames: true,
    logLevel: "error",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    plugins: [nodePath],
  });
  return { script: made.outputFiles[0].text, bindings };
}

// What a case may show of a value: ids by first appearance, near times not at all.
function masker() {
  const seen = new Map();
  return function masked(value) {
    if (Array.isArray(value)) return value.map(masked);
    if (!value || typeof value !== "object") return value;
    if ("$id" in value) {
      if (!seen.has(value.$id)) seen.set(value.$id, `<id ${seen.size + 1}>`);
      return seen.get(value.$id);
    }
    if ("$time" in value) return value.$time > 3e9 ? new Date(value.$time * 1000).toISOString() : "<time>";
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, masked(one)]));
  };
}

// The page of a Worker that failed is miniflare's.
const answered = (status, body) => (status >= 500 ? { status } : { status, body });

function read(data, isBinary) {
  if (isBinary) return { bytes: [...data] };
  const text = data.toString();
  try {
    const frame = JSON.parse(text);
    if (typeof frame?.error === "string") frame.error = frame.error.split("\n")[0]; // a stack's lines are the recorder's
    return frame;
  } catch {
    return { text };
  }
}

class Player {
  constructor(base, masked) {
    Object.assign(this, { base, masked, sockets: {}, frames: {}, closed: {}, logged: {}, last: Date.now() });
  }

  async play(step) {
    this.frames = {};
    this.closed = {};
    this.last = Date.now();
    const answer = await this.answered(step);
    while (Date.now() - this.last < QUIET_MS) await sleep(20);
    const shown = {};
    if (answer !== undefined) shown.answer = this.masked(answer);
    if (Object.keys(this.frames).length) shown.frames = sorted(this.frames);
    if (Object.keys(this.closed).length) shown.closed = sorted(this.closed);
    return shown;
  }

  answered(step) {
    if (step.connect) return this.connect(step);
    if ((step.send || step.close) && !this.sockets[step.send ?? step.close]) return "was never open";
    if (step.send) return void this.sockets[step.send].send("json" in step ? JSON.stringify(step.json) : "bytes" in step ? Buffer.from(step.bytes) : step.text);
    if (step.close) return void this.sockets[step.close].close(step.code, step.reason);
    if (step.fetch) return this.fetch(step);
    if (step.run) return this.run(step.run, step.do);
    if (step.log) return this.log(step.log, true);
    if (step.wait) return sleep(step.wait * 1000);
    if (step.until) return this.until(step);
    throw new Error(`unknown step ${JSON.stringify(step)}`);
  }

  connect({ connect: name, path }) {
    return new Promise((done) => {
      const socket = new WebSocket(this.base.replace("http", "ws") + path);
      socket.on("message", (data, isBinary) => {
        this.last = Date.now();
        (this.frames[name] ??= []).push(read(data, isBinary));
      });
      socket.on("close", (code, reason) => {
        this.last = Date.now();
        if (this.sockets[name]) this.closed[name] = { code, reason: reason.toString() };
      });
      socket.on("error", () => {});
      socket.on("unexpected-response", (_, response) => {
        let body = "";
        response.on("data", (some) => (body += some));
        response.on("end", () => done(answered(response.statusCode, body)));
      });
      socket.on("open", () => {
        this.sockets[name] = socket;
        done({ status: 101 });
      });
    });
  }

  async fetch({ fetch: path, method, body }) {
    const response = await fetch(this.base + path, { method, body });
    return answered(response.status, await response.text());
  }

  async run(where, operations) {
    const response = await fetch(`${this.base}/probe/run/${where}`, { method: "POST", body: JSON.stringify(operations) });
    return response.status >= 500 ? { status: response.status } : response.json();
  }

  // The entries since the last look.
  async log(where, look) {
    const entries = await (await fetch(`${this.base}/probe/log/${where}`)).json();
    const fresh = entries.slice(this.logged[where] ?? 0);
    if (look) this.logged[where] = entries.length;
    return fresh;
  }

  async until({ until: where, entries, at_most }) {
    const end = Date.now() + at_most * 1000;
    while ((await this.log(where, false)).length < entries && Date.now() < end) await sleep(200);
    return this.log(where, true);
  }
}

const sorted = (value) => Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

async function run(given) {
  const { script, bindings } = await bundled(given.agents);
  const objects = Object.entries(bindings).map(([className, name]) => [name, { className, useSQLite: true }]);
  const lines = [];
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.mjs", contents: script }],
    compatibilityDate: COMPATIBILITY_DATE,
    durableObjects: Object.fromEntries(objects),
    handleRuntimeStdio: (out, error) => [out, error].forEach((stream) => stream.on("data", (some) => lines.push(some.toString()))),
  });
  try {
    const player = new Player((await miniflare.ready).href.replace(/\/$/, ""), masker());
    const expected = [];
    for (const step of given.steps) expected.push(await player.play(step));
    for (const socket of Object.values(player.sockets)) socket.terminate();
    return expected;
  } finally {
    if (process.env.SHOW_OUTPUT) process.stderr.write(lines.join(""));
    await miniflare.dispose();
  }
}

const check = process.argv.includes("--check");
const names = process.argv.slice(2).filter((one) => one !== "--check");
const files = names.length ? names.map((one) => resolve(one)) : readdirSync(CASES).sort().map((one) => join(CASES, one));
let different = 0;
for (const file of files) {
  const given = JSON.parse(readFileSync(file, "utf8"));
  const expected = await run(given);
  const same = JSON.stringify(expected) === JSON.stringify(given.expected);
  console.log(`${same ? "same" : check ? "DIFFERENT" : "recorded"}  ${given.id}`);
  if (check && !same) {
    different += 1;
    expected.forEach((one, at) => {
      if (JSON.stringify(one) !== JSON.stringify(given.expected?.[at])) console.log(`  step ${at}\n    in the file: ${JSON.stringify(given.expected?.[at])}\n    now:         ${JSON.stringify(one)}`);
    });
  }
  if (!check) {
    const recorded = { agents: version("agents"), workerd: version("workerd"), miniflare: version("miniflare"), date: new Date().toISOString().slice(0, 10) };
    delete given.recorded;
    delete given.expected;
    writeFileSync(file, prettied({ ...given, recorded, expected }) + "\n");
  }
}
process.exit(different ? 1 : 0);
