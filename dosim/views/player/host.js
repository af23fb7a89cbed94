// The page around: whether it is dark, and when that changes.

export function hostIsDark() {
  const b = document.body ? document.body.dataset : {}, h = document.documentElement;
  if (b.jpThemeLight) return b.jpThemeLight === "false"; // JupyterLab, Notebook 7
  if (b.vscodeThemeKind) return /dark|high-contrast$/.test(b.vscodeThemeKind); // VS Code
  const theme = h.getAttribute("theme") || h.dataset.theme; // Colab, Sphinx themes
  if (theme === "dark" || theme === "light") return theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function onHostTheme(action) { // call it when the page or the reader's setting may have changed; returns the end of that
  const themed = new MutationObserver(action);
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "theme"] });
  if (document.body) themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", action);
  return () => { themed.disconnect(); scheme.removeEventListener("change", action); };
}
