"""The player: what of a trace is in its page, how large the page is, and what happens to traces that are not whole."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from html import unescape
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import dosim.views.player.page
from dosim import Simulation
from dosim.explain import explain
from dosim.trace import Trace
from dosim.trace.lives import lives
from dosim.trace.messages import messages
from dosim.views.player import Player, player, player_data, player_module
from dosim.workers import DurableObject, Response, WorkerEntrypoint

CITIES = ("London", "Amsterdam", "Frankfurt", "New York", "Tokyo", "Sydney", "São Paulo", "Mumbai")


class Counter(DurableObject):
    async def increment(self) -> int:
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        await asyncio.sleep(0.003)
        return n


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        name = request.url.rpartition("/")[2]
        return Response(str(await self.env.COUNTER.getByName(name).increment()))


def world(**options: Any) -> Simulation:
    return Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7, **options)


def busy(requests: int, **options: Any) -> Simulation:
    """A world in which clients from eight cities call six objects, 10 ms apart."""
    sim = world(**options)
    clients = [sim.client(city) for city in CITIES]
    calls = []
    for number in range(requests):
        calls.append(clients[number % len(clients)].fetch(f"https://a.example/{'abcdef'[number % 6]}"))
        sim.run(for_="10ms")
    sim.run(*calls)
    return sim


def column(values: Any, count: int) -> list[int]:
    return values if isinstance(values, list) else [values] * count


# -- what is in it


def test_messages_are_in_the_page_as_columns() -> None:
    """Every message of the trace can be read back from the columns: who, to whom, when, how long, what."""
    sim = busy(5)
    data = player_data(sim)
    columns = data["messages"]
    starts = list(accumulate(columns["start"]))
    every = {name: column(columns[name], len(starts)) for name in ("took", "source", "target", "kind", "label")}
    read = [
        (
            start,
            start + every["took"][i],
            data["ends"][every["source"][i]][0],
            data["ends"][every["target"][i]][0],
            data["kinds"][every["kind"][i]],
            data["texts"][every["label"][i]],
        )
        for i, start in enumerate(starts)
    ]

    assert [(m.start_us, m.end_us, m.source, m.target, m.kind, m.label) for m in messages(sim.trace)] == read


def test_lives_are_in_the_page() -> None:
    """The states of every object, when each begins, and how many are inside can be read back."""
    sim = busy(20)
    data = player_data(sim)
    read = {}
    for row in data["objects"]:
        starts = list(accumulate(row["start"]))
        state, inside = (column(row[name], len(starts)) for name in ("state", "inside"))
        read[data["ends"][row["actor"]][0]] = [
            (starts[i], data["states"][state[i]], inside[i]) for i in range(len(starts))
        ]
    told = {
        label: [(s.start_us, s.state, s.inside) for s in life.stretches] for label, life in lives(sim.trace).items()
    }

    assert told == read


def test_every_actor_has_a_place_of_the_map() -> None:
    """In a world with a network, clients, Workers and objects stand where their city or colo is."""
    data = player_data(busy(8))
    roles = {data["roles"][role] for _, role, _ in data["ends"]}
    tokyo = next(place for place in data["places"] if place[0] == "Tokyo")

    assert {"client", "worker", "object"} == roles
    assert all(place >= 0 for _, _, place in data["ends"])
    assert ["Tokyo", "NRT"] == tokyo[:2] and 139 < tokyo[2] < 140 and 35 < tokyo[3] < 36
    assert data["map"]["land"] and data["map"]["routes"]


def test_a_client_given_by_coordinates_is_on_the_map() -> None:
    """Whoever is at (latitude, longitude) stands there, as on `world_map`."""
    sim = world()
    sim.run(sim.client((52.5, 5.0)).fetch("https://a.example/a"))
    data = player_data(sim)
    client = next(row for row in data["ends"] if data["roles"][row[1]] == "client")

    assert ["(52.5, 5.0)", "", 5.0, 52.5] == data["places"][client[2]]


def test_without_a_network_there_is_no_map() -> None:
    """Nobody is anywhere: the page lays them out in columns, and carries neither coast nor cables."""
    data = player_data(busy(8, network=None))

    assert data["map"] is None and data["places"] == []
    assert {-1} == {place for _, _, place in data["ends"]}


def test_a_lost_message_says_why() -> None:
    """A reply that never arrived is in the columns with the reason, and the first sentence counts it."""
    sim = world()
    sim.lose("reply", method="increment")
    sim.run(sim.client("Tokyo").fetch("https://a.example/a"))
    data = player_data(sim)
    lost = [data["texts"][i] for i in column(data["messages"]["lost"], len(data["messages"]["start"])) if i]
    reasons = [m.lost for m in messages(sim.trace) if m.lost]

    assert len(reasons) == 1 and reasons == lost
    assert "1 lost" in data["about"]


def test_faults_are_in_the_page() -> None:
    """A crash is a moment of its object."""
    sim = busy(3)
    sim.crash("a")
    data = player_data(sim)
    faults = data["faults"]
    count = len(faults["at"])
    read = [
        (data["ends"][actor][0] if actor >= 0 else "", data["texts"][what])
        for actor, what in zip(column(faults["actor"], count), column(faults["what"], count), strict=True)
    ]

    assert [("Counter('a')", "crash Counter('a')"), ("Counter('a')", "instance 1 of Counter('a') crashed")] == read


def test_an_alarm_is_set_and_rings() -> None:
    """The alarms of a trace are moments of their objects, in order."""
    trace = Trace()
    trace.emit(1_000, "alarm_set", "Clock('a')", 1, 0, (5_000_000,))
    trace.emit(5_000_000, "call", "Clock('a')", 2, 0, (0, "alarm", "Clock('a')", "alarm"))
    trace.emit(5_000_000, "construct", "Clock('a')", 2, 0, (1,))
    data = player_data(trace)
    alarms = data["alarms"]

    assert [1_000, 5_000_000] == list(accumulate(alarms["at"]))
    assert ["set for 5.000 s", "rings"] == [data["texts"][i] for i in alarms["what"]]
    assert "1 alarm in" in data["about"]


def test_a_request_is_told_as_explain_tells_it() -> None:
    """The sentences in the page are those of `explain`."""
    sim = busy(3)
    told = player_data(sim)["told"]["sentences"]["1"]
    explained = explain(sim.trace, 1)

    assert explained.sentences == (told[0], *(text for _, text in told[1:-1]), told[-1])


def test_what_is_not_told_in_sentences_is_told_in_segments() -> None:
    """Of requests beyond the room for sentences the segments are there, and sum to the latency; the page says so."""
    sim = busy(400)
    data = player_data(sim)
    segments = {int(request): row for request, row in data["told"]["segments"].items()}
    request, row = next(iter(segments.items()))

    assert not segments.keys() & {int(request) for request in data["told"]["sentences"]}
    assert explain(sim.trace, request).latency_us == sum(row[2::3])
    assert any("told in sentences" in note for note in data["notes"])


# -- how large it is


def test_five_thousand_messages_take_less_than_300_kb(tmp_path: Path) -> None:
    """The saved page of 1,250 requests, whose objects run and idle thousands of times, is under 300,000 bytes."""
    shown = player(busy(1_250))
    size = shown.save(tmp_path / "run.html").stat().st_size

    assert 5_000 == len(shown.data["messages"]["start"])
    assert size < 300_000


def test_too_many_messages_are_sampled_and_the_page_says_so() -> None:
    """Over the limit whole requests are shown, evenly spread; the counts are of all."""
    sim = busy(100)
    data = player_data(sim, most_messages=100)
    requests = list(accumulate(data["messages"]["request"]))
    starts = list(accumulate(data["messages"]["start"]))

    assert 100 >= len(starts) > 80
    assert {4} == {requests.count(request) for request in set(requests)}
    assert starts == sorted(starts) and starts[-1] > data["span"][1] * 0.9
    assert "Shown are 100 of 400 messages" in data["notes"][0]
    assert "400 messages" in data["about"]


def test_the_counts_are_of_all_also_beside_a_sample() -> None:
    """The sentence about the run counts every client, request and message, whatever the sample leaves out."""
    sim = busy(len(CITIES))
    about = player_data(sim)["about"]

    assert about.startswith(f"{len(CITIES)} requests, {len(CITIES)} clients, ")
    assert about == player_data(sim, most_messages=10)["about"]


def test_a_sample_keeps_what_was_lost() -> None:
    """However small the sample, the request that lost a message is in it."""
    sim = world()
    client = sim.client("Tokyo")
    for number in range(30):
        if number == 17:
            sim.lose("reply", method="increment")
        sim.run(client.fetch("https://a.example/a"))
    data = player_data(sim, most_messages=12)

    assert sum(1 for i in column(data["messages"]["lost"], len(data["messages"]["start"])) if i) == 1


@pytest.mark.slow
def test_a_million_records_have_a_page(tmp_path: Path) -> None:
    """A trace of a million records takes seconds, and its page less than a megabyte; it says what it leaves out."""
    trace = Trace()
    emit, number = trace.emit, 0
    while len(trace) < 1_000_000:
        number += 1
        at_us, own, call, label = 700 * number, 2 * number, 2 * number + 1, f"Counter('{number % 300}')"
        emit(at_us, "send", "Tokyo", own, 0, ("GET", "https://a.example/", "Tokyo"))
        emit(at_us + 5_000, "edge", "edge NRT", own, 0, ("NRT",))
        emit(at_us + 5_500, "worker", "worker@NRT", own, 0, ("NRT",))
        emit(at_us + 5_500, "call", label, call, 0, (own, "rpc", label, "increment"))
        emit(at_us + 5_500, "leave", label, call, 0, ("NRT", "LHR", 0))
        emit(at_us + 99_000, "arrive", label, call, 0, ("LHR",))
        if number <= 300:
            emit(at_us + 99_000, "construct", label, call, 0, (1,))
        emit(at_us + 99_000, "start", label, call, 0, (at_us + 99_000, ""))
        emit(at_us + 99_500, "return", label, call)
        emit(at_us + 99_500, "idle", label, 0, 0, (1,))
        emit(at_us + 99_500, "reply", label, call, 0, (0,))
        emit(at_us + 199_000, "result", label, call, 0, (True,))
        emit(at_us + 199_000, "reply", "Tokyo", own, 0, (0,))
        emit(at_us + 205_000, "response", "Tokyo", own, 0, (200,))
    shown = player(trace)

    assert shown.save(tmp_path / "million.html").stat().st_size < 1_000_000
    assert 18_000 < len(shown.data["messages"]["start"]) <= 20_000
    assert f"{4 * number:,} messages" in shown.alt and "300 objects" in shown.alt
    assert f"of {4 * number:,} messages" in shown.notes[0] and "first 200 of 300 objects" in shown.notes[1]


def test_one_request_larger_than_the_limit_is_cut() -> None:
    """Where not even one request fits, every nth message is shown."""
    sim = busy(1)

    assert 2 == len(player_data(sim, most_messages=2)["messages"]["start"])


def test_many_states_are_merged_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest states go to their neighbours; each life still ends where it did."""
    sim = busy(200)
    monkeypatch.setattr("dosim.views.player.thinning.MOST_STRETCHES", 60)
    data = player_data(sim)
    ends = {data["ends"][row["actor"]][0]: row["end"] for row in data["objects"]}

    assert sum(len(row["start"]) for row in data["objects"]) <= 60
    assert {label: life.stretches[-1].end_us for label, life in lives(sim.trace).items()} == ends
    assert any("States of objects shorter than" in note for note in data["notes"])


# -- determinism, and what texts may hold


def test_the_same_trace_gives_the_same_bytes() -> None:
    """Two runs with one seed, in two processes with different hash seeds, give one page."""
    program = (
        "import sys, hashlib; sys.path.insert(0, 'tests/views'); import test_player as t;"
        "print(hashlib.sha256(t.player(t.busy(40), title='x').html().encode()).hexdigest())"
    )
    seen = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)

    assert len(seen) == 1


def test_texts_cannot_leave_their_script() -> None:
    """A label with markup is data: it ends no script, opens no comment, and comes back as it was."""
    trace = Trace()
    evil = "</script><!--<img src=x onerror=alert(1)>"
    trace.emit(0, "send", evil, 1, 0, ("GET", f"https://a.example/{evil}", ""))
    trace.emit(9, "edge", "edge", 1, 0, ("",))
    trace.emit(9, "isolate", "worker", 1, 0, ("", 0))
    html = player(trace, title=evil).html()
    embedded = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)

    assert embedded is not None
    assert 2 == html.count("</script>") and "<img" not in html and "<!--" not in html
    assert any(evil in text for text in json.loads(embedded[1])["texts"])
    assert evil == json.loads(embedded[1])["title"]


def test_the_frame_holds_the_page() -> None:
    """What a notebook shows is a frame whose source, unescaped, is the saved page; it may run scripts and no more."""
    shown = player(busy(2), title='a "title"')
    source = (
        r'<iframe class="dosim-frame" title="a &quot;title&quot;" sandbox="allow-scripts" .*srcdoc="([^"]*)"></iframe>'
        r"\n<script>\(\(\) => \{.*\}\)\(\);</script>"
    )
    frame = re.fullmatch(source, shown._repr_html_(), re.DOTALL)
    bundle = shown._repr_mimebundle_()

    assert frame is not None and shown.html() == unescape(frame[1])
    assert {"text/plain": repr(shown), "text/html": shown._repr_html_()} == bundle
    assert repr(shown).startswith("<player: 2 requests, 2 clients, 2 objects, 8 messages in ")


def test_the_frame_is_about_as_high_as_its_page() -> None:
    """Until its page says better: 208 px, 460 of a map, 32 and 24 a lane of six; columns and no map take less."""
    whole, none = player(busy(20)), player(Trace(), title="None")

    assert f"height:{208 + 460 + 32 + 6 * 24}px" in whole._repr_html_()
    assert f"height:{208 + 24 + 200}px" in none._repr_html_()


def test_the_page_names_nothing_outside() -> None:
    """No address but the namespace of SVG, which nobody fetches."""
    html = player(busy(1)).html()

    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"https?://(?!a\.example)[^\"'\s<]+", html))
    assert "@import" not in html and "url(" not in html and " src=" not in html


def test_the_module_is_one_file() -> None:
    """Whatever the files of the player import from each other is in the one module, which imports nothing."""
    module = player_module()
    files = sorted(Path(dosim.views.player.page.__file__).parent.glob("*.js"))

    assert [] == re.findall(r"^import\b.*|\bfrom \"\./.*", module, re.MULTILINE)
    assert ["export { mount };", "export default { render, mount };"] == re.findall(r"^export .*", module, re.MULTILINE)
    assert {path.name for path in files} == {*dosim.views.player.page._PARTS, *dosim.views.player.page._AROUND}


@pytest.mark.parametrize(("dark", "paper"), [(True, "background:#16181C"), (False, "background:#FFFFFF"), (None, None)])
def test_dark_can_be_chosen(dark: bool | None, paper: str | None) -> None:
    """`dark` sets the page's paper and is handed to the module; None leaves it to the reader's setting."""
    html = player(Trace(), dark=dark).html()

    assert f"{{ dark: {json.dumps(dark)} }}" in html
    assert (
        (paper in html) if paper else ("background:#" not in html.split("<body>")[0].split("body {")[1].split("}")[0])
    )


# -- traces that are not whole, and what is no trace


def test_an_empty_trace_has_a_page() -> None:
    """Nothing happened, and the page says that."""
    shown = player(Trace())

    assert "<player: Nothing happened in this trace.>" == repr(shown)
    assert [0, 0] == shown.data["span"] and "Nothing happened in this trace." in shown.html()


def test_the_last_records_alone_have_a_page() -> None:
    """With retention the page shows what is left, and says that something is missing."""
    sim = world(retention="last=150")
    for _ in range(20):
        sim.run(sim.client("Tokyo").fetch("https://a.example/a"))
    data = player_data(sim)

    assert "The trace kept 150 of" in data["notes"][0]
    assert data["messages"]["start"] and data["span"][0] > 0


def test_a_trace_that_kept_nothing_says_so() -> None:
    """Without any record there is only the advice to keep them; that nothing happened is not said."""
    shown = player(busy(3, retention="none"))
    data = shown.data

    assert "run with retention='full'" in data["notes"][0]
    assert "Nothing was kept of what happened." == data["about"] == shown.alt


def test_a_trace_from_a_file_has_the_same_page(tmp_path: Path) -> None:
    """JSON lines carry all that the player needs."""
    sim = busy(10)
    sim.trace.to_jsonl(tmp_path / "t.jsonl")

    assert player(sim).html() == player(Trace.from_jsonl(tmp_path / "t.jsonl")).html()


def test_what_is_no_trace_is_refused() -> None:
    """Errors name the argument and what to give."""
    with pytest.raises(TypeError, match="neither a simulation nor a trace"):
        player("run.jsonl")
    with pytest.raises(TypeError, match="title=3 is no text"):
        player(Trace(), title=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dark='yes' is not known"):
        player(Trace(), dark="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="most_messages=0 is no count"):
        player(Trace(), most_messages=0)


def test_a_path_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    """A missing folder is named by the error."""
    with pytest.raises(OSError, match="nowhere"):
        player(Trace()).save(tmp_path / "nowhere" / "run.html")


# -- the widget


def test_python_reads_and_sets_the_time_of_the_widget() -> None:
    """`t_us`, `playing` and `picked` are traits that follow the page; a time outside the run is its nearest end."""
    pytest.importorskip("anywidget")
    shown = player(busy(2))
    widget = shown.widget()
    end_us = shown.data["span"][1]
    widget.t_us = 5_000
    widget.picked = "Counter('a')"

    assert (5_000, False, "Counter('a')") == (widget.t_us, widget.playing, widget.picked)
    widget.t_us = end_us + 1
    assert end_us == widget.t_us
    assert shown.data == json.loads(widget.data)


def test_the_widget_brings_the_frame_for_who_shows_no_widgets() -> None:
    """Beside the widget's own view the mimebundle holds the page in a frame."""
    pytest.importorskip("anywidget")
    shown = player(busy(1))
    data, _ = shown.widget()._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in data
    assert shown._repr_html_() == data["text/html"]


def test_the_widget_starts_a_fork_where_the_playhead_stands() -> None:
    """The fork is a simulation at that moment; a moment that cannot be is told, and nothing is lost."""
    pytest.importorskip("anywidget")
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7)
    sim.run(sim.client("Tokyo").fetch("https://x.example/"))
    widget = sim.player().widget()

    assert widget.can_fork and not player(sim.trace).widget().can_fork
    widget._handle_custom_msg({"fork_at_us": 100_000}, [])
    assert [100_000] == [fork.world.loop.now_us for fork in widget.forks]
    assert "Fork 1 stands at 0.100000 s: .forks[0] in Python." == widget.said
    assert len(widget.forks[0].trace) < len(sim.trace)
    widget._handle_custom_msg({"fork_at_us": 10**12}, [])
    assert widget.said.startswith("No fork at 1000000.000000 s: ") and 1 == len(widget.forks)


def test_without_anywidget_the_player_still_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget is refused with the way out; the frame needs no package."""
    monkeypatch.setitem(sys.modules, "anywidget", None)
    dosim.views.player.page._widget_class.cache_clear()
    shown = player(Trace())

    with pytest.raises(ImportError, match=r"needs anywidget.*Without it, show the player itself"):
        shown.widget()
    assert shown._repr_html_().startswith("<iframe")
    dosim.views.player.page._widget_class.cache_clear()


def test_the_player_loads_nothing_but_the_standard_library() -> None:
    """Making and saving a page imports neither anywidget nor IPython nor matplotlib."""
    program = (
        "import sys; from dosim.trace import Trace; from dosim.views.player import player; player(Trace()).html();"
        "print([m for m in ('anywidget', 'ipywidgets', 'IPython', 'matplotlib', 'traitlets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout


def test_player_data_takes_whatever_has_a_trace() -> None:
    """A simulation is anything with a trace."""
    trace = Trace()

    assert Player(player_data(SimpleNamespace(trace=trace))).data == player_data(trace)
