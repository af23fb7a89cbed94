"""Ids: their exact digits, names, coercions, refusals (rules 7.1–7.5; RULES-python 29)."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject

NOT_HEX = "TypeError: Invalid Durable Object ID: must be 64 hex digits"
NOT_VALID = "TypeError: Durable Object ID is not valid for this namespace."
NOT_AN_ID = (
    "TypeError: Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId'."
)


class A(DurableObject):
    async def own_name(self) -> Any:
        return self.ctx.id.name

    async def hex(self) -> str:
        return str(self.ctx.id)

    async def mark(self) -> int:
        self.marks = getattr(self, "marks", 0) + 1
        return self.marks

    async def die(self) -> None:
        self.ctx.abort("gone")


class B(A):
    pass


def world(**options: Any) -> Simulation:
    return Simulation(durable_objects={"A": A, "B": B}, **{"platform": "workerd", "network": None, **options})


def sealed(unique_key: str, name: str) -> str:
    """The recorded construction, written out."""
    key = sha256(unique_key.encode()).digest()
    head = hmac.digest(key, name.encode(), "sha256")[:16]
    return (head + hmac.digest(key, head, "sha256")[:16]).hex()


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(JsException) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_the_construction_is_the_recorded_one() -> None:
    """`main-A` and "foo" give the digits recorded from workerd [id-01 id-02]."""
    assert sealed("main-A", "foo") == "e50fed0c3b8a12898623c64627d72429741d90b1e0024200e432e2187d6a06e8"
    from dosim.web.ids import IdFactory

    assert str(IdFactory("main-A").from_name("foo")) == sealed("main-A", "foo")


@pytest.mark.parametrize("name", ["foo", "", "é", "a b", "日本", "x" * 2000])
def test_the_unique_key_is_worker_and_class(name: str) -> None:
    """In a sandbox the worker is called "worker": the key is `worker-A` [id-01]."""
    sim = world()
    assert str(sim.env.A.idFromName(name)) == sealed("worker-A", name)
    assert str(sim.env.B.idFromName(name)) == sealed("worker-B", name)


def test_equals_compares_the_bytes_alone() -> None:
    """Same name, other name, other namespace, and by its text [id-02]."""
    env = world().env
    a = env.A.idFromName("foo")
    again = env.A.idFromString(a.toString())
    others = (env.A.idFromName("foo"), env.A.idFromName("bar"), env.B.idFromName("foo"))
    assert [a.equals(other) for other in others] == [True, False, False]
    assert a.equals(again) and again.name is None and a.name == "foo"


def test_an_id_is_a_raw_proxy() -> None:
    """`==` is False, it cannot be hashed, `str()` and toString() are its digits (FACTS 1.4 no. 7)."""
    env = world().env
    one, two = env.A.idFromName("foo"), env.A.idFromName("foo")
    assert (one == two) is False and str(one) == one.toString() and len(str(one)) == 64
    with pytest.raises(TypeError):
        hash(one)


@pytest.mark.parametrize("text", ["abc", "", "z" * 64, "0" * 65, "0" * 63, 5, None])
def test_what_is_no_hex_is_refused(text: Any) -> None:
    """idFromString of anything but 64 hex digits [id-03]."""
    assert refusal(world().env.A.idFromString, text) == NOT_HEX


def test_digits_that_were_never_given_out_are_refused() -> None:
    """Made-up digits and another namespace's id [id-03; id_invalid_and_foreign]."""
    env = world().env
    assert refusal(env.A.idFromString, "0" * 64) == NOT_VALID
    assert refusal(env.A.idFromString, str(env.B.idFromName("foo"))) == NOT_VALID


def test_upper_case_hex_is_normalised() -> None:
    """idFromString("ABC…") gives lower case digits (RULES-python 29)."""
    env = world().env
    digits = str(env.A.idFromName("foo"))
    assert str(env.A.idFromString(digits.upper())) == digits


def test_new_unique_ids_are_unique_unnamed_and_valid() -> None:
    """Random, sealed like the others; the same seed gives the same ones [id-04]."""
    env, again, other = world().env, world().env, world(seed=1).env
    one, two = env.A.newUniqueId(), env.A.newUniqueId()
    assert str(one) != str(two) and one.name is None
    assert env.A.idFromString(str(one)).equals(one)
    assert str(again.A.newUniqueId()) == str(one) != str(other.A.newUniqueId())


def test_a_unique_id_reaches_an_object_without_a_name() -> None:
    """Inside, ctx.id.name is None [id-04]."""
    sim = world()
    new = sim.env.A.newUniqueId()
    stub = sim.env.A.get(new)
    assert stub.name is None and sim.run(stub.hex()) == str(new) and sim.run(stub.own_name()) is None


def test_names_are_coerced_to_text() -> None:
    """5 is "5", None is "undefined"; the empty name is allowed [id-11]."""
    env = world().env
    assert str(env.A.idFromName(5)) == str(env.A.idFromName("5"))
    assert env.A.idFromName(5).name == "5"
    assert str(env.A.idFromName(None)) == str(env.A.idFromName("undefined"))
    assert env.A.idFromName("").name == ""
    assert env.A.idFromName(True).name == "true"


def test_get_by_name_get_and_id_from_string_reach_the_same_object() -> None:
    """Three ways to one object [id-06; id_same_object_three_ways]."""
    sim = world()
    env = sim.env
    by_id = env.A.get(env.A.idFromName("foo"))
    by_text = env.A.get(env.A.idFromString(str(env.A.idFromName("foo"))))
    assert [sim.run(stub.mark()) for stub in (env.A.getByName("foo"), by_id, by_text)] == [1, 2, 3]
    assert by_id.name == "foo" and by_text.name is None and str(by_text.id) == str(by_id.id)


@pytest.mark.parametrize("given", ["0" * 64, None, 5])
def test_get_takes_an_id_alone(given: Any) -> None:
    """A text is no id [id-10]."""
    assert refusal(world().env.A.get, given) == NOT_AN_ID
    assert refusal(world().env.A.get) == NOT_AN_ID


def test_get_accepts_the_id_of_another_namespace() -> None:
    """It reaches an object of this namespace with those digits [id-10]."""
    sim = world()
    foreign = sim.env.B.idFromName("foo")
    assert sim.run(sim.env.A.get(foreign).hex()) == str(foreign)
    assert sim.objects[0].class_name == "A"


def test_any_location_hint_is_accepted() -> None:
    """Known or not, as keyword or in a dict [id-10]."""
    sim = world()
    assert sim.run(sim.env.A.getByName("foo", locationHint="weur").mark()) == 1
    assert sim.run(sim.env.A.getByName("foo", {"locationHint": "nowhere"}).mark()) == 2


def test_ctx_id_has_the_digits_and_the_name() -> None:
    """Reached by name first: both are there [id-07]."""
    sim = world()
    stub = sim.env.A.getByName("foo")
    assert (sim.run(stub.hex()), sim.run(stub.own_name())) == (str(stub.id), "foo")


def _names(sim: Simulation, *stubs: Any) -> list[Any]:
    class_method = [getattr(stub, "who", None) for stub in stubs]
    assert all(class_method)
    return [sim.run(method()) for method in class_method]


class Who(DurableObject):
    async def who(self) -> Any:
        return self.ctx.id.name

    async def die(self) -> None:
        self.ctx.abort("gone")

    async def sets_alarm(self) -> None:
        from dosim.workers import js

        await self.ctx.storage.setAlarm(js.Date.now() + 60_000)

    async def alarm(self) -> None:
        await self.ctx.storage.put("name", self.ctx.id.name)


def who_world() -> Simulation:
    return Simulation(durable_objects={"A": Who}, platform="workerd", network=None)


def _by_hex(sim: Simulation, name: str) -> Any:
    return sim.env.A.get(sim.env.A.idFromString(str(sim.env.A.idFromName(name))))


def test_the_name_is_known_when_reached_by_name_first() -> None:
    """It stays known for later calls by hex [id-08]."""
    sim = who_world()
    assert _names(sim, sim.env.A.getByName("foo"), _by_hex(sim, "foo")) == ["foo", "foo"]


def test_the_name_is_unknown_for_good_when_reached_by_hex_first() -> None:
    """Even later calls by name find None, in that instance [id-09]."""
    sim = who_world()
    assert _names(sim, _by_hex(sim, "foo"), sim.env.A.getByName("foo")) == [None, None]


def test_the_next_instance_asks_again() -> None:
    """After an eviction or reset the constructing event decides anew [id-08 id-09]."""
    sim = who_world()
    assert _names(sim, _by_hex(sim, "foo")) == [None]
    sim.run(for_="20s")
    assert _names(sim, sim.env.A.getByName("foo")) == ["foo"]
    with pytest.raises(JsException):
        sim.run(sim.env.A.getByName("foo").die())
    assert _names(sim, _by_hex(sim, "foo")) == [None]


def test_stub_id_and_name() -> None:
    """By name both are there; by hex the name is None [id-06]."""
    sim = who_world()
    named, bare = sim.env.A.getByName("foo"), _by_hex(sim, "foo")
    assert (named.name, bare.name, named.id.equals(bare.id)) == ("foo", None, True)


@pytest.mark.parametrize(("length", "known"), [(1024, True), (1025, False)])
def test_names_over_1024_bytes_are_not_carried_into_the_object(length: int, known: bool) -> None:
    """ctx.id.name is None there; the stub's own name is whole [id-11]."""
    sim = who_world()
    name = "n" * length
    stub = sim.env.A.getByName(name)
    assert _names(sim, stub) == [name if known else None] and stub.name == name


def test_jurisdictions_do_not_exist_on_workerd() -> None:
    """newUniqueId({jurisdiction}) and jurisdiction(anything, even nothing) [id-05]."""
    env = world().env
    text = "Error: Jurisdiction restrictions are not implemented in workerd."
    assert [
        refusal(env.A.newUniqueId, {"jurisdiction": "eu"}), refusal(env.A.newUniqueId, jurisdiction="eu"),
        refusal(env.A.jurisdiction, "eu"), refusal(env.A.jurisdiction, "mars"), refusal(env.A.jurisdiction),
    ] == [text] * 5  # fmt: skip


def test_jurisdictions_exist_on_cloudflare() -> None:
    """The same name in a jurisdiction is another object; its digits are valid there."""
    env = world(platform="cloudflare").env
    eu = env.A.jurisdiction("eu")
    plain, inside = env.A.idFromName("foo"), eu.idFromName("foo")
    assert str(plain) != str(inside) and str(inside) == str(eu.idFromName("foo"))
    assert inside.jurisdiction == "eu" and plain.jurisdiction is None
    assert env.A.newUniqueId(jurisdiction="eu").jurisdiction == "eu"
    assert eu.newUniqueId().jurisdiction == "eu"
    assert eu.getByName("foo").id.equals(inside)
    assert "Unknown jurisdiction" in refusal(env.A.jurisdiction, "mars")


def test_an_id_s_text_keeps_its_jurisdiction_on_cloudflare() -> None:
    """Ids encode the jurisdiction (FACTS 5.5): the id made from the text is in it again."""
    env = world(platform="cloudflare").env
    eu = env.A.jurisdiction("eu").idFromName("foo")
    assert env.A.idFromString(str(eu)).jurisdiction == "eu"
