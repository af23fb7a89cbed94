// Runs programs of a page one after another: posts {kind: "ready" | "print" | "done" | "failed" | "broken", text, ms}.
import { loadPyodide } from "./vendor/pyodide/pyodide.mjs";

const HELPER = `
import traceback
from pyodide.code import eval_code_async

async def _run(source):
    names = {"__name__": "__main__"}
    try:
        value = await eval_code_async(source, names, filename="program.py")
    except BaseException as error:
        whole = traceback.TracebackException.from_exception(error)
        first = next((n for n, frame in enumerate(whole.stack) if frame.filename == "program.py"), 0)
        whole.stack[:] = whole.stack[first:]
        return False, "".join(whole.format())
    return True, "" if value is None else repr(value) + "\\n"
`;

async function load() {
  const python = await loadPyodide({ indexURL: new URL("./vendor/pyodide/", import.meta.url).href });
  const wheel = await fetch(new URL("./vendor/dosim.whl", import.meta.url));
  if (!wheel.ok) throw new Error(`dosim.whl: ${wheel.status}`);
  python.unpackArchive(await wheel.arrayBuffer(), "wheel");
  python.setStdout({ batched: (text) => postMessage({ kind: "print", text: text + "\n" }) });
  python.setStderr({ batched: (text) => postMessage({ kind: "print", text: text + "\n" }) });
  python.runPython(HELPER);
  return python;
}

const loaded = load();

onmessage = async ({ data }) => {
  let python;
  try {
    python = await loaded;
  } catch (error) {
    postMessage({ kind: "broken", text: `Python could not be loaded: ${error}` });
    return;
  }
  postMessage({ kind: "ready" });
  const since = performance.now();
  const result = await python.globals.get("_run")(data);
  const [fine, text] = result.toJs();
  postMessage({ kind: fine ? "done" : "failed", text, ms: performance.now() - since });
};
