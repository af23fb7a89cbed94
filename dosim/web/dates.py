"""A JavaScript Date as Python holds it unconverted."""

from __future__ import annotations

from datetime import UTC, datetime

from dosim.web.interface import Constructor
from dosim.web.values import js_text


class JsDate:
    """A JavaScript Date."""

    constructor = Constructor("Date")

    def __init__(self, time_ms: float) -> None:
        self._time_ms = time_ms

    def getTime(self) -> int:
        return int(self._time_ms)

    valueOf = getTime

    def toISOString(self) -> str:
        moment = self.as_plain()
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

    toJSON = toISOString

    def as_plain(self) -> datetime:
        """The datetime that the structured clone makes of it."""
        return datetime.fromtimestamp(self.getTime() / 1000, UTC).replace(tzinfo=None)

    def __str__(self) -> str:
        return js_text(self.as_plain())

    __repr__ = __str__
