"""Bad input: each is one paragraph that names the argument and the fix."""

from __future__ import annotations

import pytest

from dosim import Deadlock, Simulation, UnknownCity
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def bump(self):
        return 1

    async def run_again(self):
        SIMS[-1].run()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")


SIMS: list[Simulation] = []


@pytest.fixture
def sim() -> Simulation:
    SIMS.append(Simulation(Default, durable_objects={"COUNTER": Counter}))
    return SIMS[-1]


def test_a_bare_number_is_no_duration(sim):
    """5 could be seconds or milliseconds: the error shows both spellings."""
    with pytest.raises(TypeError, match=r"for_=5 has no unit.*for_='5s'"):
        sim.run(for_=5)


def test_a_text_without_a_unit_is_no_duration(sim):
    """The units are listed."""
    with pytest.raises(ValueError, match=r"until='5 parsecs' is no duration.*ms, s, m"):
        sim.run(until="5 parsecs")


def test_until_and_for_together(sim):
    """Only one of them makes sense."""
    with pytest.raises(ValueError, match="until counts from the start, for_ from now"):
        sim.run(until="5s", for_="5s")


def test_until_in_the_past(sim):
    """A moment that has passed is refused with the present one."""
    sim.run(until="5s")

    with pytest.raises(ValueError, match=r"until='1s' has passed: it is <t=5"):
        sim.run(until="1s")


def test_an_unknown_city_gives_the_nearest_names(sim):
    """A misspelt city is answered with what it may have meant."""
    with pytest.raises(UnknownCity, match="Tokyo"):
        sim.client("Tokio")


def test_an_unbound_binding(sim):
    """env says what it has, and how to bind what it has not."""
    with pytest.raises(AttributeError, match=r"no binding 'ROOM'; it has COUNTER.*durable_objects=\{'ROOM'"):
        _ = sim.env.ROOM


def test_a_class_that_is_no_durable_object():
    """The base class is named."""

    class Plain:
        pass

    with pytest.raises(TypeError, match=r"durable_objects\['PLAIN'\]=Plain is no DurableObject"):
        Simulation(durable_objects={"PLAIN": Plain})


def test_an_instance_instead_of_a_class():
    """The class itself is wanted."""
    with pytest.raises(TypeError, match="give the class itself"):
        Simulation(durable_objects={"X": object()})  # type: ignore[dict-item]


def test_a_worker_that_is_no_entrypoint():
    """The base class is named."""
    with pytest.raises(TypeError, match="worker=Counter is no WorkerEntrypoint"):
        Simulation(Counter)


def test_a_coroutine_function_that_was_not_called(sim):
    """The call is missing."""

    async def story():
        return 1

    with pytest.raises(TypeError, match=r"story was given to sim.run\(\) without being called: write sim.run\(story\("):
        sim.run(story)  # type: ignore[arg-type]


def test_a_stub_method_that_was_not_called(sim):
    """The call is missing here too."""
    with pytest.raises(TypeError, match="without being called"):
        sim.run(sim.env.COUNTER.getByName("a").bump)


def test_something_that_cannot_be_awaited(sim):
    """A number is not work."""
    with pytest.raises(TypeError, match="5 cannot be awaited"):
        sim.run(5)  # type: ignore[arg-type]


def test_run_inside_simulated_code(sim):
    """sim.run() in a handler would run the world inside itself."""
    with pytest.raises(Exception, match=r"sim.run\(\) was called from inside simulated code"):
        sim.run(sim.env.COUNTER.getByName("a").run_again())


def test_an_awaitable_of_another_simulation(sim):
    """A call runs where it was made."""
    other = Simulation(durable_objects={"COUNTER": Counter})
    call = other.env.COUNTER.getByName("a").bump()

    with pytest.raises(ValueError, match="belongs to another simulation"):
        sim.run(call)


@pytest.mark.parametrize(
    ("argument", "value", "known"),
    [
        ("platform", "azure", "'cloudflare' or 'workerd'"),
        ("concurrency", "threads", "'input-gates' or 'one-at-a-time'"),
        ("portability", "ignore", "'warn' or 'error' or 'friendly'"),
        ("retention", "some", "'full'"),
        ("compatibility_date", "yesterday", "2026-11-01"),
        ("network", "mars", "'earth'"),
    ],
)
def test_unknown_values_of_arguments(argument, value, known):
    """Each names the argument, the value and what is known."""
    with pytest.raises(ValueError, match=f"{argument}='{value}'.*{known}"):
        Simulation(**{argument: value})


def test_a_client_without_a_worker():
    """There is nobody to answer."""
    with pytest.raises(ValueError, match="no Worker to send a request to"):
        Simulation().client("Paris").fetch("https://x.example/")


def test_explain_something_that_is_no_request(sim):
    """explain wants what fetch returned, or its number."""
    with pytest.raises(TypeError, match="is no request"):
        sim.explain("the last one")
    with pytest.raises(ValueError, match="request=99"):
        sim.explain(99)


def test_an_unknown_object(sim):
    """The objects there are are listed."""
    sim.run(sim.env.COUNTER.getByName("a").bump())

    with pytest.raises(KeyError, match=r"Counter\('a'\)"):
        _ = sim.objects["b"]


def test_block_concurrency_while_with_a_coroutine():
    """The function itself is wanted, not what calling it gives."""

    class Blocked(DurableObject):
        async def go(self):
            await self.ctx.blockConcurrencyWhile(self.load())

        async def load(self):
            pass

    sim = Simulation(durable_objects={"B": Blocked})

    with pytest.raises(Exception, match="takes the function itself"):
        sim.run(sim.env.B.getByName("b").go())


def test_a_deadlock_draws_its_cycle():
    """Two objects that wait for each other are drawn."""
    import asyncio

    class Left(DurableObject):
        def __init__(self, ctx, env):
            super().__init__(ctx, env)
            self.lock = asyncio.Lock()

        async def first(self):
            async with self.lock:
                await self.env.RIGHT.getByName("r").second()

        async def third(self):
            async with self.lock:
                pass

    class Right(DurableObject):
        async def second(self):
            await self.env.LEFT.getByName("l").third()

    sim = Simulation(durable_objects={"LEFT": Left, "RIGHT": Right})

    with pytest.raises(Deadlock, match=r"cycle: Left\('l'\) -> Right\('r'\) -> Left\('l'\)"):
        sim.run(sim.env.LEFT.getByName("l").first())


def test_an_interrupted_simulation_cannot_go_on():
    """Ctrl-C cuts an event in the middle: the simulation says when, and asks for a new one."""

    class Stopped(DurableObject):
        async def go(self):
            raise KeyboardInterrupt

    sim = Simulation(durable_objects={"S": Stopped})
    with pytest.raises(KeyboardInterrupt):
        sim.run(sim.env.S.getByName("s").go())

    with pytest.raises(RuntimeError, match=r"was interrupted at t=0\.000000s.*make a new one"):
        sim.run()
    assert "interrupted" in repr(sim)
    assert "interrupted" == sim.trace[-1].kind


def test_a_deadlock_tells_a_gate_from_code():
    """A call that waits at the gate is told from one that waits in its own code."""
    import asyncio

    class Slow(DurableObject):
        async def section(self):
            await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(31))

        async def other(self):
            pass

    sim = Simulation(durable_objects={"S": Slow})
    stub = sim.env.S.getByName("s")

    with pytest.raises(Exception, match="waited for too long") as caught:
        sim.run(stub.section(), stub.other())

    notes = "\n".join(caught.value.__notes__)
    assert "#1 Slow('s').section waits for a timer" in notes
    assert "#2 Slow('s').other waits at the input gate of Slow('s')" in notes
    assert "replay: Simulation(seed=0)" in notes
