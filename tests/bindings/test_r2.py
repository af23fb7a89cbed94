"""R2 buckets: objects, ranges, conditions, listings, uploads in parts.

Values and texts marked [observed] were got by running the same calls in workerd 1.20260426.1 with miniflare
4.20260426.0 (November 2026); [documented] are of developers.cloudflare.com/r2.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dosim import PortabilityWarning, Simulation
from dosim.bindings.r2 import R2Bucket, R2Store
from dosim.bindings.r2_uploads import multipart_etag
from dosim.platform.facts import EPOCH_MS
from dosim.web.body import JsReadableStream
from dosim.web.buffers import JsArrayBuffer
from dosim.web.dates import JsDate
from dosim.web.errors import JsException
from dosim.web.headers import JsHeaders
from dosim.web.proxies import JsObject
from dosim.workers import Blob, DurableObject, Response, WorkerEntrypoint

Story = Callable[[Any], Awaitable[Any]]
NOW = datetime.fromtimestamp(EPOCH_MS / 1000, UTC).replace(tzinfo=None)
MD5 = "781e5e245d69b566979b86e28d23f2c7"  # of 0123456789 [observed]
FIVE_MIB = 5 * 1024 * 1024


def bind(sim: Simulation, **options: Any) -> R2Store:
    store = R2Store(sim.world, "files", **options)
    sim.env.FILES = R2Bucket(sim.world, store, "FILES")
    return store


def inside(story: Story, **options: Any) -> Any:
    """Run an async function of a bucket as a call on an object, and return what its caller gets."""

    class A(DurableObject):
        async def tell(self) -> Any:
            return await story(self.env.FILES)

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


# -- put, head, get, delete


def test_what_an_object_says_of_itself() -> None:
    """As after head, with attributes converted [observed; recorded: `head().uploaded` is a datetime]."""

    async def story(r2: Any) -> Any:
        await r2.put("m", "mm", httpMetadata={"contentType": "a/b", "cacheExpiry": NOW}, customMetadata={"a": "1"})
        found = await r2.head("m")
        names = "key size etag httpEtag uploaded httpMetadata customMetadata range storageClass ssecKeyMd5".split()
        return {name: found[name] for name in names} | {
            "md5": found.checksums.md5,
            "json": found.checksums.toJSON(),
            "sha1": found.checksums.sha1,
        }

    etag = hashlib.md5(b"mm", usedforsecurity=False).hexdigest()
    assert inside(story) == {
        "key": "m",
        "size": 2,
        "etag": etag,
        "httpEtag": f'"{etag}"',
        "uploaded": NOW,
        "httpMetadata": {"contentType": "a/b", "cacheExpiry": NOW},
        "customMetadata": {"a": "1"},
        "range": {"offset": 0, "length": 2},
        "storageClass": "",
        "ssecKeyMd5": None,
        "md5": memoryview(bytes.fromhex(etag)),
        "json": {"md5": etag},
        "sha1": None,
    }


def test_what_put_gives_has_no_range_and_no_body() -> None:
    """[observed]; the version has 32 hex digits and is another at every put."""

    async def story(r2: Any) -> Any:
        first, second = await r2.put("k", "v"), await r2.put("k", "v")
        int(first.version, 16)
        return [first.range, hasattr(first, "body"), len(first.version), first.version == second.version]

    assert inside(story) == [None, False, 32, False]


def test_a_missing_key_is_none() -> None:
    """[recorded: bind_r2_bucket; observed]"""

    async def story(r2: Any) -> Any:
        return [
            await r2.head("zz"),
            await r2.get("zz"),
            await r2.get("zz", onlyIf={"etagMatches": "x"}),
            await r2.head(""),
        ]

    assert inside(story) == [None, None, None, None]


def test_ways_to_read_a_body() -> None:
    """text, json, bytes and arrayBuffer as memoryview, a Blob of the object's type [observed], the stream itself."""

    async def story(r2: Any) -> Any:
        await r2.put("j", '{"a": [1.0]}', httpMetadata={"contentType": "Text/HTML; Charset=UTF-8"})
        blob = await (await r2.get("j")).blob()
        body = (await r2.get("j")).body
        assert isinstance(body, JsReadableStream)
        json = await (await r2.get("j")).json()
        return [
            await (await r2.get("j")).text(),
            json.a,
            await (await r2.get("j")).bytes(),
            await (await r2.get("j")).arrayBuffer(),
            [type(blob) is Blob, blob.content_type, blob.size],
            await Response(body).text(),
        ]

    data = '{"a": [1.0]}'
    kind = [True, "Text/HTML; Charset=UTF-8", len(data)]
    assert inside(story) == [data, [1], memoryview(data.encode()), memoryview(data.encode()), kind, data]


def test_a_body_can_be_read_once() -> None:
    """[observed]; `bodyUsed` stays what it was when it was read first, as every attribute in the SDK (FACTS 1.4)."""

    async def story(r2: Any) -> Any:
        await r2.put("k", "v")
        found, other = await r2.get("k"), await r2.get("k")
        before = found.bodyUsed
        await found.text()
        await other.text()
        return [before, found.bodyUsed, other.bodyUsed, await refused(found.text()), await refused(found.json())]

    used = (
        "TypeError: Body has already been used. It can only be used once. Use tee() first if you need to read it twice."
    )
    assert inside(story) == [False, False, True, used, used]


def test_what_is_no_json() -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        await r2.put("j", "hello")
        return await refused((await r2.get("j")).json())

    assert inside(story) == "SyntaxError: Unexpected token 'h', \"hello\" is not valid JSON"


@pytest.mark.parametrize(
    ("value", "stored"),
    [(None, b""), ("é", "é".encode()), (b"\x00\x01", b"\x00\x01"), (memoryview(b"ab"), b"ab"), (Blob("ab"), b"ab")],
)
def test_values(value: Any, stored: bytes) -> None:
    """null stores nothing [observed]."""

    async def story(r2: Any) -> Any:
        return [(await r2.put("a", value)).size, bytes(await (await r2.get("a")).bytes())]

    assert inside(story) == [len(stored), memoryview(stored)]


def test_streams_need_a_known_length() -> None:
    """A body has one, a stream of items has not [observed; FACTS 1.12]; an object's body can be put again."""

    async def story(r2: Any) -> Any:
        await r2.put("a", Response("abc").js_object.body)
        await r2.put("b", (await r2.get("a")).body)
        text = await refused(r2.put("c", JsReadableStream(b"x", length_known=False)))
        return [await (await r2.get("b")).text(), text]

    unknown = (
        "TypeError: Provided readable stream must have a known length (request/response body or readable half of "
        "FixedLengthStream)"
    )
    assert inside(story) == ["abc", unknown]


KINDS = "ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob"


@pytest.mark.parametrize("value", [5, True, {}, [1], datetime(2026, 1, 1), JsHeaders()])  # noqa: DTZ001
def test_refused_values(value: Any) -> None:
    """Unlike KV, R2 takes no numbers [observed]."""

    async def story(r2: Any) -> Any:
        return await refused(r2.put("a", value))

    assert inside(story) == f"TypeError: Failed to execute 'put' on 'R2Bucket': parameter 2 is not of type '{KINDS}'."


FAILED = "TypeError: Failed to execute"
LONG = "x" * 1025


@pytest.mark.parametrize(
    ("method", "args", "text"),
    [
        ("head", (), f"{FAILED} 'head' on 'R2Bucket': parameter 1 is not of type 'string'."),
        ("put", (), f"{FAILED} 'put' on 'R2Bucket': parameter 1 is not of type 'string'."),
        ("put", ("a", "v", "x"), f"{FAILED} 'put' on 'R2Bucket': parameter 3 is not of type 'PutOptions'."),
        ("get", ("a", 5), f"{FAILED} 'get' on 'R2Bucket': parameter 2 is not of type 'GetOptions'."),
        ("delete", (), f"{FAILED} 'delete' on 'R2Bucket': parameter 1 is not of type 'string or Array'."),
        ("list", ("x",), f"{FAILED} 'list' on 'R2Bucket': parameter 1 is not of type 'ListOptions'."),
        *[
            (method, args, f"Error: {method}: The specified object name is not valid. (10020)")
            for method, args in [
                ("head", (LONG,)), ("get", (LONG,)), ("put", (LONG, "v")), ("delete", (LONG,)),
                ("createMultipartUpload", (LONG,)),
            ]
        ],
    ],
)  # fmt: skip
def test_refused_arguments(method: str, args: tuple[Any, ...], text: str) -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        return await refused(getattr(r2, method)(*args))

    assert inside(story) == text


def test_delete_one_or_several() -> None:
    """Missing ones are fine [recorded: bind_r2_bucket; observed]."""

    async def story(r2: Any) -> Any:
        for key in "abc":
            await r2.put(key, key)
        results = [await r2.delete("a"), await r2.delete(["b", "nope"]), await r2.delete([])]
        return [results, [found.key for found in (await r2.list()).objects]]

    assert inside(story) == [[None, None, None], ["c"]]


# -- metadata and checksums


def test_http_metadata_from_headers_and_back() -> None:
    """Six headers are kept, others are not [observed]."""
    sent = {
        "Content-Type": "t/x", "Content-Encoding": "gzip", "Cache-Control": "no-store", "Content-Language": "en",
        "Content-Disposition": "inline", "Expires": "Sun, 09 Sep 2001 01:46:40 GMT",
    }  # fmt: skip

    async def story(r2: Any) -> Any:
        await r2.put("a", "abc", httpMetadata=JsHeaders.new(sent | {"X-Other": "1"}))
        headers = JsHeaders.new()
        found = await r2.get("a")
        found.writeHttpMetadata(headers)
        return [found.httpMetadata.cacheExpiry, dict(headers.entries())]

    expires = datetime(2001, 9, 9, 1, 46, 40)  # noqa: DTZ001
    assert inside(story) == [expires, {name.lower(): value for name, value in sent.items()}]


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"customMetadata": {"a": 5, "b": None, "c": True}}, ({}, {"a": "5", "b": "null", "c": "true"})),
        ({"httpMetadata": {"contentType": None}}, ({"contentType": "null"}, {})),
        ({"httpMetadata": {"contentType": 5, "other": 1}}, ({"contentType": "5"}, {})),
        ({"httpMetadata": None}, ({}, {})),
    ],
)
def test_metadata_is_text(options: Any, stored: Any) -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        await r2.put("a", "abc", options)
        found = await r2.head("a")
        return [found.httpMetadata, found.customMetadata]

    assert inside(story) == list(stored)


WRONG = "TypeError: Incorrect type for the"


def mismatch(algorithm: str, given: str, actual: str) -> str:
    return (
        f"Error: put: The {algorithm} checksum you specified did not match what we received.\n"
        f"You provided a {algorithm} checksum with value: {given}\nActual {algorithm} was: {actual} (10037)"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"customMetadata": "x"},
         f"{WRONG} 'customMetadata' field on 'PutOptions': the provided value is not of type 'object'."),
        ({"customMetadata": None},
         f"{WRONG} 'customMetadata' field on 'PutOptions': the provided value is not of type 'object'."),
        ({"httpMetadata": "x"},
         f"{WRONG} 'httpMetadata' field on 'PutOptions': the provided value is not of type 'HttpMetadata or Headers'."),
        ({"customMetadata": {"a": "x" * 2048}},
         "Error: put: Your metadata headers exceed the maximum allowed metadata size. (10012)"),
        ({"md5": "90"}, "TypeError: MD5 is 32 hex characters, not 2"),
        ({"md5": "z" * 32}, "TypeError: Provided MD5 wasn't a valid hex string"),
        ({"md5": b"abc"}, "TypeError: MD5 is 16 bytes, not 3"),
        ({"md5": 5},
         f"{WRONG} 'md5' field on 'PutOptions': the provided value is not of type 'JsBufferSource or string'."),
        ({"md5": "4911e516e5aa21d327512e0c8b197616"},
         mismatch("MD5", "4911e516e5aa21d327512e0c8b197616", "900150983cd24fb0d6963f7d28e17f72")),
        ({"sha1": "90"}, "TypeError: SHA-1 is 40 hex characters, not 2"),
        ({"sha1": "z" * 40}, "TypeError: Provided SHA-1 wasn't a valid hex string"),
        ({"sha256": "0" * 64},
         mismatch("SHA-256", "0" * 64, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        ({"sha512": b"abc"}, "TypeError: SHA-512 is 64 bytes, not 3"),
        ({"md5": "900150983cd24fb0d6963f7d28e17f72", "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d"},
         "TypeError: You cannot specify multiple hashing algorithms."),
    ],
)  # fmt: skip
def test_refused_put_options(options: Any, text: str) -> None:
    """Nothing is stored [observed with the value "abc"]."""

    async def story(r2: Any) -> Any:
        return [await refused(r2.put("a", "abc", options)), await r2.head("a")]

    assert inside(story) == [text, None]


@pytest.mark.parametrize("upper", [False, True])
def test_checksums_that_match_are_kept(upper: bool) -> None:
    """As hex of either case or as bytes; the MD5 is always there [observed; documented]."""
    sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d"

    async def story(r2: Any) -> Any:
        await r2.put("a", "abc", sha1=sha1.upper() if upper else bytes.fromhex(sha1))
        return (await r2.head("a")).checksums.toJSON()

    assert inside(story) == {"md5": "900150983cd24fb0d6963f7d28e17f72", "sha1": sha1}


def test_production_allows_more_metadata_and_has_storage_classes() -> None:
    """8,192 bytes [documented: limits]; Standard unless said otherwise [documented: workers-api-reference]."""

    async def story(r2: Any) -> Any:
        await r2.put("a", "abc", customMetadata={"a": "x" * 8191})
        text = await refused(r2.put("b", "abc", customMetadata={"a": "x" * 8192}))
        await r2.put("c", "abc", storageClass="InfrequentAccess")
        return [text, (await r2.head("a")).storageClass, (await r2.head("c")).storageClass]

    text = "Error: put: Your metadata headers exceed the maximum allowed metadata size. (10012)"
    assert inside(story, platform="cloudflare") == [text, "Standard", "InfrequentAccess"]


def test_write_http_metadata_takes_javascript_headers_alone() -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        await r2.put("a", "abc")
        found = await r2.head("a")
        try:
            found.writeHttpMetadata({})
        except JsException as error:
            return str(error)

    text = f"{FAILED} 'writeHttpMetadata' on 'HeadResult': parameter 1 is not of type 'Headers'."
    assert inside(story) == text


# -- ranges


def read(r2: Any, **options: Any) -> Any:
    """What a get of ten digits with these options gives: the text and the range."""

    async def reading() -> Any:
        await r2.put("k", "0123456789")
        found = await r2.get("k", **options)
        return [await found.text(), [found.range.offset, found.range.length], found.size]

    return reading()


@pytest.mark.parametrize(
    ("wanted", "text", "part"),
    [
        ({"offset": 2}, "23456789", [2, 8]), ({"offset": 2, "length": 3}, "234", [2, 3]),
        ({"length": 3}, "012", [0, 3]),
        ({"suffix": 3}, "789", [7, 3]), ({"suffix": 30}, "0123456789", [0, 10]),
        ({"offset": 2, "length": 30}, "23456789", [2, 8]), ({}, "0123456789", [0, 10]), (None, "0123456789", [0, 10]),
        ({"offset": None}, "0123456789", [0, 10]),
        ("bytes=2-4", "234", [2, 3]), ("bytes=2-", "23456789", [2, 8]), ("bytes=-3", "789", [7, 3]),
        ("BYTES = 1 - 2", "12", [1, 2]), ("bytes=0-100", "0123456789", [0, 10]),
        *[(text, "0123456789", [0, 10]) for text in (
            "bytes=-30", "bytes=-10", "bytes=20-", "bytes=5-2", "bytes=0-1,3-4", "nonsense", "bytes=")],
    ],
)  # fmt: skip
def test_ranges(wanted: Any, text: str, part: list[int]) -> None:
    """By numbers, or by the Range header of a request; a header that asks for no one range gives all [observed]."""
    given = JsHeaders.new({"Range": wanted}) if isinstance(wanted, str) else wanted
    assert inside(lambda r2: read(r2, range=given)) == [text, part, 10]


UNSATISFIABLE = "Error: get: The requested range is not satisfiable (10039)"
ABOVE = "must be greater than or equal to 0."
WHOLE = "must be an integer, not floating point."


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"offset": 10}, UNSATISFIABLE), ({"offset": 11}, UNSATISFIABLE), ({"length": 0}, UNSATISFIABLE),
        ({"suffix": 0}, UNSATISFIABLE),
        ({"offset": -1}, f"RangeError: Invalid range. Starting offset (-1) {ABOVE}"),
        ({"offset": 1.5}, f"RangeError: Invalid range. Starting offset (1.5) {WHOLE}"),
        ({"length": -1}, f"RangeError: Invalid range. Length (-1) {ABOVE}"),
        ({"length": 1.5}, f"RangeError: Invalid range. Length (1.5) {WHOLE}"),
        ({"suffix": -1}, f"RangeError: Invalid suffix. Suffix (-1) {ABOVE}"),
        ({"suffix": 1.5}, f"RangeError: Invalid range. Suffix (1.5) {WHOLE}"),
        ({"offset": 1, "suffix": 1}, "TypeError: Suffix is incompatible with offset."),
        ({"length": 1, "suffix": 1}, "TypeError: Suffix is incompatible with length."),
        ("bytes=0-1", f"{WRONG} 'range' field on 'GetOptions': the provided value is not of type 'Range or Headers'."),
    ],
)  # fmt: skip
def test_refused_ranges(wanted: Any, text: str) -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        return await refused(read(r2, range=wanted))

    assert inside(story) == text


def test_an_empty_object_has_no_range() -> None:
    """It can be read, but no part of it [observed]."""

    async def story(r2: Any) -> Any:
        await r2.put("e", "")
        found = await r2.get("e")
        return [await found.text(), found.range.length, await refused(r2.get("e", range={"offset": 0}))]

    assert inside(story) == ["", 0, UNSATISFIABLE]


# -- conditions

LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)
HTTP_LATER, HTTP_EARLIER = "Wed, 02 Dec 2026 00:00:00 GMT", "Mon, 30 Nov 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"etagMatches": MD5}, True), ({"etagMatches": "x"}, False), ({"etagMatches": "*"}, True),
        ({"etagDoesNotMatch": MD5}, False), ({"etagDoesNotMatch": "x"}, True), ({"etagDoesNotMatch": "*"}, False),
        ({"uploadedBefore": LATER}, True), ({"uploadedBefore": EARLIER}, False),
        ({"uploadedAfter": EARLIER}, True), ({"uploadedAfter": LATER}, False), ({"uploadedAfter": 1e12}, True),
        ({"etagDoesNotMatch": "x", "uploadedAfter": LATER}, True),
        ({"etagMatches": MD5, "uploadedBefore": EARLIER}, True), (None, True), ({}, True),
        (("If-Match", f'"{MD5}"'), True), (("If-None-Match", f'W/"{MD5}", "y"'), False),
        (("If-Match", f'W/"{MD5}"'), False), (("If-None-Match", '"x", *'), False),
        (("If-Modified-Since", HTTP_LATER), False), (("If-Modified-Since", HTTP_EARLIER), True),
        (("If-Unmodified-Since", HTTP_EARLIER), False), (("If-Unmodified-Since", HTTP_LATER), True),
        (("If-Modified-Since", "nonsense"), True),
    ],
)  # fmt: skip
def test_conditional_reads(condition: Any, holds: bool) -> None:
    """If it does not hold, the metadata come without a body [observed; weak and strong: miniflare, RFC 9110]."""
    given = JsHeaders.new([condition]) if isinstance(condition, tuple) else condition

    async def story(r2: Any) -> Any:
        await r2.put("k", "0123456789")
        found = await r2.get("k", onlyIf=given)
        return [hasattr(found, "body"), found.range.length]

    assert inside(story) == [holds, 10]


@pytest.mark.parametrize(("by_header", "newer"), [(True, False), (False, True)])
def test_dates_of_headers_are_whole_seconds(by_header: bool, newer: bool) -> None:
    """An object of half past the second is not newer than that second, if a header asks (miniflare, RFC 9110)."""

    async def story(r2: Any) -> Any:
        await asyncio.sleep(0.5)
        await r2.put("k", "v")
        given = JsHeaders.new({"If-Modified-Since": "Tue, 01 Dec 2026 00:00:00 GMT"})
        return hasattr(await r2.get("k", onlyIf=given if by_header else {"uploadedAfter": NOW}), "body")

    assert inside(story) is newer


COMMA = "Error: Comma was expected to separate etags. Encountered a"


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"etagMatches": f'"{MD5}"'}, f'TypeError: Conditional ETag should not be wrapped in quotes ("{MD5}").'),
        ({"etagMatches": 5},
         f"{WRONG} 'etagMatches' field on 'Conditional': the provided value is not of type 'string'."),
        ({"etagMatches": None},
         f"{WRONG} 'etagMatches' field on 'Conditional': the provided value is not of type 'string'."),
        ({"uploadedAfter": "2020-01-01"},
         f"{WRONG} 'uploadedAfter' field on 'Conditional': the provided value is not of type 'date'."),
        ({"uploadedAfter": None},
         f"{WRONG} 'uploadedAfter' field on 'Conditional': the provided value is not of type 'date'."),
        ("x", f"{WRONG} 'onlyIf' field on 'GetOptions': the provided value is not of type 'Conditional or Headers'."),
        (("If-None-Match", MD5), "Error: Invalid ETag in if-none-match header"),
        (("If-Match", '"abc'), "Error: Unclosed double quote for Etag"),
        (("If-Match", '"abc" "d"'),
         f"{COMMA} double quote character '\"' instead. This would otherwise indicate the start of a new strong etag."),
        (("If-Match", '"a" *'), f"{COMMA} wildcard character '*' instead."),
        (("If-Match", 'W"x"'), "Error: Weak etags must start with W/ and their value must be quoted"),
    ],
)  # fmt: skip
def test_refused_conditions(condition: Any, text: str) -> None:
    """[observed]"""
    given = JsHeaders.new([condition]) if isinstance(condition, tuple) else condition

    async def story(r2: Any) -> Any:
        return await refused(r2.get("k", onlyIf=given))

    assert inside(story) == text


@pytest.mark.parametrize(
    ("key", "condition", "stored"),
    [
        ("new", {"etagDoesNotMatch": "*"}, True), ("k", {"etagDoesNotMatch": "*"}, False),
        ("new", {"etagMatches": "*"}, False), ("new", {"uploadedAfter": EARLIER}, False),
        ("new", {"uploadedBefore": EARLIER}, True), ("k", {"etagMatches": MD5}, True),
    ],
)  # fmt: skip
def test_conditional_writes(key: str, condition: Any, stored: bool) -> None:
    """None if it does not hold, and nothing is stored [observed]."""

    async def story(r2: Any) -> Any:
        await r2.put("k", "0123456789")
        result = await r2.put(key, "new", onlyIf=condition)
        found = await r2.get(key)
        return [result is not None, found is not None and await found.text() == "new"]

    assert inside(story) == [stored, stored]


def test_of_two_that_create_one_object_one_succeeds() -> None:
    """Create-if-absent is what makes R2 a lock: the bucket is in one place."""

    class A(DurableObject):
        async def create(self) -> bool:
            return await self.env.FILES.put("lock", self.ctx.id.name, onlyIf={"etagDoesNotMatch": "*"}) is not None

    sim = Simulation(durable_objects={"A": A})
    bind(sim)
    calls = [sim.env.A.getByName(name).create() for name in ("one", "two")]
    assert sorted(sim.run(*calls)) == [False, True]


# -- listings

KEYS = ("p/a/1", "p/a/2", "p/b/x/1", "p/b/x/2", "p/b/y", "p/c")


def listed(options: Any) -> Any:
    """Keys, delimited prefixes and cursor of a listing of KEYS and k, m."""

    async def story(r2: Any) -> Any:
        for key in ("k", "m", *KEYS):
            await r2.put(key, "v")
        page = await r2.list(options)
        assert page.truncated is ("cursor" in page)
        return [[found.key for found in page.objects], page.delimitedPrefixes, page.get("cursor")]

    return inside(story)


@pytest.mark.parametrize(
    ("options", "keys", "prefixes", "cursor"),
    [
        (None, ["k", "m", *KEYS], [], None), ({"prefix": "p/", "limit": 2}, ["p/a/1", "p/a/2"], [], "cC9hLzI="),
        ({"prefix": "p/", "limit": 2, "cursor": "cC9hLzI="}, ["p/b/x/1", "p/b/x/2"], [], "cC9iL3gvMg=="),
        ({"prefix": "p/", "delimiter": "/"}, ["p/c"], ["p/a/", "p/b/"], None),
        ({"prefix": "p/", "delimiter": "/", "limit": 1}, [], ["p/a/"], "cC9hLzI="),
        ({"prefix": "p/", "delimiter": "/", "limit": 1, "cursor": "cC9hLzI="}, [], ["p/b/"], "cC9iL3k="),
        ({"prefix": "p/b/", "delimiter": "/"}, ["p/b/y"], ["p/b/x/"], None),
        ({"prefix": "p/", "startAfter": "p/a/2"}, ["p/b/x/1", "p/b/x/2", "p/b/y", "p/c"], [], None),
        ({"limit": -1}, ["k", "m", *KEYS], [], None), ({"cursor": "%%%"}, ["k", "m", *KEYS], [], None),
        ({"delimiter": "", "prefix": "p/a"}, ["p/a/1", "p/a/2"], [], None),
    ],
)  # fmt: skip
def test_list(options: Any, keys: list[str], prefixes: list[str], cursor: str | None) -> None:
    """Prefixes, pages, folders [observed, cursors and all]."""
    assert listed(options) == [keys, prefixes, cursor]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        *[({"limit": limit}, "Error: list: MaxKeys params must be positive integer <= 1000. (10022)")
          for limit in (0, 1001, None)],
        ({"prefix": 5}, f"{WRONG} 'prefix' field on 'ListOptions': the provided value is not of type 'string'."),
        ({"prefix": None}, f"{WRONG} 'prefix' field on 'ListOptions': the provided value is not of type 'string'."),
        ({"include": ["foo"]}, "RangeError: Unsupported include value foo"),
        ({"include": "foo"}, f"{WRONG} 'include' field on 'ListOptions': the provided value is not of type 'Array'."),
    ],
)  # fmt: skip
def test_refused_listings(options: Any, text: str) -> None:
    """[observed]"""

    async def story(r2: Any) -> Any:
        return await refused(r2.list(options))

    assert inside(story) == text


def test_listed_objects_are_javascripts_own() -> None:
    """`uploaded` is a raw Date (FACTS 1.12); metadata are there if asked for, else empty locally [observed]."""

    async def story(r2: Any) -> Any:
        await r2.put("a", "v", httpMetadata={"contentType": "t/x"}, customMetadata={"n": "1"})
        (plain,) = (await r2.list()).objects
        (full,) = (await r2.list(include=["httpMetadata", "customMetadata"])).objects
        (custom,) = (await r2.list(include=["customMetadata"])).objects
        assert isinstance(plain.uploaded, JsDate) and isinstance(full.customMetadata, JsObject)
        assert isinstance(plain.checksums.md5, JsArrayBuffer)
        plain.writeHttpMetadata(JsHeaders())
        return [
            plain.uploaded.getTime() - EPOCH_MS,
            [plain.httpMetadata.to_py(), plain.customMetadata.to_py()],
            [full.httpMetadata.contentType, full.customMetadata.n],
            [custom.httpMetadata.to_py(), custom.customMetadata.to_py()],
            plain.range,
        ]

    assert inside(story) == [0, [{}, {}], ["t/x", "1"], [{}, {"n": "1"}], None]


def test_in_production_a_listing_knows_no_metadata_that_was_not_asked_for() -> None:
    """[documented: `include`; the text: workerd r2-bucket.c++]"""

    async def story(r2: Any) -> Any:
        await r2.put("a", "v")
        (found,) = (await r2.list()).objects
        try:
            found.writeHttpMetadata(JsHeaders())
        except JsException as error:
            return [found.httpMetadata, found.customMetadata, str(error)]

    assert inside(story, platform="cloudflare") == [
        None,
        None,
        "TypeError: HTTP metadata unknown for key `a`. Did you forget to add 'httpMetadata' to `include` when listing?",
    ]


@pytest.mark.parametrize(("include", "length"), [([], 150), (["customMetadata"], 100)])
def test_pages_are_shorter_with_metadata(include: list[str], length: int) -> None:
    """Documented without a number; 100 is miniflare's."""

    async def story(r2: Any) -> Any:
        for n in range(150):
            await r2.put(f"{n:03}", "")
        return len((await r2.list(include=include)).objects)

    assert inside(story) == length


# -- uploads in parts


def uploaded(parts: list[tuple[Any, Any]], chosen: Callable[[list[Any]], Any] = lambda parts: parts) -> Story:
    """A story that uploads parts, by number and value, and completes with those that are chosen."""

    async def story(r2: Any) -> Any:
        upload = await r2.createMultipartUpload("mq")
        sent = [await upload.uploadPart(number, value) for number, value in parts]
        found = await upload.complete(chosen(sent))
        return [found.size, found.etag]

    return story


@pytest.mark.parametrize(
    ("parts", "chosen", "result"),
    [
        ([(1, "a")], list, [1, "b6ff9a06b7e20bcb2858c5b8ff744aea-1"]),
        ([], list, [0, "d41d8cd98f00b204e9800998ecf8427e-0"]),
        ([(1, "a"), (1, "bb")], lambda parts: parts[1:], [2, "a90f1e70f290bd99fba94bd5e804d317-1"]),
        ([(3, "a")], list, [1, "b6ff9a06b7e20bcb2858c5b8ff744aea-1"]),
    ],
)
def test_uploads(parts: Any, chosen: Any, result: Any) -> None:
    """Size and etag of the object: the hash of the parts' hashes [observed]."""
    assert inside(uploaded(parts, chosen)) == result


TOO_SMALL = (
    "Error: completeMultipartUpload: Your proposed upload is smaller than the minimum allowed object size. (10011)"
)
BAD_UPLOAD = "Error: completeMultipartUpload: There was a problem with the multipart upload. (10048)"
INTERNAL = "We encountered an internal error. Please try again. (10001)"
NOT_FOUND = "Error: completeMultipartUpload: One or more of the specified parts could not be found. (10025)"
NUMBER = "TypeError: Part number must be between 1 and 10000 (inclusive). Actual value was:"
BIG = bytes(FIVE_MIB)


@pytest.mark.parametrize(
    ("parts", "chosen", "text"),
    [
        ([(1, "a"), (2, "b")], list, TOO_SMALL),
        ([(1, BIG), (2, "tail")], lambda parts: parts[::-1], TOO_SMALL),
        ([(1, "a")], lambda parts: parts * 2, f"Error: completeMultipartUpload: {INTERNAL}"),
        ([(1, "a")], lambda parts: [{"partNumber": 1, "etag": "x"}], NOT_FOUND),
        ([(1, "a")], lambda parts: [{"partNumber": 2, "etag": "x"}], NOT_FOUND),
        ([(1, "a"), (1, "bb")], lambda parts: parts[:1], NOT_FOUND),
        ([(1, BIG), (2, BIG + b"x"), (3, "x")], list, BAD_UPLOAD), ([(1, BIG), (2, BIG + b"x")], list, BAD_UPLOAD),
        ([(0, "a")], list, f"{NUMBER} 0"), ([(10001, "a")], list, f"{NUMBER} 10001"),
        ([(1, "a")], lambda parts: [{"partNumber": 0, "etag": "x"}], f"{NUMBER} 0"),
        ([(1, "a")], lambda parts: [{}], f"{NUMBER} 0"),
        ([(1, None)], list, f"{FAILED} 'uploadPart' on 'R2MultipartUpload': parameter 2 is not of type '{KINDS}'."),
        ([(1, 5)], list, f"{FAILED} 'uploadPart' on 'R2MultipartUpload': parameter 2 is not of type '{KINDS}'."),
        ([], lambda parts: "x", f"{FAILED} 'complete' on 'R2MultipartUpload': parameter 1 is not of type 'Array'."),
    ],
)  # fmt: skip
def test_refused_uploads(parts: Any, chosen: Any, text: str) -> None:
    """Of parts, and of what is to be made of them [observed]."""

    async def story(r2: Any) -> Any:
        return await refused(uploaded(parts, chosen)(r2))

    assert inside(story) == text


def test_a_large_object_of_two_parts() -> None:
    """Uploaded in any order, resumed by its id, with the metadata of its beginning, read across the seam."""

    async def story(r2: Any) -> Any:
        upload = await r2.createMultipartUpload("mp", httpMetadata={"contentType": "t/p"}, customMetadata={"x": "y"})
        tail = await upload.uploadPart(2, "tail")
        again = r2.resumeMultipartUpload(upload.key, upload.uploadId)
        first = await again.uploadPart(1, BIG)
        before = await r2.head("mp")
        result = await upload.complete([first, tail])
        found = await r2.get("mp", range={"suffix": 6})
        return [
            before,
            [first.partNumber, tail.partNumber],
            [result.key, result.httpMetadata.contentType, result.customMetadata.x, result.checksums.toJSON()],
            [await found.text(), found.size],
        ]

    assert inside(story) == [None, [1, 2], ["mp", "t/p", "y", {}], ["\0\0tail", FIVE_MIB + 4]]


def test_the_etag_of_an_upload_is_the_documented_one() -> None:
    """The example of developers.cloudflare.com/r2/objects/multipart-objects."""
    digests = [bytes.fromhex("bce6bf66aeb76c7040fdd5f4eccb78e6"), bytes.fromhex("8165449fc15bbf43d3b674595cbcc406")]
    assert multipart_etag(digests) == "f77dc0eecdebcd774a2a22cb393ad2ff-2"


@pytest.mark.parametrize(("platform", "etag"), [("cloudflare", "0cc175b9c0f1b6a831c399e269772661"), ("workerd", None)])
def test_the_etag_of_a_part_is_its_md5(platform: str, etag: str | None) -> None:
    """In production [documented: r2/objects/multipart-objects]; locally an opaque text of 171 characters [observed]."""

    async def story(r2: Any) -> Any:
        return (await (await r2.createMultipartUpload("m")).uploadPart(1, "a")).etag

    found = inside(story, platform=platform)
    assert found == etag if etag else len(found) == 171


NO_SUCH = "The specified multipart upload does not exist. (10024)"


@pytest.mark.parametrize("end", ["complete", "abort"])
def test_after_the_end_of_an_upload(end: str) -> None:
    """No more parts, not completed again; aborting is always fine [observed]."""

    async def story(r2: Any) -> Any:
        upload = await r2.createMultipartUpload("m")
        part = await upload.uploadPart(1, "a")
        await (upload.complete([part]) if end == "complete" else upload.abort())
        return [await refused(upload.uploadPart(2, "b")), await refused(upload.complete([part])), await upload.abort()]

    assert inside(story) == [f"Error: uploadPart: {NO_SUCH}", f"Error: completeMultipartUpload: {NO_SUCH}", None]


def test_an_upload_that_never_was() -> None:
    """Resuming checks nothing [documented, observed]; what follows does [observed]."""

    async def story(r2: Any) -> Any:
        upload = r2.resumeMultipartUpload("m", "nope")
        real = await r2.createMultipartUpload("m")
        return [
            await refused(upload.uploadPart(1, "a")),
            await refused(upload.complete([])),
            await refused(upload.abort()),
            await refused(r2.resumeMultipartUpload("other", real.uploadId).uploadPart(1, "a")),
        ]

    assert inside(story) == [
        f"Error: uploadPart: {NO_SUCH}",
        f"Error: completeMultipartUpload: {INTERNAL}",
        f"Error: abortMultipartUpload: {INTERNAL}",
        f"Error: uploadPart: {NO_SUCH}",
    ]


@pytest.mark.parametrize(("days", "answer"), [(6.9, "alive"), (7.1, f"Error: uploadPart: {NO_SUCH}")])
def test_an_upload_is_aborted_after_seven_days(days: float, answer: str) -> None:
    """[documented: workers-api-reference]"""

    class A(DurableObject):
        async def start(self) -> str:
            return (await self.env.FILES.createMultipartUpload("m")).uploadId

        async def go_on(self, upload_id: str) -> str:
            try:
                await self.env.FILES.resumeMultipartUpload("m", upload_id).uploadPart(1, "a")
            except JsException as error:
                return str(error)
            return "alive"

    sim = Simulation(durable_objects={"A": A}, network=None)
    bind(sim)
    stub = sim.env.A.getByName("x")
    upload_id = sim.run(stub.start())
    sim.run(for_=f"{days}d")
    assert sim.run(stub.go_on(upload_id)) == answer


# -- place, time, seed


class Files(WorkerEntrypoint):
    """PUT stores the body, GET reads."""

    async def fetch(self, request: Any) -> Any:
        if request.method == "PUT":
            return Response((await self.env.FILES.put("k", await request.text())).version)
        return Response(await (await self.env.FILES.get("k")).text())


def test_everybody_sees_the_last_write_and_the_far_ones_wait_for_it() -> None:
    """Strongly consistent [documented: consistency]; the bucket is near its first use."""
    sim = Simulation(Files)
    bind(sim)
    taken_us = {}
    for value, city in (("1", "London"), ("2", "Tokyo"), ("3", "Tokyo"), ("4", "London")):
        client = sim.client(city)
        sim.run(client.fetch("https://app.example/", method="PUT", body=value))
        started_us = sim.world.loop.time_us()
        response = sim.run(client.fetch("https://app.example/"))
        taken_us[city] = sim.world.loop.time_us() - started_us
        assert sim.run(response.text()) == value
    assert taken_us["Tokyo"] > 2 * sim.network.one_way_us("Tokyo", "London") > taken_us["London"]


def test_a_bucket_can_be_put_somewhere() -> None:
    """`place` is where its calls go, whoever was first."""
    taken_us = []
    for place in (None, "Tokyo"):
        sim = Simulation(Files)
        bind(sim, place=None if place is None else sim.network.city(place))
        client = sim.client("London")
        sim.run(client.fetch("https://app.example/", method="PUT", body="v"))
        taken_us.append(sim.world.loop.time_us())
    assert taken_us[1] - taken_us[0] > sim.network.one_way_us("London", "Tokyo")


def test_an_unknown_jurisdiction_is_refused_with_the_list() -> None:
    """Where the bucket is made, not at its first use."""
    with pytest.raises(ValueError, match="unknown jurisdiction 'mars': use one of eu"):
        bind(Simulation(Files), jurisdiction="mars")


def test_the_same_seed_gives_the_same_versions() -> None:
    """And the same trace; another seed other versions."""

    def run(seed: int) -> tuple[str, list[Any]]:
        sim = Simulation(Files, seed=seed)
        bind(sim)
        response = sim.run(sim.client("Tokyo").fetch("https://app.example/", method="PUT", body="v"))
        return sim.run(response.text()), list(sim.world.trace)

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]


# -- traps


@pytest.mark.parametrize(
    ("method", "snake", "camel"),
    [("put", "custom_metadata", "customMetadata"), ("put", "only_if", "onlyIf"), ("list", "start_after", "startAfter")],
)
def test_options_in_snake_case_are_ignored_with_a_warning(method: str, snake: str, camel: str) -> None:
    """Unknown options are ignored, as on the platform."""

    async def story(r2: Any) -> Any:
        await (r2.put("a", "v", {snake: {}}) if method == "put" else r2.list({snake: ""}))

    with pytest.warns(PortabilityWarning, match=rf"{method}\({camel}=...\)"):
        inside(story)


class Ranged(WorkerEntrypoint):
    """Hands the headers of the request on, as Python has them."""

    async def fetch(self, request: Any) -> Any:
        await self.env.FILES.put("k", "0123456789")
        return Response(await (await self.env.FILES.get("k", range=request.headers)).text())


@pytest.mark.parametrize(("portability", "text"), [("warn", "0123456789"), ("friendly", "234")])
def test_pythons_headers_are_no_headers(portability: str, text: str) -> None:
    """`request.headers` is an object without the fields of a range: ignored, and dosim says so."""
    sim = Simulation(Ranged, network=None, portability=portability)
    bind(sim)
    with pytest.warns(PortabilityWarning, match=r"range=request.js_object.headers"):
        response = sim.run(sim.client().fetch("https://app.example/", headers={"Range": "bytes=2-4"}))
    assert sim.run(response.text()) == text
