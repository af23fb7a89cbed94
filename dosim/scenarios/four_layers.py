"""`four-layers`: the same text in memory, in key-value storage, in SQLite, in R2, and beside them in a KV namespace.

Each outlives another set of accidents. The three that an object holds are equally near to it: what takes long is the
way to the object, or the service that it has to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from dosim.kernel.durations import duration_text
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation

LAYERS: Final = {
    "memory": "memory (an attribute)",
    "kv": "key-value (storage.kv)",
    "sqlite": "SQLite (storage.sql)",
    "r2": "R2",
    "namespace": "a KV namespace",
}
#: Layers that a Worker can ask without the object.
SHARED: Final = ("r2", "namespace")
HOME, AWAY = "Paris", "Tokyo"
#: What happens this long after the write has returned is before its confirmation; the other one is after it.
AT_ONCE, LATER = "1 ms", "1 s"
IDLE: Final = "11 s"
IDLENESS: Final = f"{IDLE} idle"
DEPLOYMENT: Final = "a deployment"
RESET: Final = f"a reset at {AT_ONCE}"
CRASH: Final = f"a crash at {AT_ONCE}"
LATE_CRASH: Final = f"a crash at {LATER}"
DELETE_ALL: Final = "deleteAll()"
EVENTS: Final = (IDLENESS, DEPLOYMENT, RESET, CRASH, LATE_CRASH, DELETE_ALL)
#: Calls that are billed for the price of a million.
CALLS: Final = 20
URL: Final = "https://notes.example"
_WORDS: Final = {"second": "kept", "first": "the text before it", None: "lost"}
_STORAGE: Final = ("do_rows_read", "do_rows_written", "kv_reads", "kv_writes", "r2_class_a", "r2_class_b")
_STORED: Final = {"kv": "do_stored", "sqlite": "do_stored", "r2": "r2_stored", "namespace": "kv_stored"}


def run(*, seed: int | str = 0) -> Lesson:
    """Write the text to each layer, let something happen, and look; then ask from two cities, and read the bill."""
    told, after, worlds = {}, {}, []
    for event in EVENTS:
        sim = _simulation(seed)
        if event == CRASH:
            worlds.append(World(event, sim))
        after[event], told[event] = _survival(sim, event)
    near = _simulation(seed)
    latency_us = _latencies(near)
    stale = _stale(_simulation(seed))
    worlds.append(World(f"each written from {HOME}, and read from {HOME} and {AWAY}", _drawn(_simulation(seed))))
    priced = _simulation(seed)
    usd = _prices(priced)
    gb_month = {price.meter: float(price.usd) for price in priced.bill().prices.prices}
    facts: dict[str, Any] = {
        "text_after": after,
        "told_before_the_crash": told[CRASH],
        "told_before_the_reset": told[RESET],
        "latency_us": latency_us,
        "kv_namespace_read_after_a_write": stale,
        "usd_a_million": usd,
        "usd_a_gb_month": {layer: gb_month[meter] for layer, meter in _STORED.items()},
    }
    shown = [
        *_survival_blocks(after, told),
        *_latency_blocks(latency_us, stale),
        *_price_blocks(usd, facts["usd_a_gb_month"]),
    ]
    assumed = (
        f"{duration_text(near.world.platform.confirm_us)} until a write is confirmed; the service times of R2 and KV"
        " (dosim/bindings/r2_store.py, kv_store.py); a reset lets committed writes be confirmed, and their answers go;"
        " Python and SQLite take no time here; rows read are an estimate."
    )
    claim = _claim(after, latency_us, usd)
    return Lesson("four-layers", claim, facts, shown, worlds, seed, assumed, ("four_layers",))


def _claim(after: Mapping[str, Any], latency_us: Mapping[str, Any], usd: Mapping[str, Any]) -> str:
    survived = {layer: sum(after[event][layer] == "second" for event in EVENTS) for layer in LAYERS}
    home = {layer: _ms(by_city[HOME]) for layer, by_city in latency_us.items()}
    million = {layer: _usd(usd[layer]["write"]) for layer in LAYERS}
    return (
        f"Of {len(EVENTS)} events memory survives {survived['memory']}, key-value storage {survived['kv']}, SQLite"
        f" {survived['sqlite']}, R2 {survived['r2']}. A read from {HOME} takes {home['memory']}, {home['kv']},"
        f" {home['sqlite']} and {home['r2']}; a million writes cost {million['memory']}, {million['kv']},"
        f" {million['sqlite']} and {million['r2']} besides the way there."
    )


def _simulation(seed: int | str) -> Simulation:
    return Simulation.from_project(project("four_layers"), seed=seed, show_output=False)


def _ask(sim: Simulation, client: Client, path: str) -> Any:
    """The JSON that a path answers."""
    return sim.run(sim.run(client.fetch(f"{URL}/{path}")).json())


# -- what survives


def _survival(sim: Simulation, event: str) -> tuple[dict[str, str | None], dict[str, bool]]:
    """For each layer: which text is there after the event, and was the client told that the second was written?"""
    paris = sim.client(HOME)
    after, told = {}, {}
    for layer in LAYERS:
        _ask(sim, paris, f"{layer}/write/first")
        sim.run(for_="2s")
        told[layer] = _happens(sim, paris, layer, event)
        after[layer] = _ask(sim, paris, f"{layer}/read")  # at once, lest the object idles out of memory
    return after, told


def _happens(sim: Simulation, client: Client, layer: str, event: str) -> bool:
    """Write the second text, and let the event happen to the object; whether the client was told of the write."""
    call = client.fetch(f"{URL}/{layer}/write/second")
    if event in (RESET, CRASH):
        said = len(sim.trace.of_kind("log"))
        while len(sim.trace.of_kind("log")) == said:  # until the write has returned
            sim.step()
        sim.run(for_=AT_ONCE)
        (sim.crash if event == CRASH else sim.reset)(layer)
        return bool(sim.run(call).ok)
    told = bool(sim.run(call).ok)
    if event == IDLENESS:
        sim.run(for_=IDLE)
        assert sim.objects[layer].state == "evicted"
    elif event == DEPLOYMENT:
        sim.deploy(project("four_layers"), strategy="immediate")
    elif event == LATE_CRASH:
        sim.run(for_=LATER)
        sim.crash(layer)
    else:
        _ask(sim, client, f"{layer}/wipe")
    return told


def _survival_blocks(after: Mapping[str, Any], told: Mapping[str, Mapping[str, bool]]) -> Iterator[Block]:
    yield Heading("is the last text still there after …")
    rows = [(name, *(_WORDS[after[event][layer]] for event in EVENTS)) for layer, name in LAYERS.items()]
    yield table(("", *EVENTS), rows, left=EVENTS)
    lost = [layer for layer in LAYERS if after[CRASH][layer] != "second"]
    yield Paragraph(
        f"{AT_ONCE} after it has returned, a write is not confirmed yet. The client was told of a write that the crash"
        f" then took: {_names(layer for layer in lost if told[CRASH][layer])}. It got an error instead, as its answer"
        f" waited at the output gate: {_names(layer for layer in lost if not told[CRASH][layer])}."
    )
    kept = (layer for layer in LAYERS if after[RESET][layer] == "second" and told[RESET][layer])
    yield Paragraph(
        "A reset is no crash: the machine goes on, confirms what was written, and lets the answer go. Told of, and"
        f" there: {_names(kept)}."
    )


def _names(layers: Iterable[str]) -> str:
    return ", ".join(LAYERS[layer] for layer in layers) or "never"


# -- how far it is


def _latencies(sim: Simulation) -> dict[str, dict[str, int]]:
    """Layer -> city -> how long a read takes that is not the first, microseconds."""
    clients = {city: sim.client(city) for city in (HOME, AWAY)}
    found: dict[str, dict[str, int]] = {}
    paths = {
        **{layer: f"{layer}/read" for layer in LAYERS},
        **{f"{layer}, direct": f"{layer}/direct" for layer in SHARED},
    }
    for layer in LAYERS:
        _ask(sim, clients[HOME], f"{layer}/write/first")
    for name, path in paths.items():
        found[name] = {}
        for city, client in clients.items():
            _ask(sim, client, path)
            call = client.fetch(f"{URL}/{path}")
            sim.run(call)
            found[name][city] = call.latency_us or 0
    return found


def _drawn(sim: Simulation) -> Simulation:
    """Every layer written at the same instant, and later read at the same instant, for the picture."""
    home, away = sim.client(HOME), sim.client(AWAY)
    sim.run(*[home.fetch(f"{URL}/{layer}/write/text") for layer in LAYERS])
    sim.run(for_="1s")
    sim.run(*[client.fetch(f"{URL}/{layer}/read") for client in (home, away) for layer in LAYERS])
    return sim


def _stale(sim: Simulation) -> dict[str, Any]:
    """What the other continent reads from the KV namespace, and from R2, just after a write at home."""
    home, away = sim.client(HOME), sim.client(AWAY)
    for layer in SHARED:
        _ask(sim, home, f"{layer}/write/first")
    sim.run(for_="2s")
    for layer in SHARED:
        _ask(sim, away, f"{layer}/direct")
        _ask(sim, home, f"{layer}/write/second")
    soon = {layer: _ask(sim, away, f"{layer}/direct") for layer in SHARED}
    sim.run(for_="61s")
    return {"soon": soon, "61_s_later": {layer: _ask(sim, away, f"{layer}/direct") for layer in SHARED}}


def _latency_blocks(latency_us: Mapping[str, Any], stale: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(f"how long a read takes; the object lives in {HOME}")
    names = {**LAYERS, **{f"{layer}, direct": f"{LAYERS[layer]}, by the Worker alone" for layer in SHARED}}
    rows = [(names[layer], *(_ms(us) for us in by_city.values())) for layer, by_city in latency_us.items()]
    yield table(("", f"from {HOME}", f"from {AWAY}"), rows)
    soon, later = stale["soon"], stale["61_s_later"]
    yield Paragraph(
        f"{AWAY}'s Worker has the KV namespace's answer beside it, and it may be old: after {HOME} had written 'second'"
        f" it read {soon['namespace']!r} from there (61 s later {later['namespace']!r}), and {soon['r2']!r} from R2."
    )


# -- what it costs


def _prices(sim: Simulation) -> dict[str, dict[str, float]]:
    """Layer -> dollars of a million reads and writes: in the layer, and with the way there."""
    paris = sim.client(HOME)
    found: dict[str, dict[str, float]] = {}
    for layer in LAYERS:
        found[layer] = {}
        for action in ("write/text", "read"):
            _ask(sim, paris, f"{layer}/write/text")
            sim.run(for_="2s")
            start = sim.bill()
            for _ in range(CALLS):
                _ask(sim, paris, f"{layer}/{action}")
                sim.run(for_="2s")  # a key of a KV namespace may be written once a second
            kind = action.partition("/")[0]
            bill = sim.bill(since=start)
            usd_of = {
                price.meter: float(bill.quantity(price.meter) * Fraction(price.usd) / price.per * 1_000_000 / CALLS)
                for price in bill.prices.prices
                if not price.meter.endswith("_stored")
            }
            found[layer][kind] = sum(usd_of[meter] for meter in _STORAGE)
            found[layer][f"{kind}, all"] = sum(usd_of.values())
    return found


def _price_blocks(usd: Mapping[str, Mapping[str, float]], gb_month: Mapping[str, float]) -> Iterator[Block]:
    yield Heading("what a million of them cost at list prices, by the object")
    columns = ("", "reads", "with the way there", "writes", "with the way there", "a GB kept for a month")
    keys = ("read", "read, all", "write", "write, all")
    rows = [
        (name, *(_usd(usd[layer][key]) for key in keys), _usd(gb_month[layer]) if layer in gb_month else "–")
        for layer, name in LAYERS.items()
    ]
    yield table(columns, rows)
    yield Paragraph(
        "The way there: the requests of the Worker and of the object, and the object's duration while it waits for"
        " somebody else."
    )


def _ms(us: int) -> str:
    return f"{us / 1000:.1f} ms"


def _usd(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 0.1 or not usd else f"${usd:,.3f}"
