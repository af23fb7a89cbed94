// Diagrams: every ```mermaid fence becomes a picture that follows the page's theme. Nothing is fetched.
(function () {
  const dark = () => document.documentElement.dataset.theme === "dark";
  const night = { edgeLabelBackground: "#222832", noteBkgColor: "#222832", noteTextColor: "#d5d8dc", noteBorderColor: "#8a9099" };
  let drawn = 0;

  async function draw(figure) {
    mermaid.initialize({ startOnLoad: false, theme: dark() ? "dark" : "default", themeVariables: dark() ? night : {}, securityLevel: "strict" });
    try {
      figure.innerHTML = (await mermaid.render(`diagram-${++drawn}`, figure.dataset.source)).svg;
    } catch (error) {
      const source = document.createElement("pre");
      source.textContent = figure.dataset.source;
      figure.replaceChildren(source);
      reportError(error);
    }
  }

  async function start() {
    const blocks = [...document.querySelectorAll("div.highlight-mermaid")];
    if (!blocks.length || !window.mermaid) return;
    const figures = blocks.map((block) => {
      const figure = document.createElement("figure");
      figure.className = "dosim-diagram";
      figure.dataset.source = block.querySelector("pre").textContent;
      block.replaceWith(figure);
      return figure;
    });
    let turn = Promise.resolve();
    const all = () => { for (const figure of figures) turn = turn.then(() => draw(figure)); };
    all();
    new MutationObserver(all).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

// ipywidgets' html-manager still calls MathJax 2's Hub when a page has formulas.
window.addEventListener("load", () => { if (window.MathJax && !window.MathJax.Hub) window.MathJax.Hub = { Queue() {} }; }, true);
