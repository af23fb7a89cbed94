// A page in a frame that may run scripts and no more: it cannot look at what is around it, and nothing can look inside.
// By messages it tells how high it is, {dosimHeight}, and is told whether it is dark around, {dosimDark}; `around.js`
// is the other side. Where nobody answers, the frame stays as high as it is and has the reader's own setting.

const SHRINKS_PX = 40; // a frame that is higher than its page by less stays: what stands below would jump at every step

export function framed(page, followsTheme) {
  if (window.parent === window) return;
  let told = 0;
  const tell = () => {
    const height = Math.ceil(page.getBoundingClientRect().height);
    if (height <= told && height > told - SHRINKS_PX) return;
    told = height;
    window.parent.postMessage({ dosimHeight: height }, "*");
  };
  tell(); // at once: out of sight a browser does not observe
  new ResizeObserver(tell).observe(page);
  addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || !data || typeof data.dosimDark !== "boolean" || !followsTheme) return;
    const theme = data.dosimDark ? "dark" : "light", html = document.documentElement;
    if (html.dataset.theme === theme) return;
    html.dataset.theme = html.style.colorScheme = theme; // the player sees the first, the page's paper the second
  });
}
