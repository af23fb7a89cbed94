"""Clients: people in cities, who send requests to the nearest colo and get responses back."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from dosim.kernel.durations import duration_text
from dosim.kernel.tasks import Future
from dosim.runtime.calls import Call, settle
from dosim.runtime.worker import WorkerRequest
from dosim.web.errors import JsException
from dosim.web.http import deliver_request, deliver_response

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.simulation.isolates import LoadedIsolate
    from dosim.simulation.simulation import Simulation
    from dosim.workers.http import Response

#: What production answers when a Worker throws. Source: developers.cloudflare.com/workers/observability/errors
_THREW = "error code: 1101"


class ClientCall(Future[Any]):
    """A request under way: an awaitable that becomes a `workers.Response`; see `sim.explain(call)`."""

    __slots__ = ("_sent_us", "_simulation", "answered_us", "client", "error", "method", "request", "url")

    def __init__(self, simulation: Simulation, client: Client, url: str, method: str, request: int) -> None:
        loop = simulation.world.loop
        super().__init__(loop=loop)
        self._simulation = simulation
        self._sent_us = loop.now_us + loop.cpu_us
        self.client = client
        self.url = url
        self.method = method
        #: The request's number in the trace.
        self.request = request
        #: What the Worker threw, if it did; the client sees a response with status 500.
        self.error: JsException | None = None
        self.answered_us: int | None = None

    def __await__(self) -> Generator[Any, None, Response]:
        if not self.done() and get_running_loop() is not self._simulation.world.loop:
            raise RuntimeError(
                "this awaitable belongs to a simulation, which does not run by itself: write sim.run(call), or in a"
                " running loop `await sim.arun(call)`."
            )
        return super().__await__()

    @property
    def latency_us(self) -> int | None:
        """From sending to the response, microseconds; None while it is under way."""
        return None if self.answered_us is None else self.answered_us - self._sent_us

    def _repr_html_(self) -> str:
        return self._simulation.explain(self)._repr_html_()

    def __repr__(self) -> str:
        took = "under way" if self.latency_us is None else duration_text(self.latency_us)
        return f"<#{self.request} {self.method} {self.url} from {self.client.name}: {took}>"


class Client:
    """Somebody in a city. `fetch` sends a request at once, at the simulation's current time."""

    def __init__(self, simulation: Simulation, city: City | None, name: str, number: int) -> None:
        self._simulation = simulation
        self._number = number
        self._sent = 0
        self.city = city
        self.name = name
        self._place = city.name if city is not None else ""
        self._routes = simulation.world.routes
        network = simulation.world.network
        self._colo: City | None = network.entry(city) if network is not None and city is not None else None
        self._access_us = network.access_us(city) if network is not None and city is not None else 0
        colo = self._colo.colo if self._colo is not None else ""
        self._edge = f"edge {colo}" if colo else "edge"
        self._worker = f"worker@{colo}" if self._colo is not None else "worker"
        #: The detail of the records at the colo: one tuple for all of them.
        self._at_colo = (colo,)

    def fetch(self, resource: Any, **options: Any) -> ClientCall:
        """Send a request (a URL or a `Request`; method=, headers=, body=) to the Worker; starts now.

        Raises JsException for a request that cannot be sent. The result is a `workers.Response`.
        """
        simulation = self._simulation
        if simulation.worker is None:
            raise ValueError(
                "this simulation has no Worker to send a request to: Simulation(Default, ...) with a WorkerEntrypoint,"
                " or call an object directly with sim.env.NAME.getByName('x')."
            )
        world = simulation.world
        request = world.make_fetch_request(resource, options)
        url, method = request.url, request.method
        self._sent += 1
        call = world.client_call(self.name, method, self._number << 32 | self._sent)
        outcome = call.future = ClientCall(simulation, self, url, method, call.id)
        now_us = outcome._sent_us
        call.last = world.emit(now_us, "send", self.name, call.id, 0, (method, url, self._place))
        call.args = (request,)
        world.loop.at(now_us + self._link_us(call, 2), self._at_edge, call)
        return outcome

    def _link_us(self, call: Call, leg: int) -> int:
        """One way between the client and its colo, with jitter."""
        return self._access_us + self._routes.delay_us(call, leg, self.city, self._colo)

    def _at_edge(self, call: Call) -> None:
        world = self._simulation.world
        now_us = world.loop.now_us
        call.last = world.emit(now_us, "edge", self._edge, call.id, call.last, self._at_colo)
        world.loop.at(now_us + self._simulation.edge_routing_us, self._to_isolate, call)

    def _to_isolate(self, call: Call) -> None:
        simulation = self._simulation
        loop, isolates = simulation.world.loop, simulation.isolates
        isolate = isolates.of(self._colo)
        cold_us = isolates.cold_start_us(isolate, loop.now_us)
        if cold_us > 0:
            detail = (*self._at_colo, cold_us)
            call.last = simulation.world.emit(loop.now_us, "isolate", self._worker, call.id, call.last, detail)
            loop.at(loop.now_us + cold_us, self._run_worker, (call, isolate))
        else:
            self._run_worker((call, isolate))

    def _run_worker(self, start: tuple[Call, LoadedIsolate]) -> None:
        call, isolate = start
        world = self._simulation.world
        worker = WorkerRequest(world, call, self._colo, self._worker, self._leaves)
        worker.run(isolate.make_worker, world.wrap(deliver_request(call.args[0])), self._at_colo)

    def _leaves(self, call: Call, response: Any, error: JsException | None) -> None:
        """The Worker has answered: the response travels back."""
        world = self._simulation.world
        now_us = world.loop.time_us()
        call.last = world.emit(now_us, "reply", call.target, call.id, call.last, (0,))
        world.loop.at(now_us + self._link_us(call, 3), self._arrives, (call, response, error))

    def _arrives(self, answer: tuple[Call, Any, JsException | None]) -> None:
        call, response, error = answer
        world = self._simulation.world
        outcome: Any = call.future
        outcome.answered_us = world.loop.now_us
        if error is not None:
            outcome.error = error
            response = self._simulation.error_response(_THREW if world.platform.jurisdictions else str(error))
        delivered = deliver_response(response, call.args[0])
        kind = "response" if error is None else "failed"
        said: object = delivered.status if error is None else str(error)
        call.last = world.emit(world.loop.now_us, kind, self.name, call.id, call.last, (said,))
        settle((outcome, world.wrap(delivered), None))

    def __repr__(self) -> str:
        at = f" in {self.city.name} ({self._colo.colo})" if self.city is not None and self._colo is not None else ""
        return f"<client{at}>"
