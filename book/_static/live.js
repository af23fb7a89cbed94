// A program of a page, run in the page: cells tagged `live` get a button. Python (Pyodide) and dosim come from this site
// and load in a worker of their own when the first program is run, so that a program without end can be stopped.
(function () {
  const here = document.currentScript.src.split("?")[0];
  const base = here.slice(0, here.lastIndexOf("/") + 1);
  const loading = "Loading Python and dosim, once a page…";
  let worker = null;
  let running = null; // the cell whose program is under way

  function startWorker() {
    worker = new Worker(base + "live-worker.js", { type: "module" });
    worker.onmessage = ({ data }) => running && running.hear(data);
    worker.onerror = (event) => {
      const cell = running;
      stopWorker();
      if (cell) cell.finish(`Python could not be loaded: ${event.message || "the files are not there"}`, true);
    };
  }

  function stopWorker() {
    if (worker) worker.terminate();
    worker = running = null;
  }

  function button(text, does) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", does);
    return made;
  }

  class Cell {
    constructor(box, number) {
      this.box = box;
      this.input = box.querySelector(".cell_input");
      this.source = this.input.querySelector("pre").textContent.replace(/\n+$/, "");
      this.bar = document.createElement("div");
      this.bar.className = "dosim-live-bar";
      this.run = button("Run in this page", () => this.start());
      this.edit = button("Edit", () => this.open());
      this.stop = button("Stop", () => { stopWorker(); this.finish("Stopped.", true); });
      this.undo = button("Back to the original", () => this.reset());
      this.stop.hidden = this.undo.hidden = true;
      this.state = document.createElement("span");
      this.state.setAttribute("role", "status");
      this.bar.append(this.run, this.edit, this.stop, this.undo, this.state);
      this.input.after(this.bar);
      this.number = number;
    }

    open() {
      if (this.area) return this.area.focus();
      this.area = document.createElement("textarea");
      this.area.className = "dosim-live-code";
      this.area.spellcheck = false;
      this.area.value = this.source;
      this.area.rows = this.source.split("\n").length + 1;
      this.area.setAttribute("aria-label", `Program ${this.number}`);
      this.area.addEventListener("keydown", (event) => this.key(event));
      this.input.hidden = true;
      this.input.after(this.area);
      this.edit.hidden = true;
      this.undo.hidden = false;
      this.area.focus();
    }

    key(event) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.start();
      }
    }

    reset() {
      if (running === this) {
        stopWorker();
        this.finish("", true);
      }
      this.area.remove();
      this.area = null;
      if (this.out) this.out.remove();
      this.out = null;
      this.input.hidden = this.edit.hidden = false;
      this.undo.hidden = true;
      this.state.textContent = "";
    }

    start() {
      if (location.protocol === "file:") {
        this.state.textContent = "A browser loads Python only over http: python -m http.server -d book/_build/html";
        return;
      }
      if (running) {
        this.state.textContent = running === this ? "It is running." : "Another program is running: stop that one first.";
        return;
      }
      if (!this.out) {
        this.out = document.createElement("pre");
        this.out.className = "dosim-live-output";
        this.out.tabIndex = 0;
        this.out.setAttribute("aria-label", "What the program prints");
        this.bar.after(this.out);
      }
      this.out.textContent = "";
      this.out.classList.remove("failed");
      running = this;
      this.state.textContent = worker ? "Running…" : loading;
      if (!worker) startWorker();
      this.run.disabled = true;
      this.stop.hidden = false;
      worker.postMessage(this.area ? this.area.value : this.source);
    }

    hear({ kind, text, ms }) {
      if (kind === "ready") this.state.textContent = "Running…";
      else if (kind === "print") this.out.textContent += text;
      else if (kind === "broken") { stopWorker(); this.finish(text, true); }
      else this.finish(text, kind === "failed", ms);
    }

    finish(text, failed, ms) {
      running = null;
      this.run.disabled = false;
      this.stop.hidden = true;
      this.out.textContent += text || "";
      if (!this.out.textContent) this.out.textContent = "(It printed nothing: every assert held.)";
      this.out.classList.toggle("failed", failed);
      this.state.textContent = ms === undefined ? "" : `${failed ? "Failed" : "Done"} after ${Math.round(ms)} ms`;
      this.box.dataset.live = failed ? "failed" : "done";
    }
  }

  function start() {
    document.querySelectorAll("div.cell.tag_live").forEach((box, index) => new Cell(box, index + 1));
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
