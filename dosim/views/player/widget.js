// The view of an anywidget: `data` (JSON text), and `t_us`, `playing`, `picked` in both directions. A time is
// handed to the model only when it is sent, ten times a second, and what was sent comes back as an echo: that moves
// nothing.
import { mount } from "./player.js";

function render({ model, el }) {
  let timer = null, here = Math.round(model.get("t_us"));
  let sent = []; // [value, when] of the last seconds
  const flush = () => {
    clearTimeout(timer);
    timer = null;
    if (model.get("t_us") !== here) {
      sent = [...sent.filter(([, at]) => performance.now() - at < 3000), [here, performance.now()]];
      model.set("t_us", here);
    }
    model.save_changes();
  };
  const set = (name, value) => { if (model.get(name) !== value) { model.set(name, value); flush(); } };
  const root = document.createElement("div");
  el.append(root);
  const player = mount(root, JSON.parse(model.get("data")), {
    dark: model.get("dark"), t_us: here,
    onTime: (t_us, final) => {
      if (t_us === here) return;
      here = t_us;
      if (final && timer) flush(); else timer ??= setTimeout(flush, 100);
    },
    onFork: model.get("can_fork") ? (t_us) => model.send({ fork_at_us: t_us }) : null,
    onPick: (what) => set("picked", what), onPlaying: (value) => set("playing", value),
  });
  const heard = {
    "change:t_us": () => {
      const asked = model.get("t_us");
      if (asked === here || sent.some(([value, at]) => value === asked && performance.now() - at < 3000)) return;
      player.seek(asked);
    },
    "change:playing": () => { if (model.get("playing") !== player.playing) { if (model.get("playing")) player.play(); else player.pause(); } },
    "change:picked": () => player.pick(model.get("picked")),
    "change:said": () => player.say(model.get("said")),
  };
  for (const [name, action] of Object.entries(heard)) model.on(name, action);
  root.dosim = player;
  if (model.get("picked")) player.pick(model.get("picked"));
  if (model.get("playing")) player.play();
  return () => {
    for (const [name, action] of Object.entries(heard)) model.off(name, action);
    clearTimeout(timer);
    player.destroy();
  };
}

export { mount };
export default { render, mount };
