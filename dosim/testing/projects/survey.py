"""What a project offers: the methods of its objects, the paths of its Worker, its sockets; found by reading and trying.

Nothing is known beforehand. What the source names is tried once, on an object of its own, and kept when it reaches a
Durable Object and is answered; everything else is listed in `left_out`, with the reason.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

from dosim.kernel.choosing import Endless
from dosim.project import ProjectError, read_config
from dosim.testing.projects.driving import Driver, accident_in, aside
from dosim.testing.projects.programs import CLOSE, CONNECT, METHODS, SEND, SOCKETS, Operation
from dosim.testing.projects.sources import SLOT, Sources
from dosim.testing.projects.values import TEXTS, guesses, parameters_of
from dosim.trace.words import counted, cut

#: Names of objects: two, so that operations meet.
NAMES: Final = ("a", "b")
#: Requests that are tried to find the Worker's paths, and paths that are kept.
MOST_TRIES: Final = 600
MOST_ROUTES: Final = 16
_MOST_WORDS: Final = 8
#: Shapes of paths that are tried with the source's words.
_ONE_WORD: Final = (
    "/{one}", "/{one}/{slot}", "/{slot}/{one}", "/{slot}/{one}/{slot}", "/{one}/{slot}/{slot}",
)  # fmt: skip
_TWO_WORDS: Final = ("/{one}/{other}", "/{one}/{other}/{slot}", "/{one}/{slot}/{other}")
#: Stands for any word in a path.
_NO_WORD: Final = "zzyzx"
#: Handlers, and what every object has.
_NOT_RPC: Final = frozenset(
    "fetch alarm webSocketMessage webSocketClose webSocketError constructor ctx env on_fetch queue scheduled".split()
)
_NAME_KEYS: Final = frozenset("name id key room user user_id username owner list list_id chat_id from to".split())
_NUMBER_KEYS: Final = frozenset("n count amount number quantity qty price cents delta by delay ttl limit size".split())


@dataclass(frozen=True)
class Offer:
    """Something that can be done to a project: `choices` are the values of each argument."""

    verb: str
    binding: str
    choices: tuple[tuple[Any, ...], ...]
    #: Classes of the objects that it reaches.
    reaches: tuple[str, ...]
    #: Whether it changed something when it was tried.
    writes: bool = True

    def draw(self, random: Random, name: str) -> Operation:
        """One of its operations, on the object of this name."""
        args = tuple(random.choice(values) for values in self.choices)
        if self.verb in (*METHODS, *SOCKETS):
            args = (_filled(args[0], name, random), *(arg.replace(SLOT, name) for arg in args[1:] if arg))
        return Operation(self.verb, args, self.binding, name if self.binding else "")

    def first(self) -> Operation:
        """The simplest of its operations."""
        return self.draw(_First(), NAMES[0])


class _First(Random):
    """Draws the first of whatever there is."""

    def choice(self, seq: Any) -> Any:
        return seq[0]


@dataclass
class Survey:
    """A project and what can be done to it."""

    folder: Path
    sources: Sources
    classes: dict[str, str]
    offers: list[Offer] = field(default_factory=list)
    #: What is not explored, and why: sentences.
    left_out: list[str] = field(default_factory=list)
    #: Classes that have an `alarm` handler.
    with_alarm: set[str] = field(default_factory=set)
    #: A method that others call -> the error with which its answer cannot be sent.
    not_sendable: dict[Operation, str] = field(default_factory=dict)
    _guessed: set[str] = field(default_factory=set)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.classes.values()))

    @classmethod
    def of(cls, folder: Path) -> Survey:
        """Look at a project. Raises ProjectError, with what is missing, for one that cannot be explored."""
        config = read_config(folder)
        bound = {binding.name: binding.class_name for binding in config.durable_objects}
        if not bound:
            raise ProjectError(
                f"{folder.name} binds no Durable Object, and their behaviour is what is explored: name a class under"
                ' "durable_objects" in its wrangler configuration.'
            )
        survey = cls(folder, Sources.of(config), bound)
        with aside():
            survey._look()
        return survey

    def _look(self) -> None:
        driver = Driver(self.folder)
        loaded = driver.simulation.program.isolates.first
        for binding, class_name in self.classes.items():
            found = loaded.classes.get(class_name)
            if found is None:
                self.left_out.append(f"{binding}: its class {class_name} is in another Worker's code")
                continue
            if callable(getattr(found, "alarm", None)):
                self.with_alarm.add(class_name)
            self._methods(binding, found, helpers=False)
        if driver.simulation.worker is not None:
            self._routes()
        served = {reached for offer in self.offers if not offer.binding for reached in offer.reaches}
        for binding, class_name in self.classes.items():
            found = loaded.classes.get(class_name)
            if found is not None and class_name not in served and callable(getattr(found, "fetch", None)):
                self._routes(binding)
        reached = {class_name for offer in self.offers for class_name in offer.reaches}
        for binding, class_name in self.classes.items():
            found = loaded.classes.get(class_name)
            if found is not None and (class_name not in reached or self._is_called_from_elsewhere(found)):
                self._methods(binding, found, helpers=True, only_looking=class_name in reached)

    def _is_called_from_elsewhere(self, found: type) -> bool:
        """Whether nothing in the project calls a class, so that others do, and by any of its methods."""
        names = {name for name, _ in _public(found)}
        return not callable(getattr(found, "fetch", None)) and not names & self.sources.on_others

    # -- methods

    def _methods(self, binding: str, found: type, *, helpers: bool, only_looking: bool = False) -> None:
        """What others may call; or the methods that an object calls itself, perhaps only those that change nothing."""
        for name, method in _public(found):
            said = f"{binding}.{name}"
            only_itself = f"{said}: only the object itself calls it"
            if self.sources.is_helper(name) != helpers:
                self.left_out += [only_itself] if not helpers else []
                continue
            if helpers:
                self.left_out.remove(only_itself)
            parameters = parameters_of(method)
            if isinstance(parameters, str):
                self.left_out.append(f"{said}: {parameters}")
                continue
            tries = guesses(parameters, self.sources.kinds)
            if not self._method(binding, found.__name__, name, tries, only_looking=only_looking):
                self.left_out.append(only_itself)

    def _method(
        self, binding: str, class_name: str, name: str, tries: list[tuple[tuple[Any, ...], ...]], *, only_looking: bool
    ) -> bool:
        """Try a method, and offer or leave it out; False when it was to change nothing, and does."""
        why = ""
        for choices in tries:
            operation = Operation(name, tuple(values[0] for values in choices), binding, NAMES[0])
            outcome, at_first, again = self._tried(operation)
            raised = outcome.get("raised", "")
            accident = accident_in(raised)
            if accident.startswith("DataCloneError"):
                why = f"its answer cannot be sent: {accident}"
                if name in self.sources.on_others:
                    self.not_sendable.setdefault(operation, accident)
                continue
            if accident or raised.startswith("no answer"):
                why = why or raised
                continue
            if only_looking and again:
                return False
            self.offers.append(Offer(name, binding, choices, (class_name,), at_first or again))
            return True
        tried = f" with any of the arguments that were guessed, such as {operation}" if choices else ""
        self.left_out.append(f"{binding}.{name}: it does not run{tried} ({cut(why, 160)})")
        return True

    def _tried(self, operation: Operation) -> tuple[dict[str, Any], bool, bool]:
        """Do it twice in a world of its own, on an object that is there already: what came of it, what it changed."""
        driver = Driver(self.folder)
        try:
            driver.do(Operation("dosim_constructs_it", (), operation.binding, operation.name))
            _, at_first, _ = driver.do(operation)
            outcome, wrote, _ = driver.do(operation)
        except Endless as error:
            return {"raised": f"no answer: {error}"}, True, True
        return outcome, at_first, wrote

    # -- paths

    def _routes(self, binding: str = "") -> None:
        driver = Driver(self.folder)
        kept: dict[tuple[str, str], Offer] = {}
        sockets: list[Offer] = []
        served: set[str] = set()
        anything: dict[tuple[str, str], bool] = {}
        tried = 0
        for method, template in self._candidates():
            if tried > MOST_TRIES or len(kept) >= MOST_ROUTES:
                break
            guessed = template in self._guessed
            for verb in (method,) if method else self.sources.verbs:
                if (verb, template) in kept or (guessed and any(_covers(known, verb, template) for known in kept)):
                    continue
                if guessed and self._any_word(driver, binding, verb, template, anything):
                    continue
                offer, tries, reached = self._route(driver, binding, verb, template)
                tried += tries
                if offer is not None:
                    kept[verb, template] = offer
                    driver = Driver(self.folder) if offer.writes else driver
                if reached and verb == "GET" and self.sources.has_sockets and not reached <= served:
                    opened = self._socket(driver, binding, template)
                    if opened is not None:
                        sockets.append(opened)
                        served |= reached
                        driver = Driver(self.folder)
        self.offers += _leaner(list(kept.values()))
        for offer in sockets:
            self.offers += [offer, self._messages(offer), replace(offer, verb=CLOSE)]
        if not kept and not sockets:
            of = f"the requests of {binding}" if binding else "the Worker's requests"
            self.left_out.append(f"{of}: none of {counted(tried, 'guessed request')} reached a Durable Object")

    def _candidates(self) -> Iterator[tuple[str, str]]:
        """Methods ("": any) and paths, those that the source names first."""
        seen: dict[tuple[str, str], None] = {}
        named = [*self.sources.paths]
        for method, path in [*named, *[("", path.rstrip("/") + f"/{SLOT}") for _, path in named]]:
            seen[method, path] = None
        seen.update({("", "/"): None, ("", f"/{SLOT}"): None, ("", f"/{SLOT}/{SLOT}"): None})
        words = [word for word in self.sources.words if word not in METHODS][:_MOST_WORDS]
        methods = [offer.verb for offer in self.offers if offer.binding]
        own = [*self.classes, *methods]
        guessed = [shape.format(one=word, slot=SLOT) for word in dict.fromkeys([*words, *own]) for shape in _ONE_WORD]
        pairs = [(one, other) for one in [*words, *self.classes] for other in dict.fromkeys([*words, *methods])]
        guessed += [
            shape.format(one=one, other=other, slot=SLOT)
            for one, other in pairs
            if one != other
            for shape in _TWO_WORDS
        ]
        self._guessed.update(shape for shape in guessed if ("", shape) not in seen)
        seen.update({("", shape): None for shape in guessed})
        yield from seen

    def _any_word(
        self, driver: Driver, binding: str, verb: str, template: str, known: dict[tuple[str, str], bool]
    ) -> bool:
        """Whether a guessed path is answered whatever its words are, so that they mean nothing."""
        shape = "/".join(part if part in ("", SLOT) else _NO_WORD for part in template.split("/"))
        if (verb, shape) not in known:
            known[verb, shape] = self._route(driver, binding, verb, shape)[0] is not None
        return known[verb, shape]

    def _route(self, driver: Driver, binding: str, verb: str, template: str) -> tuple[Offer | None, int, set[str]]:
        """A path that is answered and reaches an object, how many requests that took, the classes that any reached."""
        bodies = [("",)] if verb in ("GET", "DELETE") else [TEXTS, *self._bodies()]
        queries = ["", *([self._query()] if self.sources.queries else [])]
        tries, reached = 0, set[str]()
        for number in (False, True) if SLOT in template else (False,):
            for query in queries:
                for body in bodies:
                    tries += 1
                    path = template.replace(SLOT, "1") if number else template
                    offer = Offer(verb, binding, ((path + query,), body), ())
                    found, classes = self._reached(driver, offer)
                    reached |= set(classes)
                    if found is not None:
                        return found, tries, reached
                    if not classes and not query and body is bodies[0] and len(queries) == 1 and len(bodies) == 1:
                        break
        return None, tries, reached

    def _reached(self, driver: Driver, offer: Offer) -> tuple[Offer | None, tuple[str, ...]]:
        since = driver.simulation.trace.count
        try:
            outcome, wrote, _ = driver.do(offer.first())
        except Endless:
            return None, ()
        called = [raw for raw in list(driver.simulation.trace.raw)[since:] if raw[2] == "call"]
        labels = dict.fromkeys(str(raw[6][2]).partition("(")[0] for raw in called)
        classes = tuple(label for label in labels if label in self.class_names)
        good = outcome.get("status", 200 if "answer" in outcome else 500) < 400
        if not good or not classes:
            return None, classes
        if wrote and offer.verb in METHODS:  # perhaps only because it was the first of its object
            _, wrote, _ = driver.do(offer.first())
        return Offer(offer.verb, offer.binding, offer.choices, classes, wrote), classes

    def _socket(self, driver: Driver, binding: str, template: str) -> Offer | None:
        if binding:
            return None
        for query in ("", *([self._query()] if self.sources.queries else [])):
            found, _ = self._reached(driver, Offer(CONNECT, "", ((template + query,),), ()))
            if found is not None:
                return found
        return None

    def _messages(self, connected: Offer) -> Offer:
        """What may be sent to a socket: a text, and objects with the names that the source reads."""
        return Offer(SEND, "", (*connected.choices, ("hello", *self._objects())), connected.reaches)

    def _query(self) -> str:
        return "?" + urlencode({name: _value_of(name) for name in self.sources.queries})

    def _bodies(self) -> list[tuple[str, ...]]:
        return [tuple(self._objects())] if self.sources.bodies else []

    def _objects(self) -> list[str]:
        """Bodies as JSON, with the names that the source reads; one for each word that a name is compared with."""
        names = list(self.sources.bodies)
        if not names:
            return []
        base: dict[str, Any] = {name: _value_of(name) for name in names}
        found = [base]
        for name in names:
            found += [{**base, name: word} for word in list(self.sources.kinds.get(name, {}))[:6]]
        return [json.dumps(one) for one in (found[1:] or found)]


def _public(found: type) -> list[tuple[str, Any]]:
    """The methods that others can call, in the order of the source, a base's first."""
    names: dict[str, Any] = {}
    for base in reversed(found.__mro__):
        if base is object or base.__module__.startswith("dosim."):
            continue
        own = ((name, value) for name, value in vars(base).items() if inspect.isfunction(value))
        names.update((name, value) for name, value in own if not name.startswith("_") and name not in _NOT_RPC)
    return list(names.items())


def _value_of(name: str) -> Any:
    if name in _NAME_KEYS:
        return SLOT
    return 1 if name in _NUMBER_KEYS else "x"


def _filled(path: str, name: str, random: Random) -> str:
    """A path with its first slot the object's name, the others small texts."""
    encoded = path.replace("%7B%7D", SLOT)
    first, slot, rest = encoded.partition(SLOT)
    while SLOT in rest:
        rest = rest.replace(SLOT, random.choice(TEXTS) if "?" not in rest.partition(SLOT)[0] else name, 1)
    return f"{first}{name}{rest}" if slot else first


def _covers(known: tuple[str, str], verb: str, template: str) -> bool:
    """Whether a path that is known has a slot where another one has a word."""
    parts, others = known[1].split("/"), template.split("/")
    return (
        known[0] == verb
        and len(parts) == len(others)
        and all(part in (SLOT, other) for part, other in zip(parts, others, strict=True))
    )


def _leaner(offers: list[Offer]) -> list[Offer]:
    """Without paths that only repeat a shorter one: the same method, classes and effect, one slot more."""
    paths = {(offer.verb, offer.choices[0][0].rstrip("/")) for offer in offers}
    kept = []
    for offer in offers:
        path = offer.choices[0][0].rstrip("/")
        shorter = path.rpartition("/")[0]
        if path.endswith(SLOT) and (offer.verb, shorter) in paths and shorter not in ("", SLOT):
            continue
        kept.append(offer)
    return kept
