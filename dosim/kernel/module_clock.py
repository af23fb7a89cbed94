"""The wall clock replaced by name, where time-machine does not exist: in a browser.

`time` gets functions that read the simulation's clock; `datetime.datetime` and `datetime.date` become subclasses whose
`now`, `today` and `utcnow` do. Every instance is one of the real class, whoever makes it, so repr, pickling and
isinstance are unchanged. What differs from the change in place that time-machine makes: `type(moment) is datetime` is
False inside, and a class derived from `datetime` outside keeps the real clock.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import time
from collections.abc import Callable
from time import struct_time
from typing import Any

from dosim.kernel.names import Patch

_date, _datetime = dt.date, dt.datetime
_time, _time_ns = time.time, time.time_ns
_gmtime, _localtime, _strftime = time.gmtime, time.localtime, time.strftime


def module_clock(inside: Callable[[], bool], now_us: Callable[[], int]) -> list[Patch]:
    """The replacements. `inside()` says whether the calling thread runs simulated code; if not they are real."""
    clock = _ModuleClock(inside, now_us)
    patches = [
        Patch(time, name, getattr(time, name), getattr(clock, name))
        for name in ("time", "time_ns", "gmtime", "localtime", "strftime")
    ]
    date, moment = _date_classes(inside, now_us)
    return [
        *patches,
        Patch(dt, "date", _date, date),
        Patch(dt, "datetime", _datetime, moment),
    ]


class _ModuleClock:
    """The functions of `time` that read the wall clock."""

    def __init__(self, inside: Callable[[], bool], now_us: Callable[[], int]) -> None:
        self._inside = inside
        self._now_us = now_us

    def time(self) -> float:
        return self._now_us() / 1_000_000 if self._inside() else _time()

    def time_ns(self) -> int:
        return self._now_us() * 1000 if self._inside() else _time_ns()

    def gmtime(self, seconds: float | None = None, /) -> struct_time:
        return _gmtime(self._now_s() if seconds is None and self._inside() else seconds)

    def localtime(self, seconds: float | None = None, /) -> struct_time:
        return _localtime(self._now_s() if seconds is None and self._inside() else seconds)

    def strftime(self, text: str, *when: Any) -> str:
        return _strftime(text, *(when or ([_localtime(self._now_s())] if self._inside() else [])))

    def _now_s(self) -> int:
        return self._now_us() // 1_000_000


def _date_classes(inside: Callable[[], bool], now_us: Callable[[], int]) -> tuple[type, type]:
    """Stand-ins for `date` and `datetime`. Their names are the real ones, so that repr and pickle see no difference."""

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            real = reals.get(cls)
            return isinstance(instance, real) if real else super().__instancecheck__(instance)

        def __subclasscheck__(cls, subclass: type) -> bool:
            real = reals.get(cls)
            return issubclass(subclass, real) if real else super().__subclasscheck__(subclass)

    class date(dt.date, metaclass=Kind):  # noqa: N801
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _date.__new__(reals.get(cls, cls), *args, **kwargs)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(now_us() // 1_000_000) if inside() else cls.fromtimestamp(_time())

    class datetime(dt.datetime, metaclass=Kind):  # noqa: N801
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _datetime.__new__(reals.get(cls, cls), *args, **kwargs)

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            seconds, microseconds = divmod(now_us() if inside() else _time_ns() // 1000, 1_000_000)
            return cls.fromtimestamp(seconds, tz).replace(microsecond=microseconds)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now(dt.UTC).replace(tzinfo=None)

    def reduced(value: dt.date) -> tuple[Any, ...]:
        real: type = type(value)
        there: type = vars(dt)[real.__name__]  # pickle insists on what it finds there by name
        return there if reals.get(there) is real else real, value.__reduce_ex__(4)[1]

    reals: dict[type, type] = {date: _date, datetime: _datetime}
    for stand_in, real in reals.items():
        stand_in.__module__, stand_in.__qualname__ = real.__module__, real.__qualname__
        copyreg.pickle(real, reduced)
    return date, datetime
