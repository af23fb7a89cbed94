// The agents of a case: a class per entry of `agents`, its hooks and methods interpreted from the case's operations.
// README.md of the folder above says what each operation means; probe.py is the same in Python.
import { Agent, callable, getAgentByName, getCurrentAgent, routeAgentRequest } from "agents";

const HOOKS = {
  on_start: ["onStart", []],
  on_request: ["onRequest", ["request"]],
  on_connect: ["onConnect", ["connection", "ctx"]],
  on_message: ["onMessage", ["connection", "message"]],
  on_close: ["onClose", ["connection", "code", "reason", "was_clean"]],
  on_error: ["onError", ["connection", "error"]],
  on_state_changed: ["onStateChanged", ["state", "source"]],
  validate_state_change: ["validateStateChange", ["state", "source"]],
  get_connection_tags: ["getConnectionTags", ["connection", "ctx"]],
  should_connection_be_readonly: ["shouldConnectionBeReadonly", ["connection", "ctx"]],
  should_send_protocol_messages: ["shouldSendProtocolMessages", ["connection", "ctx"]],
};
// onError too: what it returns is thrown (`throw this.onError(error)`), so a promise of an async one would be.
const SYNCHRONOUS = ["on_error", "validate_state_change", "should_connection_be_readonly", "should_send_protocol_messages"];
const OPTIONS = { send_identity_on_connect: "sendIdentityOnConnect", hung_schedule_timeout: "hungScheduleTimeoutSeconds" };
const DONE = Symbol("a return"); // [DONE, value]: what an operation answers that ends its program
const isDone = (value) => Array.isArray(value) && value[0] === DONE;

// ---- from JavaScript to the values of a case
const id = (text) => ({ $id: text });
const path = (url) => (url == null ? null : new URL(url).pathname + new URL(url).search);
const message = (error) => (error instanceof Error ? error.message : String(error));

function plain(value) {
  if (value === undefined || value === null) return null;
  if (value instanceof Error) return { error: value.message };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return { bytes: [...new Uint8Array(value)] };
  if (value instanceof Request) return { method: value.method, path: path(value.url) };
  if (typeof value === "object" && typeof value.send === "function" && "uri" in value)
    return { id: value.id, uri: path(value.uri), tags: [...value.tags], state: plain(value.state) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value.callback === "string" && typeof value.id === "string") return "type" in value ? schedule(value) : item(value);
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

// Ids as the SDK takes them.
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (!value || typeof value !== "object") return value;
  return "$id" in value ? value.$id : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, bare(one)]));
}

function utc({ $time }) {
  const [weekday, day, month, , time] = new Date($time * 1000).toUTCString().replace(",", "").split(" ");
  return { weekday, day: Number(day), month, time };
}

function schedule(row) {
  if (!row) return null;
  const shown = { id: id(row.id), callback: row.callback, payload: plain(row.payload), type: row.type, time: { $time: row.time } };
  if (row.type === "delayed") shown.delay_s = row.delayInSeconds;
  if (row.type === "interval") shown.interval_s = row.intervalSeconds;
  if (row.type === "cron") shown.cron = row.cron;
  return shown;
}

const item = (row) => (row ? { id: id(row.id), callback: row.callback, payload: plain(row.payload) } : null);

function retryOptions(given) {
  const { max_attempts, base_delay_s, max_delay_s } = given;
  return { maxAttempts: max_attempts, baseDelayMs: base_delay_s * 1000, maxDelayMs: max_delay_s * 1000 };
}

function options(given) {
  const made = {};
  if (given?.retry) made.retry = retryOptions(given.retry);
  if (given && "idempotent" in given) made.idempotent = given.idempotent;
  if (given?.id) made.id = given.id;
  return made;
}

const when = (given) =>
  given?.date_in_s !== undefined ? new Date(Date.now() + given.date_in_s * 1000) : given?.date ? new Date(given.date) : given;

function criteria(given) {
  const made = { ...given };
  delete made.start;
  delete made.end;
  if (given?.start || given?.end)
    made.timeRange = { ...(given.start && { start: new Date(given.start) }), ...(given.end && { end: new Date(given.end) }) };
  return made;
}

// ---- operations: (agent, variables, ...evaluated arguments); those of LAZY get theirs as written
const OPERATIONS = {
  log: (agent, _, entry) => agent.probe_note(entry),
  mark: (agent, _, name) => void (agent.probe_marks[name] = Date.now()),
  elapsed: (agent, _, name, ms) => Date.now() - agent.probe_marks[name] >= ms,
  count: (agent, _, name) => (agent.probe_counts[name] = (agent.probe_counts[name] ?? 0) + 1),
  throw: (_agent, _, text) => { throw new Error(text); },
  sleep: (_agent, _, seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  return: (_agent, _, value) => [DONE, value ?? null],
  respond: (_agent, _, status, text) => [DONE, new Response(text, { status })],
  body: (_agent, { request }) => request.text(),
  set_state: (agent, _, state) => agent.setState(state),
  send: (_agent, { connection }, text) => connection.send(typeof text === "string" ? text : JSON.stringify(text)),
  send_bytes: (_agent, { connection }, numbers) => connection.send(new Uint8Array(numbers)),
  close: (_agent, { connection }, code, reason) => connection.close(code, reason),
  connection_state: (_agent, { connection }, state) => void connection.setState(state),
  broadcast: (agent, _, text, exclude) => agent.broadcast(typeof text === "string" ? text : JSON.stringify(text), exclude ?? []),
  connections: (agent, _, tag) => [...agent.getConnections(tag ?? undefined)].map((one) => one.id).sort(),
  connection: (agent, _, id) => plain(agent.getConnection(id)),
  schedule: async (agent, _, at, callback, payload, given) =>
    schedule(await agent.schedule(when(at), callback, payload ?? undefined, options(given))),
  schedule_every: async (agent, _, seconds, callback, payload, given) =>
    schedule(await agent.scheduleEvery(seconds, callback, payload ?? undefined, options(given))),
  cancel_schedule: (agent, _, id) => agent.cancelSchedule(id),
  get_schedule_by_id: async (agent, _, id) => schedule(await agent.getScheduleById(id)),
  list_schedules: async (agent, _, given) => (await agent.listSchedules(criteria(given))).map(schedule),
  queue: async (agent, _, callback, payload, given) => id(await agent.queue(callback, payload, options(given))),
  dequeue: (agent, _, id) => agent.dequeue(id),
  dequeue_all: (agent) => agent.dequeueAll(),
  dequeue_all_by_callback: (agent, _, callback) => agent.dequeueAllByCallback(callback),
  get_queue: async (agent, _, id) => item(await agent.getQueue(id)),
  utc: (_agent, _, time) => utc(time),
  destroy: (agent) => agent.destroy(),
  sql: (agent, _, query, ...params) => agent.sql(query.split("?"), ...params),
  stream_send: (_agent, { stream }, chunk) => stream.send(chunk),
  stream_end: (_agent, { stream }, last) => stream.end(last ?? undefined),
  stream_error: (_agent, { stream }, text) => stream.error(text),
  current_agent: () => {
    const { agent, connection, request } = getCurrentAgent();
    return { agent: agent?.name ?? null, connection: connection?.id ?? null, request: path(request?.url) };
  },
};

const LAZY = {
  let: async (agent, variables, name, operation) => {
    agent.probe_variables[name] = await agent.probe_do(operation, variables);
  },
  if_equal: (agent, variables, left, right, then, otherwise) => {
    const same = JSON.stringify(agent.probe_value(left, variables)) === JSON.stringify(agent.probe_value(right, variables));
    const chosen = same ? then : (otherwise ?? []);
    return variables.synchronous ? agent.probe_now(chosen, variables) : agent.probe_all(chosen, variables);
  },
  fail_first: (agent, variables, times, text) => {
    const name = `failures of ${variables.method}`;
    if (OPERATIONS.count(agent, variables, name) <= times) throw new Error(text);
  },
  try: async (agent, variables, operations) => {
    try {
      return { value: (await agent.probe_all(operations, variables)) ?? null };
    } catch (error) {
      return { error: message(error) };
    }
  },
  retry: async (agent, variables, operations, given) =>
    agent.retry((attempt) => agent.probe_all(operations, { ...variables, attempt }), given ? retryOptions(given) : undefined),
};

// ---- classes
export function makeAgent(className, program) {
  const made = {
    [className]: class extends Agent {
      static options = Object.fromEntries(Object.entries(program.options ?? {}).map(([key, value]) => [OPTIONS[key], value]));
      constructor(ctx, env) {
        super(ctx, env);
        if ("initial_state" in program) this.initialState = structuredClone(program.initial_state);
      }

      probe_marks = {};
      probe_counts = {};
      probe_variables = {};

      probe_note(entry) {
        const sql = this.ctx.storage.sql;
        sql.exec("CREATE TABLE IF NOT EXISTS probe_log (n INTEGER PRIMARY KEY, entry TEXT)");
        sql.exec("INSERT INTO probe_log (entry) VALUES (?)", JSON.stringify(entry));
      }

      probe_value(written, variables) {
        if (typeof written === "string" && written.startsWith("$")) {
          const [first, ...rest] = written.slice(1).split(".");
          let value = first in variables ? variables[first] : first === "state" ? this.state : this.probe_variables[first];
          value = plain(value);
          for (const name of rest) value = value?.[name];
          return plain(value);
        }
        if (Array.isArray(written)) return written.map((one) => this.probe_value(one, variables));
        if (written && typeof written === "object")
          return Object.fromEntries(Object.entries(written).map(([key, one]) => [key, this.probe_value(one, variables)]));
        return written;
      }

      probe_do([name, ...args], variables) {
        if (name in LAZY) return LAZY[name](this, variables, ...args);
        let values = args.map((one) => this.probe_value(one, variables));
        if (name !== "log" && name !== "return") values = values.map(bare);
        return OPERATIONS[name](this, variables, ...values);
      }

      async probe_all(operations, variables) {
        let value = null;
        for (const operation of operations) {
          value = await this.probe_do(operation, variables);
          if (isDone(value)) return value;
        }
        return value;
      }

      probe_now(operations, variables) {
        for (const operation of operations) {
          const value = this.probe_do(operation, variables);
          if (isDone(value)) return value;
        }
        return null;
      }

      async probe_run(text) {
        try {
          const value = await this.probe_all(JSON.parse(text), {});
          return JSON.stringify({ value: plain(isDone(value) ? value[1] : value) });
        } catch (error) {
          return JSON.stringify({ error: message(error) });
        }
      }

      probe_log() {
        this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS probe_log (n INTEGER PRIMARY KEY, entry TEXT)");
        const rows = this.ctx.storage.sql.exec("SELECT entry FROM probe_log ORDER BY n").toArray();
        return JSON.stringify(rows.map((row) => JSON.parse(row.entry)));
      }
    },
  }[className];
  for (const [name, operations] of Object.entries(program.hooks ?? {})) addHook(made, name, operations);
  for (const [name, method] of Object.entries(program.methods ?? {})) addMethod(made, name, method);
  return made;
}

function addHook(made, name, operations) {
  const [spelled, parameters] = HOOKS[name];
  const synchronous = SYNCHRONOUS.includes(name);
  made.prototype[spelled] = function (...args) {
    if (name === "on_error" && args.length === 1) args = [null, args[0]];
    const variables = { synchronous, ...Object.fromEntries(parameters.map((one, at) => [one, args[at]])) };
    if (variables.ctx) variables.request = variables.ctx.request;
    if ("source" in variables && variables.source !== "server") variables.source = variables.source.id;
    if (!synchronous) return this.probe_all(operations, variables).then((value) => (isDone(value) ? value[1] : undefined));
    const value = this.probe_now(operations, variables);
    return isDone(value) ? value[1] : undefined;
  };
}

function addMethod(made, name, { parameters = ["payload"], callable: called, do: operations }) {
  const names = called?.streaming ? ["stream", ...parameters] : parameters;
  const method = async function (...args) {
    const variables = { method: name, ...Object.fromEntries(names.map((one, at) => [one, args[at]])) };
    const value = await this.probe_all(operations, variables);
    return isDone(value) ? value[1] : undefined;
  };
  Object.defineProperty(method, "name", { value: name });
  made.prototype[name] = called ? callable(called)(method, {}) : method;
}

// ---- the Worker
export function makeWorker(bindings) {
  return {
    async fetch(request, env) {
      const [, first, what, className, name] = new URL(request.url).pathname.split("/");
      if (first === "probe") {
        const stub = await getAgentByName(env[bindings[className]], name);
        return new Response(what === "run" ? await stub.probe_run(await request.text()) : await stub.probe_log());
      }
      return (await routeAgentRequest(request, env)) ?? new Response("no agent's path", { status: 404 });
    },
  };
}
