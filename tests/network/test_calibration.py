"""Predicted round trips against measured ones, and the table of constants."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from dosim.network import CONSTANTS, Network, constants

MEASURED = json.loads(Path(__file__).with_name("rtt-azure-2026-07.json").read_text(encoding="utf-8"))

#: Round trips below this many milliseconds are held to it as if they were as long: their error is the ends', not the
#: route's.
FLOOR_MS = 3.0


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.fixture(scope="module")
def errors(network: Network) -> list[tuple[float, str, str]]:
    """Relative error of each measured pair, and the pair."""
    return [
        (abs(network.round_trip_ms(a, b) - measured_ms) / max(measured_ms, FLOOR_MS), a, b)
        for a, row in MEASURED["rtt_ms"].items()
        for b, measured_ms in row.items()
    ]


def test_predicted_round_trips_agree_with_measured_ones(network, errors, capsys):
    """Over the 184 measured pairs the median error is at most 8 %, the 90th percentile at most 20 %."""
    values = sorted(error for error, _, _ in errors)
    median, p90 = statistics.median(values), statistics.quantiles(values, n=10)[8]
    with capsys.disabled():
        print(f"\nnetwork against {len(values)} measured round trips: median error {median:.1%}, 90th {p90:.1%}; worst")
        for error, a, b in sorted(errors, reverse=True)[:5]:
            row = MEASURED["rtt_ms"][a][b]
            print(f"  {a} to {b}: {row} ms measured, {network.round_trip_ms(a, b):.0f} ms predicted ({error:.0%})")

    assert 184 == len(values)
    assert median <= 0.08
    assert p90 <= 0.20


def test_no_city_is_far_off(errors):
    """For each measured city the median error over its own pairs is at most 12 %: no region is modelled badly."""
    for city in MEASURED["cities"]:
        assert statistics.median(error for error, a, b in errors if city in (a, b)) <= 0.12, city


def test_coordinates_predict_as_well_as_names(network):
    """The table's own coordinates give the same round trips as the names, within a millisecond."""
    places = {name: (spot["lat"], spot["lon"]) for name, spot in MEASURED["cities"].items()}
    for a, row in MEASURED["rtt_ms"].items():
        for b in row:
            assert network.round_trip_ms(places[a], places[b]) == pytest.approx(network.round_trip_ms(a, b), abs=1)


def test_every_constant_is_in_the_table_with_its_status():
    """Each number of the module has a row: same value, a unit, a status and a source."""
    numbers = {
        name: value for name, value in vars(constants).items() if name.isupper() and isinstance(value, (int, float))
    }

    assert numbers == {row.name: row.value for row in CONSTANTS}
    for row in CONSTANTS:
        assert row.unit
        assert row.source
        assert row.status in {"measured", "documented", "assumed"}


def test_no_pair_has_a_correction_of_its_own():
    """The fitted constants are five numbers for the whole world."""
    fitted = {row.name for row in CONSTANTS if row.status == "measured"}

    assert {"PATH_SLACK", "LAND_DETOUR", "RED_SEA_DETOUR", "HOP_US", "END_US"} == fitted
