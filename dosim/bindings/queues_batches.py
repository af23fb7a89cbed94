"""What the `queue` handler of a Worker is given: a batch and its messages, with what it decides about them.

The first decision about a message wins, and one about a single message counts more than one about the batch
(documented: queues/configuration/batching-retries; the warnings are workerd's, api/queue.c++).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from dosim.bindings.namespace import option
from dosim.bindings.queues_bodies import Body, delay_us_of
from dosim.web.interface import Constructor
from dosim.web.values import JsDict

_1970: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (as Python Workers show a Date: UTC without zone)


def js_moment(moment_ms: int) -> datetime:
    """Milliseconds since 1970 as the datetime that Python Workers see: UTC, naive."""
    return _1970 + timedelta(milliseconds=moment_ms)


class Entry:
    """A message in a queue."""

    __slots__ = ("body", "deliveries", "id", "ready_us", "sent_ms")

    def __init__(self, number: str, sent_ms: int, body: Body) -> None:
        self.id = number
        self.sent_ms = sent_ms
        self.body = body
        #: Batches that it was part of.
        self.deliveries = 0
        self.ready_us = 0


class Message:
    """One message: id, timestamp, body, attempts; `ack()` and `retry(delaySeconds=...)`."""

    constructor = Constructor("QueueMessage")

    def __init__(self, batch: MessageBatch, entry: Entry) -> None:
        self._batch = batch
        self._entry = entry
        self.id = entry.id
        #: When it was sent.
        self.timestamp = js_moment(entry.sent_ms)
        #: How often it was delivered, this time included.
        self.attempts = entry.deliveries

    @cached_property
    def body(self) -> Any:
        """The body, a copy of its own for each delivery."""
        return self._entry.body.read()

    def ack(self) -> None:
        """Count it as done, whatever the handler does afterwards."""
        self._batch.ack(self.id)

    def retry(self, options: Any = None, **more: Any) -> None:
        """Deliver it again, after delaySeconds if given; other messages are not affected."""
        self._batch.retry(self.id, _delay_us(options, more))

    def __repr__(self) -> str:
        return f"<Message {self.id}, attempt {self.attempts}>"


class MessageBatch:
    """`batch`: queue, messages, metadata; `ackAll()` and `retryAll(delaySeconds=...)`."""

    constructor = Constructor("QueueEvent")

    def __init__(self, queue: str, entries: list[Entry], metrics: JsDict, warn: Callable[[str], None]) -> None:
        self.queue = queue
        self.messages = [Message(self, entry) for entry in entries]
        self.metadata = JsDict(metrics=metrics)
        #: The handler has ended: what it decides now changes nothing.
        self.closed = False
        self._warn = warn
        self._acked: set[str] = set()
        self._retried: dict[str, int | None] = {}
        self._ack_all = self._retry_all = False
        self._retry_all_delay_us: int | None = None

    def ackAll(self) -> None:
        """Count every message as done about which nothing else was said."""
        if self._retry_all:
            self._without_effect("ackAll()", "", "retryAll()")
        else:
            self._ack_all = True

    def retryAll(self, options: Any = None, **more: Any) -> None:
        """Deliver every message again about which nothing else was said, after delaySeconds if given."""
        if self._ack_all:
            self._without_effect("retryAll()", "", "ackAll()")
            return
        self._retry_all = True
        delay_us = _delay_us(options, more)
        if delay_us is not None:
            self._retry_all_delay_us = delay_us

    # -- of single messages

    def ack(self, number: str) -> None:
        if self._ack_all:
            return
        if self._retry_all or number in self._retried:
            self._without_effect("ack()", number, "retryAll()" if self._retry_all else "retry()")
        else:
            self._acked.add(number)

    def retry(self, number: str, delay_us: int | None) -> None:
        if self._ack_all or number in self._acked:
            self._without_effect("retry()", number, "ackAll()" if self._ack_all else "ack()")
        else:
            known = self._retried.get(number)
            self._retried[number] = known if delay_us is None else delay_us

    def _without_effect(self, call: str, number: str, earlier: str) -> None:
        """workerd's warning."""
        on, a_message = (f" on message {number}", " on a message") if number else ("", "")
        self._warn(
            f"Received a call to {call}{on} after {earlier} was already called. Calling {call}{a_message} after calling"
            f" {earlier} has no effect."
        )

    # -- read by the queue when the handler has ended

    def wants_retry(self, entry: Entry, *, failed: bool) -> bool:
        """Whether a message is to be delivered again; `failed`: the handler raised."""
        if entry.id in self._acked:
            return False
        if entry.id in self._retried or self._retry_all:
            return True
        return failed and not self._ack_all

    def delay_us(self, entry: Entry) -> int | None:
        """The delay asked for; None: the consumer's own."""
        own_us = self._retried.get(entry.id)
        return self._retry_all_delay_us if own_us is None else own_us

    def __repr__(self) -> str:
        return f"<MessageBatch of {self.queue}: {len(self.messages)} messages>"


def _delay_us(options: Any, more: dict[str, Any]) -> int | None:
    """delaySeconds of a retry; less than nothing is nothing."""
    seconds = option(options, more, "delaySeconds")
    return None if seconds is None else max(0, delay_us_of(seconds))
