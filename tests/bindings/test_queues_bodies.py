"""Queues: what producers may send, and what arrives.

Texts and conversions were recorded from miniflare 4.20260426.0 with workerd 1.20260426.1 in November 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dosim.web.errors import JsException
from dosim.web.proxies import to_js
from tests.bindings.queue_stories import World, refusal

RICH = {"a": 1, "d": datetime(1970, 1, 1, tzinfo=UTC), "s": {1}, "n": float("nan"), "f": 1.0}


@pytest.mark.parametrize(
    ("args", "options", "body"),
    [
        ((RICH,), {}, {"a": 1, "d": "1970-01-01T00:00:00.000Z", "s": {}, "n": None, "f": 1}),
        (("x",), {}, "x"),
        ((None,), {}, None),
        ((b"\x01\x02",), {}, {"0": 1, "1": 2}),
        ((b"\x01\x02",), {"contentType": "bytes"}, b"\x01\x02"),
        (({1, 2},), {"contentType": "V8"}, {1, 2}),
        (("t",), {"contentType": "text"}, "t"),
        (("t", {"contentType": "text"}), {}, "t"),
        (("t", to_js({"contentType": "text"})), {}, "t"),
        (("t", None), {}, "t"),
        ((), {"contentType": "text"}, {"contentType": "text"}),
    ],
)
def test_bodies(args: tuple[Any, ...], options: dict[str, Any], body: Any) -> None:
    """What arrives, by content type; json is the default, and keyword arguments alone are the body itself."""
    world = World()
    world.sim.run(world.jobs.send(*args, **options))
    world.sim.run()
    assert [bodies for _, bodies, _ in world.log] == [[body]]


def test_a_body_is_a_copy() -> None:
    """What is sent is what it was at the call, and each delivery has a copy of its own."""
    seen: list[Any] = []

    def handler(batch: Any) -> None:
        seen.append(list(batch.messages[0].body))
        batch.messages[0].body.append("changed")
        raise ValueError("again")

    world = World(handler, max_retries=1)
    body = [1]
    call = world.jobs.send(body)
    body.append(2)
    world.sim.run(call)
    world.sim.run()
    assert seen == [[1], [1]]


def test_before_march_2024_the_default_is_v8() -> None:
    """Compatibility flag queues_json_messages, 2024-03-18: before it a set stays a set."""
    world = World(compatibility_date="2024-03-17")
    world.sim.run(world.jobs.send({1}))
    world.sim.run()
    assert world.log[0][1] == [{1}]


def test_message_and_batch_as_the_handler_sees_them() -> None:
    """id of 32 hex digits, timestamp of the sending, metadata; ids follow from the seed."""
    one, same, other = World(seed=1), World(seed=1), World(seed=2)
    for world in (one, same, other):
        world.put("a", "b")
        world.sim.run()
    message = one.batches[0].messages[0]
    assert len(message.id) == 32 and int(message.id, 16)
    assert message.timestamp == datetime(2026, 12, 1, 0, 0, 0, 60_000)  # noqa: DTZ001 (as Python Workers show it)
    assert one.batches[0].queue == "jobs" and one.batches[0].metadata.metrics == {"backlogCount": 0, "backlogBytes": 0}
    ids = [[m.id for m in world.batches[0].messages] for world in (one, same, other)]
    assert ids[0] == ids[1] != ids[2] and len(set(ids[0])) == 2


NO_SEQUENCE = "Failed to execute 'sendBatch' on 'WorkerQueue': parameter 1 is not of type 'Sequence'."
NO_OPTIONS = "Failed to execute 'send' on 'WorkerQueue': parameter 2 is not of type 'SendOptions'."
NO_TEXT = 'Content Type "text" requires a value of type string, but received: '
NO_BYTES = 'Content Type "bytes" requires a value of type ArrayBufferView, but received: '
NO_TYPE = "Unsupported queue message content type: "
NO_INT = "Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda q: q.send(), "Failed to execute 'send' on 'WorkerQueue': parameter 1 is not of type 'JsValue'."),
    (lambda q: q.send(5, contentType="text"), NO_TEXT + "number"),
    (lambda q: q.send(True, contentType="text"), NO_TEXT + "boolean"),
    (lambda q: q.send(None, contentType="text"), NO_TEXT + "object"),
    (lambda q: q.send([], contentType="text"), NO_TEXT + "object"),
    (lambda q: q.send(2**60, contentType="text"), NO_TEXT + "bigint"),
    (lambda q: q.send("t", contentType="bytes"), NO_BYTES + "string"),
    (lambda q: q.send("t", contentType="xml"), NO_TYPE + "xml"),
    (lambda q: q.send("t", contentType=5), NO_TYPE + "5"),
    (lambda q: q.send("t", contentType=None), NO_TYPE + "null"),
    (lambda q: q.send(2**60), "Do not know how to serialize a BigInt"),
    (lambda q: q.send("t", delaySeconds=1e12), NO_INT),
    (lambda q: q.send("t", "text"), NO_OPTIONS),
    (lambda q: q.sendBatch([]), "sendBatch() requires at least one message"),
    (lambda q: q.sendBatch(5), NO_SEQUENCE),
    (lambda q: q.sendBatch(), NO_SEQUENCE),
    (lambda q: q.sendBatch({"body": 1}), NO_SEQUENCE),
    (lambda q: q.sendBatch("ab"), NO_SEQUENCE),
    (lambda q: q.sendBatch([5]), "Incorrect type: the provided value is not of type 'MessageSendRequest'."),
    (lambda q: q.sendBatch([{}]), "Message body cannot be undefined"),
    (lambda q: q.sendBatch([{"body": 1, "contentType": "xml"}]), NO_TYPE + "xml"),
    (lambda q: q.sendBatch([{"body": "up", "contentType": "TEXT"}]), NO_TYPE + "TEXT"),
]


@pytest.mark.parametrize(("call", "told"), REFUSED)
def test_refused_before_anything_is_sent(call: Callable[[Any], Any], told: str) -> None:
    """workerd's own refusals: rejections, and nothing reaches the queue."""
    world = World()
    assert refusal(world, call) == "TypeError: " + told
    world.sim.run()
    assert world.log == [] and world.loop.now_us == 0


TOO_LONG = "message in batch has length 130002 bytes which exceeds single message size limit of 128000"
LARGE: list[tuple[Callable[[Any], Any], str, str]] = [
    (
        lambda q: q.send("x" * 127_999),
        "Queue send failed: message length of 128001 bytes exceeds limit of 128000",
        "Message size out of bounds (10204)",
    ),
    (
        lambda q: q.sendBatch([{"body": 1}] * 101),
        "Queue sendBatch failed: batch message count of 101 exceeds limit of 100",
        "Batch count out of bounds (10206)",
    ),
    (
        lambda q: q.sendBatch([{"body": "x" * 72_001}] * 4),
        "Queue sendBatch failed: batch size of 288012 bytes exceeds limit of 256000",
        "Batch size out of bounds (10205)",
    ),
    (
        lambda q: q.sendBatch([{"body": "x" * 130_000}]),
        "Queue sendBatch failed: " + TOO_LONG,
        "Message size out of bounds (10204)",
    ),
    (
        lambda q: q.send("t", delaySeconds=86_401),
        "Queue send failed: Internal Server Error",
        "Invalid message metadata (10203)",
    ),
    (
        lambda q: q.send("t", delaySeconds=-1),
        "Queue send failed: Internal Server Error",
        "Invalid message metadata (10203)",
    ),
    (
        lambda q: q.sendBatch([{"body": 1}], delaySeconds=86_401),
        "Queue sendBatch failed: Internal Server Error",
        "Invalid batch delay (10202)",
    ),
]


@pytest.mark.parametrize(("call", "before_the_flag", "documented"), LARGE)
def test_refused_by_the_queue(call: Callable[[Any], Any], before_the_flag: str, documented: str) -> None:
    """By compatibility date and platform: miniflare's text, miniflare without one, the documented cause and code."""
    assert refusal(World(compatibility_date="2026-03-11"), call) == f"Error: {before_the_flag}"
    assert refusal(World(), call) == "Error: Unknown Internal Error (15000)"
    assert refusal(World(platform="cloudflare"), call) == f"Error: {documented}"


def test_the_limits_are_where_they_were_recorded() -> None:
    """128,000 bytes pass; locally a batch of 270,000 passes too, in production 256,000 is documented."""
    world = World()
    world.sim.run(world.jobs.send("x" * 127_998))
    three = [{"body": "x" * 90_000}] * 3
    world.sim.run(world.jobs.sendBatch(three))
    assert (
        refusal(World(platform="cloudflare"), lambda q: q.sendBatch(three)) == "Error: Batch size out of bounds (10205)"
    )


def test_a_refusal_says_what_the_platform_leaves_out() -> None:
    """The note has the sizes, the limit and the way out."""
    world = World()
    with pytest.raises(JsException) as caught:
        world.sim.run(world.jobs.send("x" * 127_999))
    assert caught.value.__notes__ == [
        "message length of 128001 bytes exceeds limit of 128000. Put the data in R2 or KV and send its key."
    ]


def test_functions_and_tuples_are_no_bodies() -> None:
    """A tuple is the SDK's TypeError at the call; a function cannot be cloned."""
    world = World()
    with pytest.raises(TypeError, match="cannot be sent over RPC"):
        world.jobs.send((1, 2))
    assert refusal(world, lambda q: q.send(print)).startswith("DataCloneError: ")
