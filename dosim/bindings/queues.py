"""Queues as Python Workers have them: `env.JOBS.send(...)`, and where messages wait, are delivered and retried.

Sources: developers.cloudflare.com/queues (configuration/batching-retries, configuration/javascript-apis,
configuration/dead-letter-queues, platform/limits, reference/error-codes), workerd src/workerd/api/queue.c++; texts and
conversions were recorded from miniflare 4.20260426 on workerd 1.20260426 in November 2026. Where miniflare and the
documents differ, the documents are followed (RULES-python 39): a message acknowledged before its handler raises is not
delivered again, and the defaults are 10 messages, 5 s, 3 retries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.queues_batches import Entry, MessageBatch, js_moment
from dosim.bindings.queues_bodies import Body, Sent, read_message, read_messages, refuse_delivery
from dosim.platform.facts import EPOCH_MS, MINUTE_US, SECOND_US
from dosim.platform.prices import QUEUE_MESSAGE_BYTES, QUEUE_OPERATION_BYTES
from dosim.runtime.promises import rejected
from dosim.runtime.services import Service
from dosim.web.errors import JsException
from dosim.web.interface import Constructor
from dosim.web.values import JsDict

if TYPE_CHECKING:
    from dosim.kernel.loop import Timer
    from dosim.network import City
    from dosim.runtime.world import World

#: Until a message is "confirmed to be written to disk" and send() resolves. Documented as the median latency of
#: sending since 2024 (blog.cloudflare.com/how-we-built-cloudflare-queues), which includes a short way.
WRITE_US: Final = 60_000
#: Until metrics() is answered (assumed).
METRICS_US: Final = 5_000
#: Messages are deleted after this long. Documented default (queues/platform/limits).
RETENTION_US: Final = 4 * 24 * 60 * MINUTE_US
#: Concurrent runs of a consumer when `max_concurrency` sets no limit. Documented (queues/platform/limits).
MOST_CONCURRENT: Final = 250

#: Runs the Worker's `queue` handler with a batch and calls the second argument when it has ended, with its error.
Dispatch = Callable[[MessageBatch, Callable[[BaseException | None], None]], None]


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """How one queue's messages reach its consumer: `queues.consumers` of wrangler's configuration.

    Defaults and limits are documented (queues/configuration/batching-retries, queues/platform/limits). Times are in
    microseconds; wrangler's are seconds. Raises ValueError that names the key and what it takes.
    """

    max_batch_size: int = 10
    max_batch_timeout_us: int = 5 * SECOND_US
    max_retries: int = 3
    retry_delay_us: int = 0
    #: The name of another queue; None: messages that failed too often are deleted.
    dead_letter_queue: str | None = None
    #: Batches under way at once; None: as many as there are full or due.
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        for key, value, low, high, unit in (
            ("max_batch_size", self.max_batch_size, 1, 100, "messages"),
            ("max_batch_timeout", self.max_batch_timeout_us, 0, 60 * SECOND_US, "microseconds (60 s)"),
            ("max_retries", self.max_retries, 0, 100, "retries"),
            ("retry_delay", self.retry_delay_us, 0, 24 * 60 * MINUTE_US, "microseconds (24 h)"),
            ("max_concurrency", self.max_concurrency or 1, 1, MOST_CONCURRENT, "runs"),
        ):
            if not low <= value <= high:
                raise ValueError(f"queue consumer: {key} is {value}; it must be {low} to {high} {unit}.")
        if self.max_concurrency == 0:
            raise ValueError("queue consumer: max_concurrency is 0; leave it out for no limit, or give 1 to 250.")


class QueueStore:
    """One queue: the messages that wait, and the consumer they go to.

    Delivery: a batch goes out when `max_batch_size` messages wait, or `max_batch_timeout` after the one that has waited
    longest became ready; it needs a free run (`max_concurrency`). First in, first out; a retried message joins the
    end. A message that waits is pending work, so it keeps `sim.run()` going; without a consumer messages just lie
    there, and go when they are `RETENTION_US` old.
    """

    def __init__(self, world: World, name: str, *, retention_us: int = RETENTION_US) -> None:
        self.world = world
        self.name = name
        self._retention_us = retention_us
        self._settings: ConsumerSettings | None = None
        self._dispatch: Dispatch | None = None
        self._dead_letters: QueueStore | None = None
        self._ready: list[Entry] = []
        self._sent = 0
        self._in_flight = 0
        self._timer: Timer | None = None

    def consume(self, settings: ConsumerSettings, dispatch: Dispatch, dead_letters: QueueStore | None = None) -> None:
        """Connect the consumer. `dead_letters`: the queue that `settings.dead_letter_queue` names.

        Raises ValueError when the queue has a consumer, or the dead letter queue is not the named one.
        """
        if self._settings is not None:
            raise ValueError(f"queue {self.name!r} has a consumer: a queue has one. Remove the second.")
        given = dead_letters.name if dead_letters is not None else None
        if given != settings.dead_letter_queue:
            raise ValueError(
                f"queue {self.name!r}: its dead_letter_queue is {settings.dead_letter_queue!r}, not {given!r}."
            )
        self._settings, self._dispatch, self._dead_letters = settings, dispatch, dead_letters
        self._wake()

    # -- messages come in

    def accept(self, messages: Sequence[Sent], delay_us: int) -> None:
        """Keep new messages; each is ready after its own delay, or after `delay_us`."""
        now_ms = self._now_ms()
        self._tell_meter("write", [message.body for message in messages])
        for message in messages:
            self._sent += 1
            entry = Entry(self._next_id(), now_ms, message.body)
            self._put(entry, delay_us if message.delay_us is None else message.delay_us)

    def take_over(self, entry: Entry) -> None:
        """A dead letter of another queue: it keeps its id and its time (miniflare), attempts start again."""
        entry.deliveries = 0
        self._tell_meter("write", [entry.body])
        self._put(entry, 0)

    def metrics(self) -> JsDict:
        """Messages that could be delivered now (as miniflare counts them): backlogCount, backlogBytes, the oldest."""
        self._expire()
        found = JsDict(backlogCount=len(self._ready), backlogBytes=sum(e.body.size_bytes for e in self._ready))
        if self._ready:
            found["oldestMessageTimestamp"] = js_moment(min(entry.sent_ms for entry in self._ready))
        return found

    def _next_id(self) -> str:
        """32 hex digits (recorded), the same for the same seed."""
        text = f"{self.world.seed}\0queue\0{self.name}\0{self._sent}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def _now_ms(self) -> int:
        return EPOCH_MS + self.world.loop.time_us() // 1000

    def _put(self, entry: Entry, delay_us: int) -> None:
        if delay_us:
            self.world.loop.timer(delay_us, self._now_ready, entry)
        else:
            self._now_ready(entry)

    def _now_ready(self, entry: Entry) -> None:
        entry.ready_us = self.world.loop.time_us()
        self._ready.append(entry)
        self._wake()

    def _expire(self) -> None:
        """Delete what is too old."""
        oldest_ms = self._now_ms() - self._retention_us // 1000
        old = [entry.body for entry in self._ready if entry.sent_ms < oldest_ms]
        if old:
            self._tell_meter("delete", old)
            self._ready = [entry for entry in self._ready if entry.sent_ms >= oldest_ms]

    # -- batches go out

    def _wake(self) -> None:
        """Something changed: look again when the next batch is due, or now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        settings = self._settings
        if settings is None or not self._ready or self._in_flight >= (settings.max_concurrency or MOST_CONCURRENT):
            return
        due_us = self._ready[0].ready_us + settings.max_batch_timeout_us
        now_us = self.world.loop.time_us()
        wait_us = 0 if len(self._ready) >= settings.max_batch_size else max(0, due_us - now_us)
        self._timer = self.world.loop.timer(wait_us, self._deliver)

    def _deliver(self) -> None:
        """A batch is due: hand it to the consumer."""
        self._timer = None
        self._expire()
        settings, dispatch = self._settings, self._dispatch
        assert settings is not None and dispatch is not None
        entries, self._ready = self._ready[: settings.max_batch_size], self._ready[settings.max_batch_size :]
        if entries:
            self._in_flight += 1
            self._tell_meter("read", [entry.body for entry in entries])
            for entry in entries:
                entry.deliveries += 1
            batch = MessageBatch(self.name, entries, self.metrics(), self._warn)
            self._wake()
            dispatch(batch, lambda error: self._ended(batch, entries, error))

    def _ended(self, batch: MessageBatch, entries: list[Entry], error: BaseException | None) -> None:
        """The handler has ended: what it did not acknowledge is retried after an error, or if it asked for that."""
        if batch.closed:
            return
        batch.closed = True
        self._in_flight -= 1
        settings = self._settings
        assert settings is not None
        done = []
        for entry in entries:
            if not batch.wants_retry(entry, failed=error is not None):
                done.append(entry.body)
                continue
            if entry.deliveries > settings.max_retries:
                self._give_up(entry)
            else:
                delay_us = batch.delay_us(entry)
                self._put(entry, settings.retry_delay_us if delay_us is None else delay_us)
        if done:
            self._tell_meter("delete", done)
        self._wake()

    def _give_up(self, entry: Entry) -> None:
        """Failed too often: to the dead letter queue, or gone."""
        if self._dead_letters is not None:
            self._dead_letters.take_over(entry)
            return
        self._tell_meter("delete", [entry.body])
        times = f"{entry.deliveries} failed attempt{'s' if entry.deliveries > 1 else ''}"
        self._warn(
            f'Dropped message "{entry.id}" on queue "{self.name}" after {times}! With a dead_letter_queue for its'
            " consumer it would be kept there."
        )

    def _tell_meter(self, what: str, bodies: Sequence[Body]) -> None:
        """A record for the bill: one operation for each 64 KB of each message (partials/workers/queues_pricing)."""
        count = sum(-(-(body.size_bytes + QUEUE_MESSAGE_BYTES) // QUEUE_OPERATION_BYTES) for body in bodies)
        self.world.emit(self.world.loop.time_us(), "operations", f"queue {self.name}", 0, 0, (what, count))

    def _warn(self, text: str) -> None:
        self.world.emit(self.world.loop.time_us(), "warning", f"queue {self.name}", 0, 0, (text,))

    def __repr__(self) -> str:
        return f"<QueueStore {self.name}: {len(self._ready)} ready, {self._in_flight} batches under way>"


class QueueProducer(Service):
    """`env.JOBS`: send, sendBatch, metrics. `delivery_delay_us`: `delivery_delay` of `queues.producers`.

    Calls stay where they are made: a queue's storage has shards near to its producers (documented, as for `WRITE_US`).
    """

    constructor = Constructor("WorkerQueue")

    def __init__(
        self,
        world: World,
        store: QueueStore,
        binding_name: str,
        *,
        delivery_delay_us: int = 0,
        place: City | None = None,
    ) -> None:
        super().__init__(world, f"queue {store.name}", place)
        self._store = store
        self._name = binding_name
        self._delivery_delay_us = delivery_delay_us

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send one message: its body, then contentType and delaySeconds. Resolves when it is written.

        Raises TypeError at the call for what the SDK refuses; other refusals are rejections.
        """
        given = (*args, dict(kwargs)) if kwargs else args
        try:
            message = read_message(self.world, given)
        except JsException as error:
            return rejected(error)
        return self.call("send", lambda: self._accept("send", [message], None), takes_us=WRITE_US)

    def sendBatch(self, *args: Any, **kwargs: Any) -> Any:
        """Send up to 100 messages, 256 KB together: [{"body": ...}, ...], then delaySeconds for all of them."""
        given = (*args, dict(kwargs)) if kwargs else args
        try:
            messages, delay_us = read_messages(self.world, given)
        except JsException as error:
            return rejected(error)
        return self.call("sendBatch", lambda: self._accept("sendBatch", messages, delay_us), takes_us=WRITE_US)

    def metrics(self, *_: Any) -> Any:
        """{backlogCount, backlogBytes, oldestMessageTimestamp}; the last is missing when nothing waits."""
        return self.call("metrics", self._store.metrics, takes_us=METRICS_US)

    def _accept(self, method: str, messages: list[Sent], delay_us: int | None) -> JsDict:
        """At the queue. Raises JsException for what it refuses. The metrics include these messages (assumed)."""
        refuse_delivery(self.world, method, messages, delay_us)
        self._store.accept(messages, self._delivery_delay_us if delay_us is None else delay_us)
        return JsDict(metadata=JsDict(metrics=self._store.metrics()))

    def __repr__(self) -> str:
        return f"<Queue {self._name} of {self._store.name}>"
