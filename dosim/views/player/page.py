"""`player`: a run to play, step and scrub: in a notebook, as one file of HTML, or as a widget that Python can steer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from dosim.trace.files import writing
from dosim.views.figures import check_page, check_title, theme_of
from dosim.views.player.data import MOST_MESSAGES, player_data

#: Pixels of a page about 980 wide, which a frame has until the page has told its own: all but what follows, a title,
#: a note, the map, what is around the lanes, and one lane, of which so many are shown at most.
_REST_PX: Final = 208
_TITLE_PX: Final = 24
_NOTE_PX: Final = 23
_MAP_PX: Final = 460
_LANES_PX: Final = 32
_LANE_PX: Final = 24
_MOST_LANES: Final = 12

#: The files of the module, each after those that it imports.
_PARTS: Final = tuple(
    f"{name}.js" for name in "host framed words trace shapes places lanes sentences player widget".split()
)
#: The files of the script beside a frame.
_AROUND: Final = ("host.js", "around.js")
_IMPORT: Final = re.compile(r'^import \{.*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)


def player(
    source: object,
    *,
    title: str = "",
    dark: bool | None = None,
    most_messages: int = MOST_MESSAGES,
    fork: Callable[[int], object] | None = None,
) -> Player:
    """What happened in a simulation or trace, to play, step and scrub.

    A notebook shows it as a frame; `.save("run.html")` writes one file that plays anywhere; `.widget()` is steered from
    Python. It shows the run as it was when this was called. `dark` is True or False, None for what the page around it
    has. Over `most_messages` a sample is shown, and the page says so. `fork`, called with a time (microseconds), makes
    another run that parts from this one there: then the widget has a button for it. Raises TypeError for another source
    or title.
    """
    check_title(title)
    check_page(dark)
    return Player(player_data(source, title=title, most_messages=most_messages), dark=dark, fork=fork)


class Player:
    """A run as a page. `data` is what the page shows, plain; `notes` says what of the run it leaves out."""

    def __init__(
        self, data: dict[str, Any], *, dark: bool | None = None, fork: Callable[[int], object] | None = None
    ) -> None:
        self.data = data
        self.dark = dark
        self.fork = fork

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        return str(self.data["about"])

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.data["notes"])

    def html(self) -> str:
        """The page: one file of HTML that needs nothing else, neither network nor Python."""
        title = self.data["title"] or "A run of dosim"
        module = player_module()
        dark = json.dumps(self.dark)
        scheme = {True: "dark", False: "light", None: "light dark"}[self.dark]
        back = "" if self.dark is None else f"background:{theme_of(self.dark).paper};"
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n"
            f"<style>\nhtml {{ color-scheme: {scheme}; }}\nbody {{ margin: 0; {back}}}\n{_part('player.css')}</style>\n"
            '</head>\n<body>\n<main><div id="player"></div></main>\n'
            '<noscript>This page needs JavaScript.</noscript>\n<script type="application/json" id="data">'
            f"{_embedded(self.data)}</script>\n"
            f'<script type="module">\n{module}\n'
            'const place = document.getElementById("player");\n'
            'place.dosim = mount(place, JSON.parse(document.getElementById("data").textContent),'
            f" {{ dark: {dark} }});\nframed(place.parentElement, {json.dumps(self.dark is None)});\n</script>\n"
            "</body>\n</html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path. Raises OSError that names the path if it cannot be written."""
        page = self.html()
        with writing(path) as file:
            file.write(page)
        return Path(path)

    def widget(self) -> Any:
        """The player as an anywidget, in step with Python: read or set `t_us`, `playing`, `picked`.

        `picked` is the number of the request or the label of the object that was clicked, 0 for none; `t_us` are
        microseconds from the simulation's start. Of a simulation it also has a button that forks it where the playhead
        stands: the forks are in `.forks`, the newest last. Raises ImportError where anywidget is not installed.
        """
        return _widget_class()(self)

    def __repr__(self) -> str:
        return f"<player: {self.data['about']}>"

    def _repr_html_(self) -> str:
        title = self.data["title"] or "Player of a run"
        return (
            f'<iframe class="dosim-frame" title="{escape(title)}" sandbox="allow-scripts"'
            f' style="display:block;width:100%;height:{self._height_px()}px;border:0;" srcdoc="{escape(self.html())}">'
            f"</iframe>\n<script>{_around()}</script>"
        )

    def _height_px(self) -> int:
        """About how high the page is, for where no script may say it exactly."""
        lanes = min(_MOST_LANES, len(self.data["objects"]))
        roles = [role for _, role, _ in self.data["ends"]]
        columns = 60 + 44 * max(map(roles.count, roles), default=1)
        on_map = self.data["map"] and len(self.data["places"]) > 1
        return (
            _REST_PX
            + (_TITLE_PX if self.data["title"] else 0)
            + _NOTE_PX * len(self.data["notes"])
            + (_MAP_PX if on_map else max(200, min(_MAP_PX, columns)))
            + (_LANES_PX + _LANE_PX * lanes if lanes else 0)
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _embedded(data: dict[str, Any]) -> str:
    """JSON that may stand in a page: no text in it can end the script, or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def player_module() -> str:
    """The player as one ES module: exports `mount(element, data, options)`, and by default the view of an anywidget."""
    *inner, outer = (_IMPORT.sub("", _part(name)) for name in _PARTS)
    return "".join([_EXPORT.sub("", text) for text in inner] + [outer])


@cache
def _around() -> str:
    """The script beside a frame: makes it as high as its page, and tells it the theme of the page around."""
    parts = (_EXPORT.sub("", _IMPORT.sub("", _part(name))) for name in _AROUND)
    return f"(() => {{\n{''.join(parts)}}})();"


@cache
def _part(name: str) -> str:
    return files(__package__ or "dosim.views.player").joinpath(name).read_text("utf-8")


@cache
def _widget_class() -> Any:
    """The widget's class, made when it is first asked for: dosim needs no widget to be imported."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(
            "the widget needs anywidget: `pip install anywidget`. Without it, show the player itself, or .save() it."
        ) from error

    class PlayerWidget(anywidget.AnyWidget):
        """A player in step with Python."""

        _esm = player_module()
        _css = _part("player.css")
        data = traitlets.Unicode().tag(sync=True)
        dark = traitlets.Bool(None, allow_none=True).tag(sync=True)
        t_us = traitlets.Int().tag(sync=True)
        playing = traitlets.Bool(False).tag(sync=True)
        picked = traitlets.Union([traitlets.Int(), traitlets.Unicode()], default_value=0).tag(sync=True)
        can_fork = traitlets.Bool(False).tag(sync=True)
        said = traitlets.Unicode().tag(sync=True)

        def __init__(self, shown: Player) -> None:
            text = json.dumps(shown.data, ensure_ascii=False, separators=(",", ":"))
            super().__init__(data=text, dark=shown.dark, t_us=shown.data["span"][0], can_fork=shown.fork is not None)
            self._shown = shown
            self.forks: list[Any] = []
            self.on_msg(self._asked)

        def _asked(self, _: Any, content: Any, __: Any) -> None:
            """The button was pressed: fork where the playhead stands, and say what came of it."""
            at_us = content.get("fork_at_us") if isinstance(content, dict) else None
            if self._shown.fork is None or not isinstance(at_us, int):
                return
            self.t_us = at_us
            try:
                self.forks.append(self._shown.fork(at_us))
            except Exception as error:
                self.said = f"No fork at {at_us / 1e6:.6f} s: {error}"
            else:
                self.said = (
                    f"Fork {len(self.forks)} stands at {at_us / 1e6:.6f} s: .forks[{len(self.forks) - 1}] in Python."
                )

        @traitlets.validate("t_us")
        def _in_the_run(self, proposal: Any) -> int:
            """A moment before the run is its start, one after it its end."""
            start_us, end_us = json.loads(self.data)["span"]
            return int(max(start_us, min(end_us, proposal["value"])))

        def _repr_mimebundle_(self, **kwargs: Any) -> Any:
            """The widget, and the frame for whoever shows no widgets."""
            bundle = super()._repr_mimebundle_(**kwargs)
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
            return {**(data or {}), "text/html": self._shown._repr_html_()}, metadata

        def __repr__(self) -> str:
            return f"<player at {self.t_us} µs: {self._shown.alt}>"

    return PlayerWidget
