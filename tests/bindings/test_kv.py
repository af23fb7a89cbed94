"""KV namespaces: what programs see, what is refused, and how far behind a location may be.

Values and texts marked [observed] were got by running the same calls in workerd 1.20260426.1 with miniflare
4.20260426.0 (November 2026); [documented] are of developers.cloudflare.com/kv.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from dosim import PortabilityWarning, Simulation
from dosim.bindings.kv import KVNamespace, KvStore
from dosim.platform.facts import EPOCH_MS
from dosim.web.body import JsReadableStream
from dosim.web.errors import JsException
from dosim.workers import Blob, DurableObject, Response, WorkerEntrypoint

Story = Callable[[Any], Awaitable[Any]]
NOW_S = EPOCH_MS // 1000


class Reader(WorkerEntrypoint):
    """GET /key reads, PUT /key writes its body, DELETE removes; ?ttl=n is the read's cacheTtl."""

    async def fetch(self, request: Any) -> Any:
        key, _, query = request.url.rpartition("/")[2].partition("?")
        if request.method == "PUT":
            await self.env.CACHE.put(key, await request.text())
        elif request.method == "DELETE":
            await self.env.CACHE.delete(key)
        else:
            options = {"cacheTtl": int(query.removeprefix("ttl="))} if query else {}
            return Response(repr(await self.env.CACHE.get(key, **options)))
        return Response("done")


def bind(sim: Simulation, **options: Any) -> KvStore:
    store = KvStore(sim.world, "cache", **options)
    sim.env.CACHE = KVNamespace(sim.world, store, "CACHE")
    return store


def inside(story: Story, **options: Any) -> Any:
    """Run an async function of a namespace as a call on an object, and return what its caller gets."""

    class A(DurableObject):
        async def tell(self) -> Any:
            return await story(self.env.CACHE)

    given: dict[str, Any] = {"platform": "workerd", "network": None, "show_output": False} | options
    sim = Simulation(durable_objects={"A": A}, **given)
    bind(sim)
    return sim.run(sim.env.A.getByName("x").tell())


async def refused(call: Any) -> str:
    """What a call is refused with; not being refused fails the test."""
    try:
        value = await call if inspect.isawaitable(call) else call
    except JsException as error:
        return str(error)
    raise AssertionError(f"not refused: {value!r}")


async def filled(kv: Any) -> Any:
    """The entries that the observed calls were made on."""
    for key, value in (("k", "v"), ("j", '{"a":1}'), ("1", "one"), ("bad", "hello")):
        await kv.put(key, value)
    await kv.put("m", "x", metadata={"a": 1}, expirationTtl=100)
    return kv


# -- reading


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("k",), "v"), (("zz",), None), (("k", None), "v"), ((1,), "one"), (("k", {"cacheTtl": 60.7}), "v"),
        (("j", "json"), {"a": 1}), (("j", {"type": "json"}), {"a": 1}), (("k", "arrayBuffer"), memoryview(b"v")),
        (("zz", "foo"), None),
        ((["k", "zz"],), {"k": "v", "zz": None}), ((["j", "zz"], "json"), {"j": {"a": 1}, "zz": None}),
        ((["m", "k", "m"],), {"m": "x", "k": "v"}),
    ],
)  # fmt: skip
def test_get(args: tuple[Any, ...], expected: Any) -> None:
    """One key or several, in each type [observed]."""

    async def story(kv: Any) -> Any:
        return await (await filled(kv)).get(*args)

    assert inside(story) == expected


def test_several_keys_come_as_a_dict_with_attributes() -> None:
    """The Map of a bulk read is a JsDict (FACTS 1.5: JS Map -> JsDict)."""

    async def story(kv: Any) -> Any:
        return (await (await filled(kv)).get(["k"])).k

    assert inside(story) == "v"


@pytest.mark.parametrize("method", ["get", "getWithMetadata"])
def test_a_key_that_is_a_number_is_left_out_of_several(method: str) -> None:
    """`get(["k", "zz", "1"])` gave a Map without "1" [observed; kv.c++ getBulk SKIP_INDICES]; dosim warns."""

    async def story(kv: Any) -> Any:
        return sorted(await getattr(await filled(kv), method)(["k", "zz", "1"]))

    with pytest.warns(PortabilityWarning, match="leaves out the key '1'"):
        assert inside(story) == ["k", "zz"]


def test_with_metadata() -> None:
    """value, metadata and cacheStatus; without cacheStatus in a bulk read [observed]."""

    async def story(kv: Any) -> Any:
        await filled(kv)
        return [
            await kv.getWithMetadata("m"),
            await kv.getWithMetadata("zz"),
            await kv.getWithMetadata(["m", "zz", "k"]),
        ]

    assert inside(story) == [
        {"value": "x", "metadata": {"a": 1}, "cacheStatus": None},
        {"value": None, "metadata": None, "cacheStatus": None},
        {"m": {"value": "x", "metadata": {"a": 1}}, "zz": None, "k": {"value": "v", "metadata": None}},
    ]


def test_a_stream_and_metadata_read_as_attributes() -> None:
    """`result.metadata.a`, and a raw ReadableStream that a Response takes."""

    async def story(kv: Any) -> Any:
        result = await (await filled(kv)).getWithMetadata("m", "stream")
        assert isinstance(result.value, JsReadableStream)
        return [result.metadata.a, await Response(result.value).text()]

    assert inside(story) == [1, "x"]


BAD_TYPE = 'TypeError: Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "TypeError: Failed to execute 'get' on 'KvNamespace': parameter 1 is not of type 'string or Array'."),
        (("k", {"type": None}), BAD_TYPE), (("k", "foo"), BAD_TYPE), (("k", 5), BAD_TYPE),
        (("k", {"cacheTtl": None}), "Error: KV GET failed: 400 Invalid cache_ttl of 0. Cache TTL must be at least 30."),
        (("k", {"cacheTtl": 10}), "Error: KV GET failed: 400 Invalid cache_ttl of 10. Cache TTL must be at least 30."),
        (("bad", "json"), "SyntaxError: Unexpected token 'h', \"hello\" is not valid JSON"),
        (("",), "TypeError: Key name cannot be empty."),
        ((".",), 'TypeError: "." is not allowed as a key name.'),
        (("..",), 'TypeError: ".." is not allowed as a key name.'),
        (("é" * 257,), "Error: KV GET failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512."),
        ((["j", "k"], "json"),
         "Error: KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value"),
        ((["k"], "arrayBuffer"),
         'Error: KV GET_BULK failed: 400 "arrayBuffer" is not a valid type. Use "json" or "text"'),
        (([],), "Error: KV GET_BULK failed: 400 You must request a minimum of 1 key"),
        ((["k"] * 101,), "Error: KV GET_BULK failed: 400 You can request a maximum of 100 keys"),
        (([""],), "Error: KV GET_BULK failed: 400 Key names must not be empty"),
        ((["k"], {"cacheTtl": 10}),
         "Error: KV GET_BULK failed: 400 Invalid cache_ttl of 10. Cache TTL must be at least 30."),
    ],
)  # fmt: skip
def test_refused_reads(args: tuple[Any, ...], text: str) -> None:
    """The runtime's and the server's texts [observed]."""

    async def story(kv: Any) -> Any:
        return await refused((await filled(kv)).get(*args))

    assert inside(story) == text


def test_several_keys_of_more_than_25_mib_together_are_refused() -> None:
    """A bulk read has a limit of its own (miniflare, workers/kv)."""

    async def story(kv: Any) -> Any:
        for key in "ab":
            await kv.put(key, b"x" * (13 * 1024 * 1024))
        return await refused(kv.get(["a", "b"]))

    text = "Error: KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB"
    assert inside(story) == text


# -- writing


@pytest.mark.parametrize(
    ("value", "stored"),
    [(None, "null"), (True, "true"), (5, "5"), (5.0, "5"), ("text", "text"), (b"hi", "hi"), (memoryview(b"hi"), "hi"),
     (b"\xff\xfeA", "\ufffd\ufffdA"), ("\ufeffx", "\ufeffx"), ("", "")],
)  # fmt: skip
def test_values(value: Any, stored: str) -> None:
    """Plain values become text; bytes are read back as UTF-8 [observed; `put(k, 5)` recorded in bind_kv_namespace]."""

    async def story(kv: Any) -> Any:
        assert await kv.put("a", value) is None
        return await kv.get("a")

    assert inside(story) == stored


def test_a_stream_is_stored_and_used_up() -> None:
    """A body handed on [observed]."""

    async def story(kv: Any) -> Any:
        body = Response("str").js_object.body
        await kv.put("a", body)
        return [await kv.get("a"), await refused(kv.put("b", body))]

    stored, error = inside(story)
    assert stored == "str" and error.startswith("TypeError: ")


FAILED = "TypeError: Failed to execute 'put' on 'KvNamespace': parameter"
BAD_VALUE = "TypeError: KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
OUT_OF_RANGE = "TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
TOO_MANY = "Error: KV PUT failed: 429 Too Many Requests"
TTL = "Error: KV PUT failed: 400 Invalid expiration_ttl of"
AT = "Error: KV PUT failed: 400 Invalid expiration of"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("a", {}), BAD_VALUE), (("a", [1]), BAD_VALUE), (("a", datetime(2026, 1, 1)), BAD_VALUE),  # noqa: DTZ001
        (("a", Blob("x")), BAD_VALUE),
        (("a",), f"{FAILED} 2 is not of type 'string or JsObject'."),
        ((), f"{FAILED} 1 is not of type 'string'."),
        (("a", "v", "x"), f"{FAILED} 3 is not of type 'PutOptions'."),
        (("a", "v", {"expirationTtl": 10}), f"{TTL} 10. Expiration TTL must be at least 60."),
        (("a", "v", {"expirationTtl": 0}), f"{TTL} 0. Please specify integer greater than 0."),
        (("a", "v", {"expirationTtl": -5}), f"{TTL} -5. Please specify integer greater than 0."),
        (("a", "v", {"expirationTtl": None}), f"{TTL} 0. Please specify integer greater than 0."),
        (("a", "v", {"expirationTtl": "abc"}), f"{TTL} 0. Please specify integer greater than 0."),
        (("a", "v", {"expirationTtl": 2**31}), OUT_OF_RANGE),
        (("a", "v", {"expiration": EPOCH_MS}), OUT_OF_RANGE),
        (("a", "v", {"expiration": 1000}),
         f"{AT} 1000. Please specify integer greater than the current number of seconds since the UNIX epoch."),
        (("a", "v", {"expiration": NOW_S + 30}),
         f"{AT} {NOW_S + 30}. Expiration times must be at least 60 seconds in the future."),
        (("a", "v", {"metadata": "x" * 1100}),
         "Error: KV PUT failed: 413 Metadata length of 1102 exceeds limit of 1024."),
        (("a", "x" * (25 * 1024 * 1024 + 1)),
         "Error: KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400."),
        (("", "v"), "TypeError: Key name cannot be empty."),
    ],
)  # fmt: skip
def test_refused_writes(args: tuple[Any, ...], text: str) -> None:
    """The runtime's and the server's texts [observed; the first expirationTtl recorded in bind_kv_namespace]."""

    async def story(kv: Any) -> Any:
        return [await refused(kv.put(*args)), await kv.get("a")]

    assert inside(story) == [text, None]


@pytest.mark.parametrize("value", [("a", "b"), bytearray(b"x")])
def test_what_the_sdk_refuses_is_raised_at_the_call(value: Any) -> None:
    """python_to_rpc's TypeError, before there is anything to await (FACTS 1.5)."""

    async def story(kv: Any) -> Any:
        try:
            kv.put("a", value)
        except TypeError as error:
            return str(error)
        return "not refused"

    assert inside(story) == f"{type(value)} cannot be sent over RPC."


def test_metadata() -> None:
    """Anything that is JSON, up to 1,024 bytes of it; None is none [observed]; a date is its ISO text (JSON)."""

    async def story(kv: Any) -> Any:
        seen = []
        for metadata in (None, "hi", "x" * 1022, "é", {"at": datetime(2026, 1, 2, 3, 4, 5)}):  # noqa: DTZ001
            await kv.put("a", "v", metadata=metadata)
            seen.append((await kv.getWithMetadata("a")).metadata)
        return seen

    assert inside(story) == [None, "hi", "x" * 1022, "é", {"at": "2026-01-02T03:04:05.000Z"}]


def test_a_program_cannot_change_what_is_stored() -> None:
    """Values and metadata are copies at the call."""

    async def story(kv: Any) -> Any:
        metadata = {"n": [1]}
        writing = kv.put("a", "v", metadata=metadata)
        metadata["n"].append(2)
        await writing
        read = await kv.getWithMetadata("a")
        read.metadata.n.append(3)
        return (await kv.getWithMetadata("a")).metadata.n

    assert inside(story) == [1]


def test_a_call_acts_although_nobody_awaits_it() -> None:
    """As all calls of the SDK (FACTS 1.4 no. 11)."""

    async def story(kv: Any) -> Any:
        writing = kv.put("a", "v")
        await asyncio.sleep(1)
        found = await kv.get("a")
        await writing
        return found

    assert inside(story) == "v"


def test_delete() -> None:
    """A missing key is fine, an empty one is not [observed]."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "v")
        return [await kv.delete("a"), await kv.get("a"), await kv.delete("a"), await refused(kv.delete(""))]

    assert inside(story) == [None, None, None, "TypeError: Key name cannot be empty."]


# -- listing


def test_list() -> None:
    """Names in the order of their bytes, with expiration and metadata if there are any [observed]."""

    async def story(kv: Any) -> Any:
        return await (await filled(kv)).list()

    assert inside(story) == {
        "keys": [
            {"name": "1"}, {"name": "bad"}, {"name": "j"}, {"name": "k"},
            {"name": "m", "expiration": NOW_S + 100, "metadata": {"a": 1}},
        ],
        "list_complete": True,
        "cacheStatus": None,
    }  # fmt: skip


def test_pages() -> None:
    """`cursor` is there while there is more [observed, cursor and all]; the prefix has to be said again."""

    async def story(kv: Any) -> Any:
        await filled(kv)
        first = await kv.list(limit=2)
        second = await kv.list(limit=2, cursor=first.cursor)
        third = await kv.list(limit=2, cursor=second.cursor)
        return [[[key.name for key in page["keys"]], page.get("cursor")] for page in (first, second, third)]

    assert inside(story) == [[["1", "bad"], "YmFk"], [["j", "k"], "aw=="], [["m"], None]]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"prefix": "b"}, ["bad"]), ({"limit": 0}, 5), ({"limit": -1}, 5), ({"limit": None}, 5),
        ({"prefix": None, "cursor": None}, 5), ({"cursor": "%%%"}, 5), (None, 5), ({"prefix": "zz"}, []),
    ],
)  # fmt: skip
def test_list_options(options: Any, names: Any) -> None:
    """No limit, null and a broken cursor count as not given [observed]."""

    async def story(kv: Any) -> Any:
        return [key.name for key in (await (await filled(kv)).list(options))["keys"]]

    found = inside(story)
    assert (len(found) if isinstance(names, int) else found) == names


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"limit": 1001},
         "Error: KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less than 1000."),
        ({"prefix": "x" * 600},
         "Error: KV GET failed: 414 UTF-8 encoded length of 600 exceeds key length limit of 512."),
        ("k", "TypeError: Failed to execute 'list' on 'KvNamespace': parameter 1 is not of type 'ListOptions'."),
    ],
)  # fmt: skip
def test_refused_listings(options: Any, text: str) -> None:
    """[observed]"""

    async def story(kv: Any) -> Any:
        return await refused(kv.list(options))

    assert inside(story) == text


# -- time


def test_an_expired_key_is_gone() -> None:
    """For reads and listings, to the second; the expiration of a listing is absolute [documented: list-keys]."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "v", expirationTtl=60)
        await kv.put("b", "v", expiration=NOW_S + 61)
        await asyncio.sleep(59.999)
        before = [await kv.get("a"), len((await kv.list())["keys"])]
        await asyncio.sleep(0.001)
        return [*before, await kv.get("a"), [key.expiration for key in (await kv.list())["keys"]]]

    assert inside(story) == ["v", 2, None, [NOW_S + 61]]


def test_a_new_value_has_a_new_expiration() -> None:
    """The second put said nothing of an expiration: the key stays."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "v", expirationTtl=60)
        await kv.put("a", "w")
        await asyncio.sleep(100)
        return await kv.get("a")

    assert inside(story) == "w"


@pytest.mark.parametrize(
    ("platform", "pause_s", "text"),
    [("cloudflare", 0.5, TOO_MANY), ("cloudflare", 1.0, None), ("workerd", 0, None)],
)
def test_one_write_a_second_for_a_key(platform: str, pause_s: float, text: str | None) -> None:
    """[documented with its text: write-key-value-pairs]; the local runtime takes more [observed]."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "1")
        await kv.put("other", "1")
        await asyncio.sleep(pause_s)
        if text is None:
            await kv.put("a", "2")
            return [None, await kv.get("a")]
        return [await refused(kv.put("a", "2")), await kv.get("a")]

    assert inside(story, platform=platform) == [text, "1" if text else "2"]


# -- places


class Cities:
    """Two cities that use one namespace, and a clock."""

    def __init__(self, *, platform: str = "cloudflare", **options: Any) -> None:
        self.sim = Simulation(Reader, platform=platform)
        self.store = bind(self.sim, **options)
        self.clients = {name: self.sim.client(name) for name in ("Tokyo", "London", "Frankfurt")}

    def get(self, city: str, key: str = "a", query: str = "") -> tuple[str, int]:
        """What a city reads, and how long that took, microseconds."""
        started_us = self.sim.world.loop.time_us()
        response = self.sim.run(self.clients[city].fetch(f"https://app.example/{key}{query}"))
        taken_us = self.sim.world.loop.time_us() - started_us
        assert response.status == 200, self.sim.run(response.text())
        return self.sim.run(response.text()), taken_us

    def put(self, city: str, value: str, key: str = "a") -> None:
        call = self.clients[city].fetch(f"https://app.example/{key}", method="PUT", body=value)
        assert self.sim.run(self.sim.run(call).text()) == "done"

    def delete(self, city: str, key: str = "a") -> None:
        assert self.sim.run(self.clients[city].fetch(f"https://app.example/{key}", method="DELETE")).status == 200

    def wait(self, duration: str) -> None:
        self.sim.run(for_=duration)


def test_who_has_read_a_key_is_a_minute_behind() -> None:
    """A cached value and a cached absence alike [documented: how-kv-works]."""
    world = Cities()
    assert world.get("Tokyo")[0] == "None"  # from now on Tokyo knows that there is none
    world.put("London", "1")
    assert world.get("London")[0] == "'1'"
    assert world.get("Frankfurt")[0] == "'1'"  # has not read before: asks the central store
    assert world.get("Tokyo")[0] == "None"
    world.wait("55s")
    assert world.get("Tokyo")[0] == "None"
    world.wait("10s")
    assert world.get("Tokyo")[0] == "'1'"
    world.delete("London")
    assert (world.get("London")[0], world.get("Tokyo")[0]) == ("None", "'1'")


def test_a_write_is_visible_at_once_where_it_was_made() -> None:
    """Although this location has just read the old value [documented: how-kv-works]."""
    world = Cities()
    assert world.get("Tokyo")[0] == "None"
    world.put("Tokyo", "1")
    assert world.get("Tokyo")[0] == "'1'"
    world.delete("Tokyo")
    assert world.get("Tokyo")[0] == "None"


def test_cache_ttl_is_how_far_behind_a_reader_may_be() -> None:
    """A longer one keeps the answer, a shorter one looks for newer data [documented: read-key-value-pairs]."""
    world = Cities()
    world.put("London", "1")
    assert world.get("Tokyo", query="?ttl=600")[0] == "'1'"
    world.wait("1s")
    world.put("London", "2")
    world.wait("100s")
    assert world.get("Tokyo", query="?ttl=600")[0] == "'1'"
    assert world.get("Tokyo")[0] == "'2'"  # 60 seconds are what it says without cacheTtl


def test_a_cached_read_travels_nowhere() -> None:
    """The central store is where the namespace was used first: far from Tokyo, which reads it once in a minute."""
    world = Cities()
    world.put("London", "1")
    cold, hot = world.get("Tokyo"), world.get("Tokyo")
    one_way_us = world.sim.network.one_way_us("London", "Tokyo")
    assert cold[0] == hot[0] == "'1'"
    assert cold[1] > 2 * one_way_us > hot[1]


def test_what_is_on_its_way_is_not_known_yet() -> None:
    """A second reader in Tokyo, while the first one's answer travels, has to ask for itself."""
    world = Cities()
    world.put("London", "1")
    world.get("Tokyo", "other")  # Tokyo's isolate is warm
    one_way_us = world.sim.network.one_way_us("London", "Tokyo")
    tokyo = world.clients["Tokyo"]
    started_us = world.sim.world.loop.time_us()
    first = tokyo.fetch("https://app.example/a")
    world.sim.run(for_=f"{one_way_us + one_way_us // 2}us")  # the central store has answered, Tokyo has nothing yet
    second = tokyo.fetch("https://app.example/a")
    world.sim.run(first, second)
    assert world.sim.world.loop.time_us() - started_us > 3 * one_way_us


def test_an_expiration_beats_the_cache() -> None:
    """An expired key is gone, cached or not [documented: write-key-value-pairs]."""

    class Short(Reader):
        async def fetch(self, request: Any) -> Any:
            if request.url.endswith("/put"):
                await self.env.CACHE.put("a", "1", expirationTtl=60)
                return Response("done")
            return await super().fetch(request)

    world = Cities()
    world.sim = Simulation(Short)
    bind(world.sim)
    world.clients = {name: world.sim.client(name) for name in ("Tokyo", "London")}
    world.sim.run(world.clients["London"].fetch("https://app.example/put"))
    assert world.get("Tokyo", query="?ttl=600")[0] == "'1'"
    world.wait("61s")
    assert world.get("Tokyo", query="?ttl=600")[0] == "None"


@pytest.mark.parametrize(("platform", "options"), [("cloudflare", {"consistency_us": 0}), ("workerd", {})])
def test_every_read_can_be_fresh(platform: str, options: dict[str, Any]) -> None:
    """With `consistency_us=0`, and always on the local runtime, whatever the reader's cacheTtl."""
    world = Cities(platform=platform, **options)
    assert world.get("Tokyo", query="?ttl=600")[0] == "None"
    world.put("London", "1")
    assert world.get("Tokyo", query="?ttl=600")[0] == "'1'"


def test_without_a_network_every_read_is_fresh() -> None:
    """Two objects, one place."""

    class A(DurableObject):
        async def read(self) -> Any:
            return await self.env.CACHE.get("a")

        async def write(self) -> None:
            await self.env.CACHE.put("a", "1")

    sim = Simulation(durable_objects={"A": A}, network=None)
    store = bind(sim)
    reader, writer = sim.env.A.getByName("reader"), sim.env.A.getByName("writer")
    assert sim.run(reader.read()) is None
    sim.run(writer.write())
    assert sim.run(reader.read()) == "1"
    assert store.keys == ("a",)


def test_a_namespace_can_be_used_from_outside() -> None:
    """`sim.env.CACHE` in a test or a notebook reads what is stored, not what some location remembers."""
    world = Cities()
    world.put("London", "1")
    world.get("Tokyo")
    world.put("Frankfurt", "2", "b")
    assert world.sim.run(world.sim.env.CACHE.get(["a", "b"])) == {"a": "1", "b": "2"}


# -- traps


def test_options_in_snake_case_are_ignored_with_a_warning() -> None:
    """`put(k, v, expiration_ttl=60)` keeps the key for ever, as on the platform: unknown options are ignored."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "v", expiration_ttl=60)
        return "expiration" in (await kv.list())["keys"][0]

    with pytest.warns(PortabilityWarning, match=r"put\(expirationTtl=...\)"):
        assert inside(story) is False
    with pytest.warns(PortabilityWarning):
        assert inside(story, portability="friendly") is True


@pytest.mark.parametrize("name", ["expirationTtl", "metadata", "cacheTtl"])
def test_options_as_the_platform_spells_them_do_not_warn(name: str) -> None:
    """Warnings are errors in this suite."""

    async def story(kv: Any) -> Any:
        await kv.put("a", "v", **({name: 60} if name != "cacheTtl" else {}))
        return await kv.get("a", **({name: 60} if name == "cacheTtl" else {}))

    assert inside(story) == "v"


def test_errors_name_the_class_as_the_runtime_does() -> None:
    """workers-py tests these two texts on workerd."""

    async def story(kv: Any) -> Any:
        with pytest.raises(TypeError, match="'KvNamespace' object is not iterable"):
            list(kv)
        with pytest.raises(TypeError, match=r"object of type 'KvNamespace' has no len\(\)"):
            len(kv)

    inside(story)
