"""What a producer sends: message bodies by content type, options, and what the platform refuses of them.

Recorded from miniflare 4.20260426 on workerd 1.20260426 (see `dosim.bindings.queues`), except where it says otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import SECOND_US
from dosim.web.errors import JsException, noted, type_error
from dosim.web.interface import utf8
from dosim.web.proxies import JsObject
from dosim.web.sizes import serialized_size
from dosim.web.values import JsBigInt, JsDict, clone, js_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

#: The largest body, bytes. Documented (queues/platform/limits: 128 KB of 1,000 bytes), the boundary recorded.
MESSAGE_BYTES: Final = 128_000
#: The largest batch, bytes: documented 256 KB; miniflare lets 288,000 through, and speaks of 256,000.
BATCH_BYTES: Final = 256_000
LOCAL_BATCH_BYTES: Final = 288_000
#: Messages in one sendBatch. Documented.
BATCH_MESSAGES: Final = 100
#: The longest delay. Documented in queues/reference/error-codes (86400) and miniflare's; older pages say 12 hours.
DELAY_S: Final = 86_400
#: Flags: json is the default content type; errors carry the queue's code. Source: workerd io/compatibility-date.capnp.
JSON_BY_DEFAULT: Final = "2024-03-18"
EXPOSE_ERROR_CODES: Final = "2026-03-12"

_CONTENT_TYPES: Final = ("text", "bytes", "json", "v8")
_INT_RANGE: Final = "Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
_NOT_SENDABLE: Final = "[object Object] could not be cloned."


@dataclass(frozen=True, slots=True)
class Body:
    """A message's body: what its reader gets, and its size as it is sent, bytes."""

    content: Any
    size_bytes: int

    def read(self) -> Any:
        """A copy of its own for one delivery."""
        return clone(self.content)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message on its way. `delay_us`: None when it says nothing of a delay."""

    body: Body
    delay_us: int | None


# -- reading the arguments


def read_message(world: World, args: tuple[Any, ...]) -> Sent:
    """The message that `send(body, options)` sends. Raises TypeError as the SDK does, else the platform's errors."""
    if not args:
        raise type_error("Failed to execute 'send' on 'WorkerQueue': parameter 1 is not of type 'JsValue'.")
    body = clone(args[0], _refuse)
    options = _options("send", "SendOptions", args[1] if len(args) > 1 else None)
    kind = _content_type(options["contentType"]).lower() if "contentType" in options else None
    return Sent(_packed(world, body, kind), _delay_us(options))


def read_messages(world: World, args: tuple[Any, ...]) -> tuple[list[Sent], int | None]:
    """The messages that `sendBatch(messages, options)` sends, and the delay for all of them."""
    given = clone(args[0], _refuse) if args else None
    if not isinstance(given, list):
        error = type_error("Failed to execute 'sendBatch' on 'WorkerQueue': parameter 1 is not of type 'Sequence'.")
        raise noted(error, 'sendBatch takes a list of {"body": ...} dicts.')
    options = _options("sendBatch", "SendBatchOptions", args[1] if len(args) > 1 else None)
    if not given:
        raise type_error("sendBatch() requires at least one message")
    return [_request(world, item) for item in given], _delay_us(options)


def _request(world: World, item: Any) -> Sent:
    if not isinstance(item, dict):
        error = type_error("Incorrect type: the provided value is not of type 'MessageSendRequest'.")
        raise noted(error, f'A message of the batch is a {type(item).__name__}: write {{"body": ...}}.')
    if "body" not in item:
        error = type_error("Message body cannot be undefined")
        raise noted(error, f'A message of the batch has {", ".join(item) or "no keys"}: write {{"body": ...}}.')
    kind = _content_type(item["contentType"], lower_only=True) if "contentType" in item else None
    return Sent(_packed(world, item["body"], kind), _delay_us(item))


def _options(method: str, name: str, given: Any) -> dict[str, Any]:
    if isinstance(given, JsObject):
        given = given.as_plain()
    if given is None:
        return {}
    if not isinstance(given, dict):
        error = type_error(f"Failed to execute '{method}' on 'WorkerQueue': parameter 2 is not of type '{name}'.")
        raise noted(error, "Options are keyword arguments, such as delaySeconds=60, or a dict of them.")
    return given


def _content_type(given: Any, *, lower_only: bool = False) -> str:
    """The content type as it was written: sendBatch takes lower case alone (a slip of queue.c++, recorded)."""
    text = js_text(clone(given, lambda _: None))
    if (text if lower_only else text.lower()) not in _CONTENT_TYPES:
        error = type_error(f"Unsupported queue message content type: {text}")
        raise noted(error, f"contentType is one of {', '.join(_CONTENT_TYPES)}.")
    return text


def _delay_us(options: dict[str, Any]) -> int | None:
    """delaySeconds, None when it is not there at all: given as None it is 0, whatever the queue's own delay."""
    return delay_us_of(options["delaySeconds"]) if "delaySeconds" in options else None


def delay_us_of(seconds: Any) -> int:
    """A number of seconds as JavaScript makes a whole one of it: no number is 0, fractions are cut."""
    try:
        number = 0.0 if seconds is None else float(seconds)
    except (TypeError, ValueError):
        number = 0.0
    whole = int(number) if math.isfinite(number) else 0
    if not -(2**31) <= whole < 2**31:
        raise type_error(_INT_RANGE)
    return whole * SECOND_US


# -- bodies


def _refuse(value: object) -> object:
    error = JsException(_NOT_SENDABLE, "DataCloneError")
    raise noted(error, f"It is a {type(value).__name__}: a message is plain data, so send a dict of its fields.")


def _packed(world: World, body: Any, kind: str | None) -> Body:
    """A body as its content type carries it. Raises the platform's TypeErrors for one that does not fit."""
    if kind is None:
        kind = "json" if world.flag_since("queues_json_messages", "no_queues_json_messages", JSON_BY_DEFAULT) else "v8"
    if kind == "v8":
        return Body(body, serialized_size(body))
    if kind == "json":
        content = json_content(body)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return Body(content, len(utf8(text)))
    if kind == "text" and isinstance(body, str):
        return Body(body, len(utf8(body)))
    if kind == "bytes" and isinstance(body, memoryview):
        return Body(body, len(body))
    wanted = "string" if kind == "text" else "ArrayBufferView"
    error = type_error(f'Content Type "{kind}" requires a value of type {wanted}, but received: {_typeof(body)}')
    raise noted(error, "Send str(value) as text, bytes(value) as bytes, or leave contentType out: json takes any data.")


def _typeof(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "bigint" if isinstance(value, JsBigInt) else "number"
    return "string" if isinstance(value, str) else "object"


def json_content(value: Any) -> Any:
    """A converted value after JSON.stringify and JSON.parse: what a consumer of content type json reads.

    A date is its ISO text, a set is {}, bytes are {"0": ...}, NaN is None. Raises the TypeError of a BigInt.
    """
    if isinstance(value, JsBigInt):
        raise noted(type_error("Do not know how to serialize a BigInt"), 'Send str(value), or use contentType="v8".')
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return JsDict({key: json_content(item) for key, item in value.items()})
    if isinstance(value, list):
        return [json_content(item) for item in value]
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, memoryview):
        return JsDict({str(at): byte for at, byte in enumerate(value)})
    return JsDict()


# -- refusals of the queue itself


def refuse_delivery(world: World, method: str, messages: Sequence[Sent], delay_us: int | None) -> None:
    """Raises the platform's error for messages too large, too many, or delayed for too long."""
    sizes = [message.body.size_bytes for message in messages]
    if method == "send" and sizes[0] > MESSAGE_BYTES:
        raise _size_error(world, method, f"message length of {sizes[0]} bytes exceeds limit of {MESSAGE_BYTES}")
    if method == "sendBatch":
        _refuse_batch(world, sizes)
    if delay_us is not None and not 0 <= delay_us <= DELAY_S * SECOND_US:
        raise _delay_error(world, method, delay_us, "Invalid batch delay (10202)")
    for message in messages:
        if message.delay_us is not None and not 0 <= message.delay_us <= DELAY_S * SECOND_US:
            raise _delay_error(world, method, message.delay_us, "Invalid message metadata (10203)")


def _refuse_batch(world: World, sizes: list[int]) -> None:
    if len(sizes) > BATCH_MESSAGES:
        told = f"batch message count of {len(sizes)} exceeds limit of {BATCH_MESSAGES}"
        raise _refused(world, "sendBatch", told, "Batch count out of bounds (10206)", "Send several batches.")
    if max(sizes) > MESSAGE_BYTES:
        told = f"message in batch has length {max(sizes)} bytes which exceeds single message size limit of"
        raise _size_error(world, "sendBatch", f"{told} {MESSAGE_BYTES}")
    limit_bytes = LOCAL_BATCH_BYTES if world.platform.name == "workerd" else BATCH_BYTES
    if sum(sizes) > limit_bytes:
        told = f"batch size of {sum(sizes)} bytes exceeds limit of {BATCH_BYTES}"
        raise _refused(world, "sendBatch", told, "Batch size out of bounds (10205)", "Send several batches.")


def _size_error(world: World, method: str, told: str) -> JsException:
    fix = "Put the data in R2 or KV and send its key."
    return _refused(world, method, told, "Message size out of bounds (10204)", fix)


def _delay_error(world: World, method: str, delay_us: int, coded: str) -> JsException:
    fix = f"delaySeconds is {delay_us // SECOND_US}: it must be 0 to {DELAY_S}."
    return _refused(world, method, "Internal Server Error", coded, fix)


def _refused(world: World, method: str, told: str, coded: str, fix: str) -> JsException:
    """A refusal in the words of the platform and of the compatibility date; the note says what they leave out.

    Documented causes and codes (queues/reference/error-codes), put together as workerd does; miniflare sends no code,
    so the local runtime says nothing since the flag (recorded).
    """
    if not world.flag_since("queue_expose_error_codes", "no_queue_expose_error_codes", EXPOSE_ERROR_CODES):
        error = JsException(f"Queue {method} failed: {told}")
    elif world.platform.name == "workerd":
        error = JsException("Unknown Internal Error (15000)")
    else:
        error = JsException(coded)
    return noted(error, fix if told == "Internal Server Error" else f"{told}. {fix}")
