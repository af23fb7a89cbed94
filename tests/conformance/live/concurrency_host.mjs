// Plays concurrency cases (../concurrency/LANGUAGE.md), each in a runtime process of its own.
import fs from "node:fs";
import { Miniflare, NoOpLog } from "miniflare";

const INTERPRETER = fs.readFileSync(new URL("./concurrency_objects.js", import.meta.url), "utf8");
const DEFAULT_DATE = "2026-04-01";

// Every class a case names: "A" as a namespace, "A:x" as an object.
function classes(recorded) {
  const names = new Set(Object.keys(recorded.objects ?? {}));
  const scan = (value) => {
    if (typeof value === "string") {
      const match = /^([A-Z])(:|$)/.exec(value);
      if (match) names.add(match[1]);
    } else if (value && typeof value === "object") Object.values(value).forEach(scan);
  };
  scan(recorded.steps);
  scan(recorded.objects ?? {});
  return [...names];
}

function mainModule(recorded, names) {
  const { expect, versions, ...story } = recorded;
  return `import * as I from "./interp.js";
I.W.CASE = ${JSON.stringify(story)};
export default I.default; export const Ext = I.Ext; export const Steps = I.Steps;
${names.map((name) => `export const ${name} = I.mkClass("${name}", I.W.CASE.objects?.["${name}"]);`).join("\n")}`;
}

export class ConcurrencyHost {
  async play(recorded, n, date) {
    const names = classes(recorded);
    const durableObjects = {};
    for (const name of names) {
      const options = recorded.objects?.[name]?.options ?? {};
      durableObjects[name] = { className: name, useSQLite: options.sqlite !== false };
      if (options.preventEviction) durableObjects[name].unsafePreventEviction = true;
    }
    const miniflare = new Miniflare({
      log: new NoOpLog(),
      handleRuntimeStdio: (out, err) => { out.on("data", () => {}); err.on("data", () => {}); },
      workers: [{
        name: "main",
        modules: [
          { type: "ESModule", path: "main.js", contents: mainModule(recorded, names) },
          { type: "ESModule", path: "interp.js", contents: INTERPRETER },
        ],
        compatibilityDate: date ?? recorded.compat?.date ?? DEFAULT_DATE,
        compatibilityFlags: recorded.compat?.flags ?? [],
        durableObjects,
        serviceBindings: { EXT: { name: "main", entrypoint: "Ext" }, SELF: { name: "main", entrypoint: "Steps" } },
      }],
    });
    try {
      const response = await miniflare.dispatchFetch("http://case/");
      return JSON.parse(await response.text());
    } finally { await miniflare.dispose(); }
  }
}
