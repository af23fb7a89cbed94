// Plays cases on the real runtime. One JSON object a line comes in, {n, format, case, date?}; one a line goes out,
// {n, answer} or {n, error}, in the order the cases end. `format` is "storage" or "concurrency"; `answer` is what the
// format calls `expect`. At most JOBS cases are under way at once (first argument, default 1).
import { once } from "node:events";
import { createInterface } from "node:readline";
import { ConcurrencyHost } from "./concurrency_host.mjs";
import { StorageHosts } from "./storage_host.mjs";

const JOBS = Number(process.argv[2] ?? 1);
const storage = new StorageHosts();
const concurrency = new ConcurrencyHost();
let running = 0;
const waiting = [];

async function play({ n, format, case: recorded, date }) {
  try {
    const host = format === "storage" ? storage : concurrency;
    return { n, answer: await host.play(recorded, n, date) };
  } catch (error) {
    return { n, error: String(error?.stack ?? error).slice(0, 2000) };
  }
}

async function worker() {
  running++;
  while (waiting.length) process.stdout.write(JSON.stringify(await play(waiting.shift())) + "\n");
  running--;
}

const working = new Set();
function start() {
  if (running >= JOBS || !waiting.length) return;
  const work = worker().finally(() => working.delete(work));
  working.add(work);
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  waiting.push(JSON.parse(line));
  start();
});
await once(lines, "close");
await Promise.all(working);
await storage.down();
process.exit(0);
