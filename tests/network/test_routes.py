"""The backbone: routes, delays, jitter, and the agreement with networkx."""

from __future__ import annotations

import itertools
import subprocess
import sys

import networkx as nx
import pytest

from dosim.network import City, Link, Network, great_circle_km
from dosim.network import constants as c

#: Cities spread over all regions, for tests over pairs.
SPREAD = (
    "Ashburn",
    "Auckland",
    "Cape Town",
    "Dubai",
    "Frankfurt",
    "Hong Kong",
    "Honolulu",
    "Johannesburg",
    "Lagos",
    "Moscow",
    "Mumbai",
    "Nairobi",
    "Quincy",
    "Reykjavík",
    "Santiago",
    "Singapore",
    "Sydney",
    "São Paulo",
    "Tel Aviv",
    "Tokyo",
)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def straight_round_trip_ms(network: Network, a: str, b: str) -> float:
    """Light in fibre along the great circle and back."""
    return 2 * great_circle_km(network.city(a), network.city(b)) * c.FIBRE_US_PER_KM / 1000


def test_every_city_is_connected(network):
    """From any city every other can be reached."""
    assert nx.is_connected(network.graph)
    assert len(network.graph) == len(network.cities)


def test_links_are_listed_once_and_never_shorter_than_the_globe_allows(network):
    """No two links join the same cities, and each is longer than its great circle but under twice and a half that."""
    pairs = [frozenset((link.a, link.b)) for link in network.links]

    assert len(set(pairs)) == len(pairs)
    for link in network.links:
        straight_km = great_circle_km(network.cities[link.a], network.cities[link.b])
        assert straight_km < link.length_km < 2.5 * straight_km, link


def test_routes_agree_with_networkx(network):
    """Dijkstra over plain data and networkx over `network.graph` find the same delays, from every city."""
    graph = network.graph
    for source in network.cities:
        expected = nx.single_source_dijkstra_path_length(graph, source, weight="delay_us")
        for target in SPREAD:
            if target != source:
                assert expected[target] == network._distance_us(source, target)


def test_a_path_is_as_long_as_its_delay_says(network):
    """The links of `path` add up to the delay, the two ends' cost apart."""
    graph = network.graph
    for a, b in itertools.combinations(SPREAD, 2):
        links_us = sum(graph.edges[edge]["delay_us"] for edge in itertools.pairwise(network.path(a, b)))
        assert network.one_way_us(a, b) == links_us + c.END_US


def test_the_graph_is_a_copy(network):
    """Changing the handed-out graph changes no route."""
    network.graph.remove_node("Singapore")

    assert "Singapore" in network.path("Perth", "Chennai")


def test_frankfurt_to_tokyo_is_far_longer_than_the_great_circle(network):
    """Frankfurt to Tokyo takes more than 2.5 times the straight fibre's time."""
    assert network.round_trip_ms("Frankfurt", "Tokyo") > 2.5 * straight_round_trip_ms(network, "Frankfurt", "Tokyo")


@pytest.mark.parametrize(
    ("a", "b", "via"),
    [
        ("Frankfurt", "Singapore", {"Marseille", "Cairo"}),
        ("London", "Mumbai", {"Marseille", "Cairo", "Fujairah"}),
        ("Tel Aviv", "Dubai", {"Marseille"}),
        ("Johannesburg", "London", {"Cape Town", "Lisbon"}),
        ("Johannesburg", "Dubai", {"Mombasa", "Fujairah"}),
        ("Johannesburg", "São Paulo", {"Lisbon", "Norfolk"}),
        ("Almaty", "Beijing", {"Moscow", "Singapore"}),
        ("Lima", "Madrid", {"Miami"}),
        ("Sydney", "Singapore", {"Perth"}),
        ("Singapore", "Dubai", {"Chennai", "Fujairah"}),
        ("Delhi", "Lahore", {"Mumbai", "Fujairah", "Karachi"}),
        ("Honolulu", "Frankfurt", {"Portland", "London"}),
    ],
)
def test_traffic_takes_the_routes_that_exist(network, a, b, via):
    """Long-haul paths run by the cities where the real ones run."""
    path = network.path(a, b)

    assert (a, b) == (path[0], path[-1])
    assert via <= set(path)


def test_sydney_reaches_sao_paulo_through_the_united_states(network):
    """No cable joins Australia to South America in this network."""
    assert any(network.city(name).country == "US" for name in network.path("Sydney", "São Paulo"))


def test_no_delay_beats_light_in_fibre(network):
    """The routed round trip is never below that of straight fibre, over all pairs of the spread and all cities."""
    for a, b in itertools.product(SPREAD, network.cities):
        if a != b:
            assert network.round_trip_ms(a, b) > straight_round_trip_ms(network, a, b)


def test_no_detour_is_shorter_than_the_route(network):
    """The path over a third city never has less delay than the direct answer."""
    for a, b, between in itertools.permutations(SPREAD[:12], 3):
        assert network.one_way_us(a, b) <= network.one_way_us(a, between) + network.one_way_us(between, b)


def test_delays_and_paths_are_symmetric(network):
    """There and back are the same, in delay and in cities, for names and for coordinates."""
    for a, b in itertools.combinations((*SPREAD, (36.2, 137.9), (-2.0, -45.0)), 2):
        assert network.one_way_us(a, b) == network.one_way_us(b, a)
        assert network.path(a, b) == network.path(b, a)[::-1]


def test_one_colo_is_close_to_itself(network):
    """Two machines of one colo are a fraction of a millisecond apart, and the path is the city."""
    assert c.SAME_COLO_US == network.one_way_us("Tokyo", "NRT")
    assert ("Tokyo",) == network.path("Tokyo", "Tokyo")


def test_coordinates_of_a_city_are_as_good_as_its_name(network):
    """A place at a city's coordinates has the same round trips, and the city itself is next door."""
    tokyo = network.city("Tokyo")
    here = (tokyo.latitude, tokyo.longitude)

    assert network.round_trip_ms("Tokyo", "Berlin") == network.round_trip_ms(here, "Berlin")
    assert network.round_trip_ms(here, "Tokyo") < 1


def test_coordinates_far_from_any_city_pay_for_the_way(network):
    """A place in the countryside adds its way to the nearest city."""
    countryside = (36.2, 137.9)

    assert network.path(countryside, "Berlin")[0] == network.city(countryside).name
    assert network.round_trip_ms(countryside, "Seoul") > network.round_trip_ms("Osaka", "Seoul")


def test_jitter_is_small_positive_and_long_tailed(network):
    """Jitter grows with the draw from nothing, half a percent on average, a few percent at the 99th percentile."""
    base_us = network.one_way_us("London", "Tokyo")
    extra_us = [network.delay_us("London", "Tokyo", step / 1000) - base_us for step in range(1000)]

    assert 0 == extra_us[0]
    assert sorted(extra_us) == extra_us
    assert 0.003 < sum(extra_us) / 1000 / base_us < 0.008
    assert 0.02 < extra_us[990] / base_us < 0.06


@pytest.mark.parametrize("u", [1.0, -0.1, float("nan")])
def test_a_draw_outside_the_unit_interval_is_refused(network, u):
    """The uniform draw must be in [0, 1)."""
    with pytest.raises(ValueError, match="u must be in"):
        network.delay_us("London", "Tokyo", u)


def test_an_instant_network_has_no_delay():
    """With `instant` every delay is 0, and entry and placement stay."""
    network = Network(instant=True)

    assert 0 == network.one_way_us("London", "Tokyo")
    assert 0 == network.delay_us("London", "Tokyo", 0.9)
    assert 0 == network.client_us("Cheyenne") == network.lookup_us("Tokyo")
    assert ("Denver", "Miami") == (network.entry("Cheyenne").name, network.place("São Paulo").name)


def test_a_small_world_can_replace_the_real_one():
    """Cities and links of one's own make a network; places that no link joins are refused."""
    cities = {
        name: City(name, 0.0, lon, name[:3].upper(), "afr", "XX") for name, lon in zip("abcd", range(4), strict=True)
    }
    network = Network(cities=cities, links=[Link("a", "b", 1000, "sea"), Link("b", "c", 1000, "sea")])

    assert ("a", "b", "c") == network.path("a", "c")
    assert "a" == network.default.name
    with pytest.raises(ValueError, match="no route joins a and d"):
        network.one_way_us("a", "d")


def test_networks_share_no_answers_that_can_differ():
    """What one simulation's network learned does not show in another's."""
    first, second = Network(), Network(instant=True)

    assert first.one_way_us("Lima", "Oslo") > second.one_way_us("Lima", "Oslo") == 0


def test_import_loads_neither_networkx_nor_random():
    """The package needs the standard library alone and draws nothing itself."""
    program = (
        "import sys; from dosim.network import Network; Network().round_trip_ms('Lima', 'Oslo'); "
        "print('networkx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "False" == done.stdout.strip()
