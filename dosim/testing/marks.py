"""`sometimes`: marks of what a test is meant to reach, counted over all the runs of an exploration."""

from __future__ import annotations

#: Of each run that goes on now, innermost last: mark -> whether it was ever true. Empty: nobody counts.
_counted: list[dict[str, bool]] = []


def sometimes(mark: str, condition: object = True) -> None:
    """Say that this should be true in some run: `sometimes("two saves overlap", saving > 1)`.

    An exploration counts the runs in which it was, and names the marks that never were: a search that never comes to
    the interesting state proves nothing. It never fails a test by itself. Raises TypeError for a mark that is no text.
    """
    if not isinstance(mark, str):
        raise TypeError(f"mark={mark!r} is no text: write sometimes('what should happen', condition).")
    for marks in _counted:
        marks[mark] = marks.get(mark, False) or bool(condition)


class counting:  # noqa: N801 (a context manager, read as a word)
    """Collect the marks of one run: `with counting() as marks`."""

    def __enter__(self) -> dict[str, bool]:
        self._marks: dict[str, bool] = {}
        _counted.append(self._marks)
        return self._marks

    def __exit__(self, *_: object) -> None:
        _counted[:] = [marks for marks in _counted if marks is not self._marks]
