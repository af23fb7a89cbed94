// Beside a player's frame in a notebook or book: makes every such frame as high as its page, and tells it the theme.
// One of these serves all frames of a document. `framed.js` is the other side.
import { hostIsDark, onHostTheme } from "./host.js";

const MOST_PX = 3000;
const send = (frame, data) => frame.contentWindow && frame.contentWindow.postMessage(data, "*");

if (!window.dosimFrames) {
  window.dosimFrames = () => [...document.querySelectorAll("iframe.dosim-frame")];
  const tell = (frame) => send(frame, { dosimDark: hostIsDark() });
  addEventListener("message", ({ source, data }) => {
    const frame = data && data.dosimHeight > 0 && window.dosimFrames().find((each) => each.contentWindow === source);
    if (!frame) return;
    frame.style.height = `${Math.min(MOST_PX, data.dosimHeight)}px`;
    tell(frame);
  });
  onHostTheme(() => window.dosimFrames().forEach(tell));
}
window.dosimFrames().forEach((frame) => send(frame, { dosimDark: hostIsDark(), dosimAsks: true })); // who was there before this
