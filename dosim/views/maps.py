"""`world_map`: where objects live and clients stand, and what went between them, on the map of the world.

Lines are messages of one kind from one place to another, as wide as they are many, each kind with its own colour and
dash; answers go back the same way and are not drawn. A cross marks what was lost. `figure.alt` tells it in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dosim.views.figures import check_look, new_figure, theme_of
from dosim.views.flows import Site
from dosim.views.frames import (
    LEGEND_IN,
    NOTE_IN,
    TITLE_IN,
    empty_figure,
    legend_rows,
    on,
    wrapped,
    write_legend,
    write_notes,
    write_title,
)
from dosim.views.insets import Plate, spread
from dosim.views.labels import Box, nearest
from dosim.views.map_plans import (
    CLIENT,
    CORNER_PT,
    INKS,
    NAME_IN,
    OBJECT,
    SQUARE_PT,
    Atlas,
    Key,
    Name,
    Track,
    keys,
    plan_map,
    relief,
)
from dosim.views.regions import Region
from dosim.views.style import ON_BRIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BOX: Final = {"boxstyle": "round,pad=0.1", "edgecolor": "none", "alpha": 0.72}


def world_map(
    source: object,
    *,
    region: Region = None,
    at_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A map of a simulation or trace: objects, clients, Workers, and the messages between them.

    region: "world", "fit" (what is used), or degrees (west, south, east, north), where west > east goes across the
    Pacific; unless told, "fit" when all is in one part of the world; on a wide map of the world an inset shows a
    crowded Europe larger. start_us, end_us: messages of this stretch; at_us: what was under way and who was in memory
    at this moment. `width` is in inches. Raises TypeError for a source that is no trace and ValueError that names the
    argument and the fix.
    """
    check_look(width, "map", 5, title=title, dark=dark)
    theme = theme_of(dark)
    plan = plan_map(source, region, at_us, start_us, end_us, title)
    if plan.empty:
        return empty_figure(plan.empty, width=width, dark=dark, title=title, what="map", theme=theme)
    head_in = TITLE_IN if title else 0.0
    handles = [_handle(key, theme) for key in keys(plan)]
    rows = legend_rows(handles, width)
    whole = spread(plan, width)
    atlas = whole.whole.atlas
    notes = wrapped(whole.notes(plan), width)
    foot_in = LEGEND_IN * rows + NOTE_IN * len(notes) + 0.16
    figure = new_figure(width, head_in + atlas.height + foot_in, dark=dark, what="map")
    write_title(figure, title, theme)
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((0, foot_in / height, 1, atlas.height / height))
    _Chart(axes, atlas, theme).draw(whole.whole)
    if whole.inset is not None and whole.frame is not None:
        _inset(axes, whole.inset, whole.frame, theme)
    write_legend(figure, handles, rows, (foot_in - 0.05) / height, theme)
    write_notes(figure, notes, theme)
    figure.alt = plan.alt
    drawing: Figure = figure
    return drawing


# -- drawing


def _inset(axes: Any, inset: Plate, frame: Box, theme: Theme) -> None:
    """The inset on the map, and the frame round what it shows."""
    axes.plot(*_box_lines(frame), color=theme.ink, linewidth=0.7, alpha=0.7, zorder=7)
    box, (wide, high) = inset.box, (axes.get_xlim()[1], axes.get_ylim()[1])
    place = (box.left / wide, box.bottom / high, (box.right - box.left) / wide, (box.top - box.bottom) / high)
    small = axes.inset_axes(place, zorder=8)
    _Chart(small, inset.atlas, theme).draw(inset)
    small.set_axis_on()
    small.set_facecolor(theme.paper)
    small.set_xticks([])
    small.set_yticks([])
    for spine in small.spines.values():
        spine.set(color=theme.ink, linewidth=0.9, alpha=0.8)


def _box_lines(box: Box) -> tuple[list[float], list[float]]:
    return [box.left, box.right, box.right, box.left, box.left], [box.bottom, box.bottom, box.top, box.top, box.bottom]


@dataclass(slots=True)
class _Chart:
    """The map under the pen, in inches."""

    axes: Any
    atlas: Atlas
    theme: Theme

    def draw(self, plate: Plate) -> None:
        self.axes.set_xlim(0, self.atlas.width)
        self.axes.set_ylim(0, self.atlas.height)
        self.axes.set_axis_off()
        self._relief()
        for track in plate.tracks:
            self._track(track)
        for site in plate.sites:
            self._site(site)
        for name in plate.names:
            self._name(name)

    def _relief(self) -> None:
        from matplotlib.collections import LineCollection, PolyCollection

        ground = relief(self.atlas.view, self.atlas.scale)
        faint = self.theme.faint
        for drawn in (
            PolyCollection(ground.land, facecolors=self.theme.object_lane, edgecolors="none", zorder=0),
            LineCollection(ground.coast, colors=faint, linewidths=0.7, zorder=0.5),
            LineCollection(ground.backbone, colors=faint, linewidths=0.45, alpha=0.8, zorder=0.7),
        ):
            self.axes.add_collection(drawn, autolim=False)

    def _track(self, track: Track) -> None:
        """A line with its arrow head, what is under way on it and what was lost."""
        flow, ink = track.flow, INKS[track.flow.kind]
        colour = on(self.theme, ink.colour)
        line = [track.curve.at(step / 40) for step in range(41)]
        xs, ys = [x for x, _ in line], [y for _, y in line]
        style = {"solid_capstyle": "round", "dash_capstyle": "butt", "zorder": 2, "alpha": 0.9}
        dash = (0, ink.dash) if ink.dash else "-"
        (drawn,) = self.axes.plot(xs, ys, color=colour, linewidth=track.wide, linestyle=dash, **style)
        drawn.set_label(f"{flow.kind}: {flow.start} to {flow.end}")
        if track.has_head:
            corners = track.head()
            style = {"facecolor": colour, "edgecolor": self.theme.paper, "linewidth": 0.6, "zorder": 3}
            self.axes.fill([x for x, _ in corners], [y for _, y in corners], **style)
        for gone, back in flow.under_way:
            face, edge = (self.theme.paper, colour) if back else (colour, self.theme.paper)
            x, y = track.curve.at(gone)
            style = {"markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": 1.4 if back else 0.8}
            self.axes.plot(x, y, "o", markersize=7, zorder=4, **style)
        for x, y, count in track.crosses():
            style = {"markeredgecolor": self.theme.paper, "markeredgewidth": 0.9, "zorder": 6}
            self.axes.plot(x, y, marker="X", markersize=9, color=self.theme.ink, **style)
            box = {**_BOX, "facecolor": self.theme.paper}
            style = {"fontsize": 7.2, "va": "center", "color": self.theme.ink, "bbox": box, "zorder": 6}
            self.axes.text(x + 0.1, y, f"{count} lost", **style)

    def _site(self, site: Site) -> None:
        """A dot for clients (larger for more requests), a ring for a Worker's colo, a square for objects."""
        x, y = self.atlas.spot(site.spot)
        paper, ink = self.theme.paper, self.theme.ink
        if site.worker and not site.objects:
            self.axes.plot(
                x,
                y,
                "o",
                markersize=2 * self.atlas.radius_pt(site) + 4,
                markerfacecolor="none",
                markeredgecolor=ink,
                zorder=4.5,
            )
        if site.sent:
            corner_in = CORNER_PT / 72 if site.objects else 0.0  # at the square's corner
            style = {"color": on(self.theme, CLIENT), "markeredgecolor": paper, "markeredgewidth": 0.8, "zorder": 5}
            self.axes.plot(x - corner_in, y + corner_in, "o", markersize=2 * self.atlas.radius_pt(site), **style)
        elif not site.objects:
            self.axes.plot(x, y, "o", markersize=4, color=ink, zorder=5)
        if site.objects:
            filled = bool(site.awake)
            style = {"markeredgecolor": ink, "markeredgewidth": 1.0, "zorder": 5.5}
            self.axes.plot(x, y, "s", markersize=SQUARE_PT, markerfacecolor=OBJECT if filled else paper, **style)
            style = {"ha": "center", "va": "center_baseline", "fontsize": 8, "fontweight": "bold", "zorder": 5.6}
            count = len(site.objects)
            self.axes.text(x, y, f"{count}" if count < 1000 else "…", color=ON_BRIGHT if filled else ink, **style)

    def _name(self, name: Name) -> None:
        box, wanted = name.placed.box, name.wanted
        if name.placed.far:
            x, y = nearest(box, wanted.x, wanted.y)
            self.axes.plot([wanted.x, x], [wanted.y, y], color=self.theme.ink, linewidth=0.6, alpha=0.7, zorder=4)
        x = box.right - 0.03 if name.left_of else box.left + 0.03
        style = {"ha": "right" if name.left_of else "left", "va": "top", "color": self.theme.ink, "zorder": 7}
        halo = {**_BOX, "facecolor": self.theme.paper}
        for number, line in enumerate(name.lines):
            y = box.top - 0.015 - NAME_IN * number
            size, weight = (8.2, "bold") if number == 0 else (7.2, "normal")
            self.axes.text(x, y, line, fontsize=size, fontweight=weight, bbox=halo, parse_math=False, **style)


def _handle(key: Key, theme: Theme) -> Any:
    """An entry of the legend."""
    from matplotlib.lines import Line2D

    ink = INKS.get(key.what)
    if ink is not None:
        dash: Any = (0, ink.dash) if ink.dash else "-"
        return Line2D([], [], color=on(theme, ink.colour), linestyle=dash, linewidth=2.2, label=key.words)
    if key.what == "backbone":
        return Line2D([], [], color=theme.faint, linewidth=0.9, label=key.words)
    client = on(theme, CLIENT)
    marker, face, edge, size = {
        "objects": ("s", OBJECT, theme.ink, 8),
        "asleep": ("s", theme.paper, theme.ink, 8),
        "clients": ("o", client, client, 7),
        "worker": ("o", "none", theme.ink, 8),
        "under way": ("o", theme.ink, theme.paper, 7),
        "answer": ("o", theme.paper, theme.ink, 7),
        "lost": ("X", theme.ink, theme.ink, 8),
    }[key.what]
    style: dict[str, Any] = {"linestyle": "", "markersize": size, "markeredgecolor": edge}
    return Line2D([], [], marker=marker, markerfacecolor=face, label=key.words, **style)
