"""`save`, files of records with their version, rows and data frames, `diff`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dosim.cli import main
from dosim.export import diff, format_of, rows, save, to_chrome, to_dataframe, to_mermaid, to_otlp, to_shiviz
from dosim.trace import Trace
from tests.export.world import world

# -- which format


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.json", "chrome"),
        ("a.otlp.json", "otlp"),
        ("a.JSONL", "jsonl"),
        ("a.shiviz.log", "shiviz"),
        ("b.mmd", "mermaid"),
        ("a.log", None),
    ],
)
def test_the_name_tells_the_format(name: str, format_: str | None) -> None:
    """
    The longest ending that fits decides.
    """
    assert format_ == format_of(name)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    """
    A name or a format that is none is refused with those that there are, and nothing is written.
    """
    with pytest.raises(ValueError, match=r"x\.txt' does not tell a format: use one of chrome \(\.json\), shiviz"):
        save(world(), tmp_path / "x.txt")
    with pytest.raises(ValueError, match="format='csv' is no format of a trace"):
        save(world(), tmp_path / "x.json", "csv")
    with pytest.raises(TypeError, match="is neither a simulation nor a trace"):
        save(3, tmp_path / "x.json")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.mmd"])
def test_a_path_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    """
    The error names the path and why.
    """
    path = tmp_path / "nowhere" / name
    with pytest.raises(FileNotFoundError) as caught:
        save(world(), path)

    assert f"{str(path)!r} cannot be written (No such file or directory): name another file." == str(caught.value)


def test_the_command_line_takes_the_format_from_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `--trace run.mmd` is a diagram, `--trace run.json` for Perfetto; any other name holds records, as ever.
    """
    for name, begins in (("a.mmd", "sequenceDiagram"), ("a.json", '{"traceEvents":['), ("a.txt", '{"dosim_trace":1')):
        assert 0 == main(["run", "double-email", "--trace", str(tmp_path / name)])
        assert (tmp_path / name).read_text("utf-8").startswith(begins)
    capsys.readouterr()
    assert 0 == main(["explain", str(tmp_path / "a.txt")])


# -- files of records


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    """
    What is read from a file has the same digest; so has the file without its first line, as an older dosim wrote it.
    """
    trace = world().trace
    save(trace, tmp_path / "t.jsonl")
    header, records = (tmp_path / "t.jsonl").read_text("utf-8").split("\n", 1)
    (tmp_path / "old.jsonl").write_text(records, "utf-8")

    assert {"dosim_trace": 1, "retention": "full", "count": 73} == json.loads(header)
    assert trace.digest == Trace.from_jsonl(tmp_path / "t.jsonl").digest
    assert trace.digest == Trace.from_jsonl(tmp_path / "old.jsonl").digest


@pytest.mark.parametrize(("retention", "kept"), [("last=5", 5), ("last=500", 73), ("none", 0)])
def test_retention_comes_back(retention: str, kept: int, tmp_path: Path) -> None:
    """
    A file of a trace that kept a part says what it is a part of, and so does the trace that is read from it.
    """
    world(retention).trace.to_jsonl(tmp_path / "t.jsonl")
    read = Trace.from_jsonl(tmp_path / "t.jsonl")

    assert (retention, 73, kept) == (read.retention, read.count, len(read))


@pytest.mark.parametrize("export", [rows, to_chrome, to_dataframe, to_mermaid, to_otlp, to_shiviz])
def test_a_trace_that_kept_nothing_is_refused(export: Callable[[object], object]) -> None:
    """
    No format can tell that something happened of which nothing was kept: each says so, and what to do.
    """
    with pytest.raises(ValueError, match=r"this trace keeps no records .*: make the simulation with retention='full'"):
        export(world("none"))


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.mmd"])
def test_a_trace_that_kept_nothing_is_no_file(name: str, tmp_path: Path) -> None:
    """
    Saving it is refused before a file is there.
    """
    with pytest.raises(ValueError, match="this trace keeps no records"):
        save(world("none"), tmp_path / name)

    assert [] == list(tmp_path.iterdir())


def test_a_newer_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A file from a newer dosim is refused with both versions, in Python and on the command line.
    """
    path = tmp_path / "new.jsonl"
    path.write_text('{"dosim_trace":2,"retention":"full","count":1,"more":{}}\n{"odd":1}\n', "utf-8")
    told = f"{path} is a trace of version 2, from a newer dosim; this one reads up to version 1: update dosim"

    with pytest.raises(ValueError, match="newer dosim") as caught:
        Trace.from_jsonl(path)
    assert str(caught.value).startswith(told)
    assert 2 == main(["explain", str(path)])
    assert capsys.readouterr().err.startswith(f"dosim: {told}")


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """
    A file that ends before the last record it promises is refused with both numbers.
    """
    path = tmp_path / "t.jsonl"
    save(world(), path)
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:-3]), "utf-8")

    with pytest.raises(ValueError, match="73 records up to number 73, and it has 70 up to number 70"):
        Trace.from_jsonl(path)


@pytest.mark.parametrize("line", ['{"dosim_trace":1}', '{"dosim_trace":"1","retention":"full","count":1}'])
def test_a_broken_header_is_refused(line: str, tmp_path: Path) -> None:
    """
    A first line that lacks something is refused with what it should be.
    """
    path = tmp_path / "t.jsonl"
    path.write_text(line + "\n", "utf-8")

    with pytest.raises(ValueError, match="line 1 is no header of a trace: it needs"):
        Trace.from_jsonl(path)


# -- rows


def test_rows_are_the_records() -> None:
    """
    A row has what every record has, then what its kind carries.
    """
    first = {"t_us": 0, "seq": 1, "kind": "send", "actor": "Tokyo", "request": 1, "cause": 0}

    table = rows(world())

    assert 73 == len(table)
    assert {**first, "method": "GET", "url": "https://app.example/", "place": "Tokyo"} == table[0]


def test_rows_of_segments_sum_to_the_latency() -> None:
    """
    The segments of a request from outside sum to the time from its sending to its answer; messages are a table too.
    """
    trace = world().trace
    took_us = sum(row["duration_us"] for row in rows(trace, "segments") if row["outside"] == 1)  # type: ignore[misc]
    answered = next(record for record in trace.of_request(1) if record.kind == "response")

    assert answered.t_us == took_us
    assert 12 == len(rows(trace, "messages"))
    with pytest.raises(ValueError, match="of='spans' is no table of a trace: use 'records', 'messages', 'segments'"):
        rows(trace, "spans")


def test_a_data_frame_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without pandas and polars the error says to install one, or to use rows().
    """
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)

    with pytest.raises(ImportError, match=r"neither pandas nor polars is installed.* use rows\(source\)"):
        to_dataframe(world())
    with pytest.raises(ImportError, match=r"^polars is not installed"):
        to_dataframe(world(), library="polars")
    with pytest.raises(ValueError, match="library='numpy' makes no data frames here"):
        to_dataframe(world(), library="numpy")


def test_polars_is_used_when_pandas_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A column for each value that some record has, empty where a record has none.
    """
    monkeypatch.setitem(sys.modules, "pandas", None)
    frame = to_dataframe(world())

    assert 73 == frame.height
    assert ["t_us", "seq", "kind", "actor", "request", "cause"] == frame.columns[:6]
    assert frame["status"].null_count() > 0 and 200 in frame["status"]


def test_a_data_frame_of_pandas() -> None:
    """
    With pandas, whole numbers stay whole although most rows have none.
    """
    frame = to_dataframe(world(), library="pandas")

    assert (73, "Int64") == (len(frame), str(frame["status"].dtype))


# -- diff


def test_two_runs_of_one_seed_are_equal(tmp_path: Path) -> None:
    """
    Two runs of one seed are equal, also when one of them comes from a file.
    """
    save(world(), tmp_path / "t.jsonl")
    found = diff(world(), Trace.from_jsonl(tmp_path / "t.jsonl"))

    assert not found
    assert "The traces are equal: 73 records." == str(found)


def test_a_difference_is_told_with_what_came_before() -> None:
    """
    Where two runs part: how much is equal, what differs, the records before it, and both records.
    """
    sim, other = world(), world()
    other.run(for_="1s")
    other.crash("demo")
    sim.run(for_="2s")
    sim.crash("demo")
    found = diff(sim.trace, other.trace, context=1)

    assert found and 73 == found.compared
    assert ("t_us",) == found.names
    assert ["=", "-", "+"] == [sign for sign, _ in found.rows()]
    assert str(found).startswith(
        'The traces part at t_us: 73 records equal, then "the outside: fault" at 8.530149 s in the first and'
    )


def test_one_trace_goes_on() -> None:
    """
    A trace that is the beginning of another ends where that one goes on; with retention, what both keep is compared.
    """
    sim = world()
    longer = world()
    longer.run(for_="1s")
    longer.crash("demo")

    assert "The first trace ends where the other goes on: 73 records equal, then" in diff(sim, longer).text
    assert "equal: 5 records (68 records of which only one trace keeps are not compared)." in str(
        diff(sim, world("last=5"))
    )


def test_diff_refuses_what_is_no_trace() -> None:
    """
    A wrong argument is refused by what it is.
    """
    with pytest.raises(TypeError, match="3 is neither a simulation nor a trace"):
        diff(world(), 3)
    with pytest.raises(ValueError, match="context=-1"):
        diff(world(), world(), context=-1)
