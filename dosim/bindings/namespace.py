"""Durable Object namespaces and stubs, spelled as on the platform.

Recorded: making a stub touches nothing; a call acts when it is made; a stub binds to the object's current life at its
first use and, after a reset of that life, fails for ever with the same error; a new stub reaches the next life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dosim.bindings.stubs import RemoteStub
from dosim.platform.facts import JURISDICTIONS, RETRY_ATTEMPTS, RETRY_WINDOW_US
from dosim.runtime.calls import Call
from dosim.runtime.host import object_label
from dosim.web.errors import JsException, type_error
from dosim.web.ids import DurableObjectId, not_an_id
from dosim.web.interface import Constructor, argument_int, argument_text

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import ClassBinding, World

_NO_JURISDICTIONS = "Jurisdiction restrictions are not implemented in workerd."


class StubOptions(NamedTuple):
    """What `get` was told: where a new object should be, and how often a request that was lost is sent again."""

    hint: str | None = None
    #: Attempts in all, and how long after the first one the last may begin, microseconds; None: the platform's.
    retry: tuple[int, int] | None = None


class StubLink:
    """The runtime's end of a stub: which object, and which life of it."""

    __slots__ = (
        "_binding",
        "_options",
        "_world",
        "deliver",
        "host",
        "label",
        "last_answer_us",
        "last_arrival_us",
        "life",
        "number",
        "object_id",
        "target_place",
    )  # fmt: skip

    def __init__(self, world: World, binding: ClassBinding, object_id: DurableObjectId, options: StubOptions) -> None:
        self._world = world
        self._binding = binding
        self.object_id = object_id
        self._options = options
        self.host: ObjectHost | None = None
        self.life = 0
        #: Which stub of the world it is, in the order of their first uses; 0 before that.
        self.number = 0
        self.target_place: City | None = None
        self.last_arrival_us = self.last_answer_us = 0
        self.label = object_label(binding.class_name, object_id)

    def bind(self, call: Call) -> None:
        """Bind to the object's current life, at the first use."""
        call.stub = self
        if self.host is None:
            origin: City | None = call.owner.place if call.owner is not None else None
            known = len(self._world.hosts)
            self.number = self._world.next_stub()
            self.host = host = self._world.host(self._binding, self.object_id, origin, self._options.hint)
            call.lookup = len(self._world.hosts) > known and self.object_id.name is not None
            self.life = host.life
            self.target_place = host.place
            self.deliver = host.arrive

    def new_stub(self) -> Stub:
        return Stub(self._world, self._binding, self.object_id, self._options)

    @property
    def retry(self) -> tuple[int, int] | None:
        """What `retry` the stub was given."""
        return self._options.retry


class Stub(RemoteStub):
    """A Durable Object from outside: `stub.method(...)`, `stub.fetch(...)`, `stub.id`, `stub.name`."""

    constructor = Constructor("DurableObject")

    def __init__(self, world: World, binding: ClassBinding, object_id: DurableObjectId, options: StubOptions) -> None:
        super().__init__(world, StubLink(world, binding, object_id, options))
        self.id = object_id
        self.name = object_id.name


class DurableObjectNamespace:
    """`env.NAME`: the objects of one class. Source: developers.cloudflare.com/durable-objects/api/namespace."""

    constructor = Constructor("DurableObjectNamespace")

    def __init__(self, world: World, binding: ClassBinding, jurisdiction: str | None = None) -> None:
        self._world = world
        self._binding = binding
        self._jurisdiction = jurisdiction

    def idFromName(self, name: object) -> DurableObjectId:
        """The id that this name has, always the same; touches nothing."""
        return self._binding.ids.from_name(argument_text(name), self._jurisdiction)

    def newUniqueId(self, options: Any = None, **more: Any) -> DurableObjectId:
        """A new random id, without a name. Option: jurisdiction."""
        jurisdiction = self._jurisdiction
        given = option(options, more, "jurisdiction")
        if given is not None:
            jurisdiction = self._checked(given)
        return self._binding.ids.unique(self._world.unique_bytes(), jurisdiction)

    def idFromString(self, text: object) -> DurableObjectId:
        """The id with these 64 hex digits; its name is lost. Raises the platform's TypeErrors."""
        return self._binding.ids.from_string(argument_text(text))

    def get(self, object_id: Any = None, options: Any = None, **more: Any) -> Stub:
        """A stub of the object with this id.

        Options: locationHint (used at its first creation), retry: {maxRetries, timeoutMs} of requests lost on the way.
        """
        if not isinstance(object_id, DurableObjectId):
            raise not_an_id("get")
        return Stub(self._world, self._binding, object_id, self._wishes(options, more))

    def getByName(self, name: object, options: Any = None, **more: Any) -> Stub:
        """A stub of the object with this name."""
        return Stub(self._world, self._binding, self.idFromName(name), self._wishes(options, more))

    def jurisdiction(self, name: object = None) -> DurableObjectNamespace:
        """The namespace of the same class whose objects stay in a jurisdiction."""
        return DurableObjectNamespace(self._world, self._binding, self._checked(name))

    def _wishes(self, options: Any, more: dict[str, Any]) -> StubOptions:
        if options is None and not more:
            return _PLAIN
        hint, retry = option(options, more, "locationHint"), option(options, more, "retry")
        return StubOptions(None if hint is None else argument_text(hint), None if retry is None else _attempts(retry))

    def _checked(self, jurisdiction: object) -> str:
        if not self._world.platform.jurisdictions:
            raise JsException(_NO_JURISDICTIONS)
        if jurisdiction not in JURISDICTIONS:
            raise type_error(f"Unknown jurisdiction {jurisdiction!r}: use one of {', '.join(JURISDICTIONS)}.")
        return str(jurisdiction)

    def __repr__(self) -> str:
        return f"<DurableObjectNamespace {self._binding.name} of {self._binding.class_name}>"


_PLAIN = StubOptions()


def _attempts(retry: Any) -> tuple[int, int]:
    """`retry` of a stub as attempts and a window. Source: best-practices/automatic-retries."""
    most, window_ms = option(retry, {}, "maxRetries"), option(retry, {}, "timeoutMs")
    attempts = RETRY_ATTEMPTS if most is None else 1 + argument_int(most)
    return attempts, RETRY_WINDOW_US if window_ms is None else argument_int(window_ms) * 1000


def option(options: Any, more: dict[str, Any], name: str) -> Any:
    """An option of a raw call: from keyword arguments, a dict, or a JavaScript object."""
    if name in more:
        return more[name]
    if isinstance(options, dict):
        return options.get(name)
    return getattr(options, name, None)
