"""Clients: people in cities, who send requests to the nearest colo and get responses back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dosim.bindings.emails import SMTP_ACCEPTED, SMTP_REJECTED, SentEmail, written
from dosim.kernel.durations import duration_text
from dosim.platform.facts import EPOCH_MS, LOST_NOTICED_US
from dosim.runtime.calls import OutsideCall
from dosim.runtime.faults import LOST_TEXT
from dosim.runtime.worker import fetch_event, handler_event
from dosim.simulation.journal import kept
from dosim.simulation.sockets import Handshake
from dosim.web.errors import JsException
from dosim.web.http import REQUEST_OPTIONS, JsRequest, deliver_request, deliver_response

if TYPE_CHECKING:
    from dosim.kernel.loop import Loop
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.simulation.journal import Journal
    from dosim.simulation.simulation import Simulation

#: What production answers when a Worker throws: the code is documented, the words around it are assumed.
#: Source: developers.cloudflare.com/workers/observability/errors (updated 2026-10-08).
_THREW = "error code: 1101"

#: The parts of a client's draws that its two messages on the way between it and its colo are drawn with.
_REQUEST, _REPLY = 2, 3

_AS_JSON = "write body=json.dumps(data), headers={'content-type': 'application/json'}"
_INSTEAD = {
    "json": _AS_JSON,
    "data": "the body is given as body=",
    "params": "write the query into the URL, as in '/counter?name=a'",
    "url": "the URL is the first argument",
    "timeout": "stop the run instead, with sim.run(call, for_='5s')",
}


class ClientCall(OutsideCall):
    """A request under way: an awaitable that becomes a `workers.Response`; see `sim.explain(call)`."""

    __slots__ = ("_sent_us", "_simulation", "answered_us", "client", "error", "method", "url")

    def __init__(self, simulation: Simulation, client: Client, url: str, method: str, request: int) -> None:
        loop = simulation.world.loop
        super().__init__(loop, request, "")
        self._simulation = simulation
        self._sent_us = loop.now_us + loop.cpu_us
        self.client = client
        self.url = url
        self.method = method
        #: What the Worker threw, if it did; the client sees a response with status 500.
        self.error: JsException | None = None
        self.answered_us: int | None = None

    @property
    def latency_us(self) -> int | None:
        """From sending to the response, microseconds; None while it is under way."""
        return None if self.answered_us is None else self.answered_us - self._sent_us

    def _repr_html_(self) -> str:
        return self._simulation.explain(self)._repr_html_()

    def __repr__(self) -> str:
        took = "under way" if self.latency_us is None else duration_text(self.latency_us)
        return f"<#{self.request} {self.method} {self.url} from {self.client.name}: {took}>"


class EmailCall(ClientCall):
    """An e-mail under way: an awaitable that becomes a `SentEmail`, which says what the Worker did with it."""

    __slots__ = ()


class Client:
    """Somebody in a city. `fetch` sends a request at once, at the simulation's current time."""

    def __init__(self, simulation: Simulation, city: City | None, name: str, number: int) -> None:
        self._simulation = simulation
        self._world = simulation.world
        self._number = number
        self._sent = 0
        #: Where what it does is noted; None: nowhere.
        self.journal: Journal | None = simulation._journal
        #: Its address, of those for documentation (RFC 3849): every client has one of its own.
        self._address = f"2001:db8::{number:x}"
        self.city = city
        self.name = name
        self._place = city.name if city is not None else ""
        self._network = network = simulation.world.network
        self._draw = simulation.world.network_stream.uniform
        #: Where it enters the network, unless that colo is down.
        self._colo: City | None = network.entry(city) if network is not None and city is not None else None
        self._access_us = network.access_us(city) if network is not None and city is not None else 0

    def fetch(self, resource: Any, **options: Any) -> ClientCall:
        """Send a request (a URL or a `Request`; method=, headers=, body=) to the Worker; starts now.

        Raises JsException for a request that cannot be sent. The result is a `workers.Response`.
        """
        if self.journal is None:
            return self._send(resource, options)
        given = kept(resource), kept(options)
        call = self._send(resource, options)
        self._noted("fetch", *given, call)
        return call

    def email(
        self,
        to: str,
        *,
        subject: str = "",
        text: str = "",
        from_: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> EmailCall:
        """Send an e-mail to the Worker's `email` handler; starts now. The result is a `SentEmail`.

        from_: the sender's address, one of the client's own unless given. Raises ValueError for what is no address, and
        when the Worker has no such handler.
        """
        own = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.name.lower())
        sender = f"{own}@example.net" if from_ is None else from_
        for address in (to, sender):
            if not isinstance(address, str) or not all(address.rpartition("@")[::2]):
                raise ValueError(f"{address!r} is no e-mail address: give one such as 'support@app.example'.")
        worker = self._simulation.worker
        if not hasattr(worker, "email"):
            name = "no Worker" if worker is None else f"{worker.__name__}, which has no email handler"
            raise ValueError(
                f"an e-mail reaches the Worker, and this simulation has {name}: write"
                " `async def email(self, message, env, ctx)` in its default entrypoint."
            )
        world = self._world
        date = datetime.fromtimestamp(EPOCH_MS / 1000, UTC) + timedelta(microseconds=world.loop.time_us())
        self._sent += 1
        call = world.client_call(self.name, "EMAIL", self._number << 32 | self._sent)
        message = written(sender, to, subject, text, headers or {}, date, call.id)
        outcome = EmailCall(self._simulation, self, f"mailto:{to}", "EMAIL", call.id)
        self._depart(call, outcome, message)
        given = {"subject": subject, "text": text, "from_": from_, "headers": kept(headers)}
        self._noted("email", to, given, outcome)
        return outcome

    def _noted(self, name: str, resource: object, options: dict[str, Any], call: OutsideCall) -> None:
        if self.journal is not None:
            self.journal.calls[call.request] = call
            self.journal.note(("client", self._number), name, (resource,), options)

    def _send(self, resource: Any, options: dict[str, Any]) -> ClientCall:
        simulation = self._simulation
        if simulation.worker is None and simulation.program.site is None:
            raise ValueError(
                "this simulation has no Worker to send a request to: Simulation(Default, ...) with a WorkerEntrypoint,"
                " or call an object directly with sim.env.NAME.getByName('x')."
            )
        world = self._world
        if options:
            _check_options(options)
        request = world.make_fetch_request(resource, options)
        self._add_headers(request)
        url, method = request.url, request.method
        self._sent += 1
        call = world.client_call(self.name, method, self._number << 32 | self._sent)
        outcome = ClientCall(simulation, self, url, method, call.id)
        self._depart(call, outcome, request)
        return outcome

    def _depart(self, call: Call, outcome: ClientCall, what: Any) -> None:
        """Send a request or an e-mail on its way."""
        world, now_us = self._world, outcome._sent_us
        call.future = outcome
        call.last = world.emit(now_us, "send", self.name, call.id, 0, (outcome.method, outcome.url, self._place))
        call.args = (what,)
        call.stub = self._entry() if world.faults is not None else self._colo
        if world.faults is not None and world.faults.client_loses(call, "request", self.city, call.stub):
            self._lost(call, "request", now_us)
        else:
            world.loop.at(now_us + self._link_us(call, _REQUEST), self._at_edge, call)

    def _add_headers(self, request: JsRequest) -> None:
        """What every request from outside carries, unless it says otherwise.

        Source: developers.cloudflare.com/fundamentals/reference/http-headers; which address a client has is assumed.
        """
        request.headers.add_missing("host", request.url.partition("://")[2].partition("/")[0].partition("?")[0])
        request.headers.add_missing("cf-connecting-ip", self._address)

    def _entry(self) -> City | None:
        """The nearest colo that is not down."""
        faults, network = self._world.faults, self._network
        if faults is None or network is None or self.city is None or not faults.is_down(self._colo):
            return self._colo
        return network.entry_avoiding(self.city, faults.down)

    def _lost(self, call: Call, what: str, at_us: int) -> None:
        """A message between the client and its colo is lost: the client notices, some time."""
        world = self._world
        call.last = world.emit(at_us, "lost", self.name, call.id, call.last, (what, ""))
        world.loop.at(at_us + LOST_NOTICED_US, self._gives_up, call)

    def _gives_up(self, call: Call) -> None:
        world, outcome = self._world, call.future
        call.future, call.args = None, ()
        assert isinstance(outcome, ClientCall)
        outcome.answered_us = world.loop.now_us
        call.last = world.emit(world.loop.now_us, "failed", self.name, call.id, call.last, (LOST_TEXT,))
        if not outcome.done():
            outcome.set_exception(ConnectionError(LOST_TEXT))

    def websocket(self, resource: Any, **options: Any) -> Handshake:
        """Open a WebSocket (a URL; headers=); starts now. `async with`, await or run what is returned.

        It becomes a `ClientSocket`. Raises HandshakeRefused, there, when the answer is no 101.
        """
        given = kept(options)
        headers = dict(options.pop("headers", None) or {})
        url = str(resource)
        url = "http" + url[2:] if url.startswith(("ws:", "wss:")) else url
        upgrade = {**headers, "Upgrade": "websocket", "Connection": "Upgrade"}
        handshake = Handshake(self, self._send(url, {**options, "headers": upgrade}))
        self._noted("websocket", str(resource), given, handshake)
        return handshake

    @property
    def loop(self) -> Loop:
        """The simulation's own event loop."""
        return self._world.loop

    def _link_us(self, call: Call, leg: int) -> int:
        """One way between the client and its colo, with jitter."""
        colo: City | None = call.stub
        if self._network is None or self.city is None or colo is None:
            delay_us = self._access_us
        else:
            delay_us = self._access_us + self._network.delay_us(self.city, colo, self._draw(call.key, leg))
        if (faults := self._world.faults) is not None:
            delay_us += faults.extra_us(self.city, colo) + faults.late_us(
                call, "request" if leg == _REQUEST else "reply"
            )
        return delay_us

    def _at_edge(self, call: Call) -> None:
        world = self._world
        colo = call.stub.colo if call.stub is not None else ""
        edge = f"edge {colo}" if colo else "edge"
        call.last = world.emit(world.loop.now_us, "edge", edge, call.id, call.last, (colo,))
        world.loop.at(world.loop.now_us + self._simulation.edge_routing_us, self._to_worker, call)

    def _to_worker(self, call: Call) -> None:
        """The request goes to the static assets, if they have the path, else to the Worker."""
        program, world = self._simulation.program, self._world
        if isinstance(call.future, EmailCall):
            program.deliver(call, call.stub, handler_event("email", call.args[0]), self._leaves)
            return
        request = deliver_request(call.args[0])
        response = program.site.before_worker(request) if program.site is not None else None
        if response is not None:
            self._leaves(call, response, None)
            return
        program.deliver(call, call.stub, fetch_event(world.wrap(request)), self._leaves)

    def _leaves(self, call: Call, response: Any, error: JsException | None) -> None:
        """The Worker has answered: the response travels back."""
        world = self._world
        now_us = world.loop.now_us + world.loop.cpu_us
        call.last = world.emit(now_us, "reply", call.target, call.id, call.last, (0,))
        if world.faults is not None and world.faults.client_loses(call, "reply", self.city, call.stub):
            self._lost(call, "reply", now_us)
        else:
            if response is not None and error is None and response.webSocket is not None:
                response.webSocket.travelled(call.stub, self.city, self._access_us)
            world.loop.at(now_us + self._link_us(call, _REPLY), self._arrives, (call, response, error))

    def _arrives(self, answer: tuple[Call, Any, JsException | None]) -> None:
        call, response, error = answer
        world = self._world
        outcome, request = call.future, call.args[0]
        call.future, call.args = None, ()  # the Worker may go on; it keeps neither alive
        assert isinstance(outcome, ClientCall)
        outcome.answered_us = world.loop.now_us
        if isinstance(outcome, EmailCall):
            self._email_arrived(call, outcome, request.became, error)
            return
        if error is not None:
            outcome.error = error
            response = self._simulation.error_response(_THREW if world.platform.hides_errors else str(error))
        delivered = deliver_response(response, request)
        kind = "response" if error is None else "failed"
        said: object = delivered.status if error is None else str(error)
        call.last = world.emit(world.loop.now_us, kind, self.name, call.id, call.last, (said,))
        if not outcome.done():
            outcome.set_result(world.wrap(delivered))

    def _email_arrived(self, call: Call, outcome: EmailCall, became: SentEmail, error: JsException | None) -> None:
        """The Worker is done with an e-mail: its sender learns whether it was accepted."""
        world = self._world
        outcome.error = became.error = error
        code = SMTP_ACCEPTED if became.rejected is None else SMTP_REJECTED
        kind = "response" if error is None else "failed"
        said: object = code if error is None else str(error)
        call.last = world.emit(world.loop.now_us, kind, self.name, call.id, call.last, (said,))
        if not outcome.done():
            outcome.set_result(became)

    def __repr__(self) -> str:
        at = f" in {self.city.name} ({self._colo.colo})" if self.city is not None and self._colo is not None else ""
        return f"<client{at}>"


def _check_options(options: dict[str, Any]) -> None:
    """`fetch` of the platform drops what it does not know; a client of dosim says so."""
    for name in options:
        if name not in REQUEST_OPTIONS:
            instead = _INSTEAD.get(name, f"it takes {', '.join(REQUEST_OPTIONS)}")
            raise TypeError(f"client.fetch() has no option {name!r}: {instead}.")
    body = options.get("body")
    if isinstance(body, dict):
        raise TypeError(f"body={body!r} is a dict, which fetch does not make JSON of: {_AS_JSON}.")
