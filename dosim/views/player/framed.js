// A page in a frame that may run scripts and no more: it cannot look at what is around it, and nothing can look inside.
// By messages it tells how high it is, {dosimHeight}, and is told whether it is dark around, {dosimDark}; `around.js`
// is the other side, and asks, {dosimAsks}, since the frame may have been first. Where nobody answers, the frame stays as high as it is and has the reader's own setting.

// A frame is as high as its page until somebody uses it. From then on it grows as soon as its page does, and shrinks
// when its width changes or by more than this: the room that the sentences of a request took stays, since what stands
// below would jump at every step.
const SHRINKS_PX = 280;

export function framed(page, followsTheme) {
  if (window.parent === window) return;
  let told = { width: 0, height: 0 }, used = false;
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { used = true; }, true);
  const tell = () => {
    const { width, height } = page.getBoundingClientRect(), wanted = Math.ceil(height);
    if (width === told.width && wanted === told.height) return;
    if (used && width === told.width && wanted < told.height && wanted > told.height - SHRINKS_PX) return;
    told = { width, height: wanted };
    window.parent.postMessage({ dosimHeight: wanted }, "*");
  };
  tell(); // at once: out of sight a browser does not observe
  new ResizeObserver(tell).observe(page);
  addEventListener("message", ({ source, data }) => {
    if (source !== window.parent || !data || typeof data.dosimDark !== "boolean") return;
    if (data.dosimAsks) { told = { width: 0, height: 0 }; tell(); }
    if (!followsTheme) return;
    const theme = data.dosimDark ? "dark" : "light", html = document.documentElement;
    if (html.dataset.theme === theme) return;
    html.dataset.theme = html.style.colorScheme = theme; // the player sees the first, the page's paper the second
  });
}
