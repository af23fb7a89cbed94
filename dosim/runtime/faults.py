"""What is broken in the world just now: links, colos, messages to lose, disks that fail; the simulation's verbs do it.

A world without faults has none of this on its paths. Lost messages are noticed: whoever waits gets the platform's
"Network connection lost." after `LOST_NOTICED_US`, so that every caller ends with an answer or an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dosim.platform.facts import LOST_NOTICED_US, RETRY_ATTEMPTS, RETRY_FIRST_US, RETRY_WINDOW_US
from dosim.web.errors import JsException, noted

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.websocket import WebSocketEnd
    from dosim.runtime.world import World

LOST_TEXT = "Network connection lost."
STORAGE_TEXT = "Durable Object storage operation exceeded timeout which caused object to be reset."
RESET_TEXT = "Durable Object connection closed because the object was reset."
OVERLOADED_TEXT = "Durable Object is overloaded. Too many requests queued."


@dataclass(slots=True)
class Loss:
    """Messages to lose: the next `left` requests or replies of calls that match."""

    what: str
    target: str | None
    method: str | None
    left: int

    def takes(self, call: Call, what: str) -> bool:
        """Whether this message is one of them; then there is one less to lose."""
        if self.left <= 0 or what != self.what:
            return False
        if self.target is not None and call.target != self.target:
            return False
        if self.method is not None and call.method != self.method:
            return False
        self.left -= 1
        return True


class Faults:
    """The faults of one world. Pairs of places are kept by the names of their cities."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._blocked: set[frozenset[str]] = set()
        self._down: dict[str, None] = {}
        self._slow_us: dict[frozenset[str], int] = {}
        self._losses: list[Loss] = []
        self._failing_disks: dict[ObjectHost, int] = {}
        self._overloaded: dict[ObjectHost, None] = {}

    # -- what the verbs do

    def block(self, a: City, b: City) -> None:
        self._blocked.add(frozenset((a.name, b.name)))

    def slow(self, a: City, b: City, extra_us: int) -> None:
        self._slow_us[frozenset((a.name, b.name))] = extra_us

    def repair(self, a: City, b: City) -> None:
        pair = frozenset((a.name, b.name))
        self._blocked.discard(pair)
        self._slow_us.pop(pair, None)

    def take_down(self, colo: City) -> None:
        self._down[colo.name] = None

    def bring_up(self, colo: City) -> None:
        self._down.pop(colo.name, None)

    def lose(self, loss: Loss) -> None:
        self._losses.append(loss)

    def lose_no_more(self) -> None:
        self._losses.clear()

    def fail_disk(self, host: ObjectHost, commits: int) -> None:
        self._failing_disks[host] = commits

    def overload(self, host: ObjectHost) -> None:
        self._overloaded[host] = None

    def relieve(self, host: ObjectHost) -> None:
        self._overloaded.pop(host, None)
        self._failing_disks.pop(host, None)

    # -- what the runtime asks

    @property
    def down(self) -> tuple[str, ...]:
        """The names of the colos' cities that are down."""
        return tuple(self._down)

    def is_down(self, colo: City | None) -> bool:
        return colo is not None and colo.name in self._down

    def cut_off(self, a: City | None, b: City | None) -> bool:
        """Whether nothing gets from one place to the other."""
        if self.is_down(a) or self.is_down(b):
            return True
        if a is None or b is None:
            return False
        if frozenset((a.name, b.name)) in self._blocked:
            return True
        network = self._world.network
        return network is not None and not network.joined(a, b)

    def client_cut_off(self, city: City | None, colo: City | None) -> bool:
        """Whether nothing gets from a client to its colo; a client may live where the colo is down."""
        if self.is_down(colo):
            return True
        return city is not None and colo is not None and frozenset((city.name, colo.name)) in self._blocked

    def client_loses(self, call: Call, what: str, city: City | None, colo: City | None) -> bool:
        """As `loses`, for the way between a client and its colo."""
        return self.client_cut_off(city, colo) or any(loss.takes(call, what) for loss in self._losses)

    def extra_us(self, a: City | None, b: City | None) -> int:
        """How much longer a message takes between two places."""
        if a is None or b is None or not self._slow_us:
            return 0
        return self._slow_us.get(frozenset((a.name, b.name)), 0)

    def loses(self, call: Call, what: str, a: City | None, b: City | None) -> bool:
        """Whether a call's request or reply, on its way from one place to the other, is lost."""
        return self.cut_off(a, b) or any(loss.takes(call, what) for loss in self._losses)

    def late_us(self, call: Call, what: str) -> int:
        """How much longer a call's request or reply takes; more than 0 only while somebody explores."""
        return 0

    def frame_late_us(self, end: WebSocketEnd) -> int:
        """How much longer a socket's next frame takes, likewise."""
        return 0

    def gives_up(self, call: Call) -> bool:
        """Whether a lost request that could be sent again is not, likewise."""
        return False

    def disk_fails(self, host: ObjectHost) -> bool:
        """Whether the commit that is tried now fails; then there is one less to fail."""
        left = self._failing_disks.get(host, 0)
        if left:
            self._failing_disks[host] = left - 1
        return left > 0

    def refuses(self, host: ObjectHost) -> bool:
        """Whether the object turns new requests away."""
        return host in self._overloaded

    # -- how a loss ends

    def request_lost(self, call: Call, leave_us: int, why: str) -> None:
        """A request never reaches its goal: it is sent again, as documented, or its caller gets an error.

        Only what certainly never reached the object is retried, and no attempt begins later than 10 s after the first.
        """
        world = self._world
        noticed_us = leave_us + LOST_NOTICED_US
        call.last = world.emit(leave_us, "lost", call.target, call.id, call.last, ("request", why))
        attempts, first_us = call.attempts or (1, leave_us)
        most, window_us = getattr(call.stub, "retry", None) or (RETRY_ATTEMPTS, RETRY_WINDOW_US)
        again_us = noticed_us + (RETRY_FIRST_US << (attempts - 1))
        again = world.platform.retries and attempts < most and again_us <= first_us + window_us
        if again and not self.gives_up(call):
            call.attempts = attempts + 1, first_us
            world.loop.at(again_us, self._again, call)
        else:
            world.loop.at(noticed_us, self._fail, call)

    def reply_lost(self, call: Call, leave_us: int, why: str) -> None:
        """It happened, and the caller is not told: it gets an error that says nothing of that."""
        call.last = self._world.emit(leave_us, "lost", call.target, call.id, call.last, ("reply", why))
        self._world.loop.at(leave_us + LOST_NOTICED_US, self._fail, call)

    def _again(self, call: Call) -> None:
        self._world.routes.send(call, self._world.loop.now_us)

    def _fail(self, call: Call) -> None:
        self._world.routes.fail(call, connection_lost())


def connection_lost() -> JsException:
    """What a caller gets when it cannot know what happened over there."""
    return JsException(LOST_TEXT, retryable=True)


def reset_error(reason: str = RESET_TEXT) -> JsException:
    """What a reset by the platform tells everybody who has to do with the object."""
    return JsException(reason, durableObjectReset=True, retryable=True)


def overloaded() -> JsException:
    """What a caller gets whom an object turns away. Documented: do not retry."""
    return noted(
        JsException(OVERLOADED_TEXT, overloaded=True, remote=True), "The object's queue is full: do not retry at once."
    )
