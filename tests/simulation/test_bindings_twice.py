"""A class bound under two names, and a network without the default city."""

from __future__ import annotations

from dosim import Simulation
from dosim.geography.cities import world_cities
from dosim.network import Network
from dosim.network.backbone import world_links
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def bump(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(await self.env.A.getByName("x").bump()))


def test_a_class_bound_twice_has_one_object_of_a_name():
    """Whichever namespace made the id and whichever takes it."""
    sim = Simulation(durable_objects={"A": Counter, "B": Counter}, network=None)
    a, b = sim.env.A, sim.env.B
    assert str(a.idFromName("x")) == str(b.idFromName("x"))
    own = [a.getByName("x"), b.getByName("x"), a.get(a.idFromName("x")), b.get(b.idFromName("x"))]
    crossed = [b.get(a.idFromName("x")), a.get(b.idFromName("x")), b.get(b.idFromString(str(a.idFromName("x"))))]
    assert [sim.run(stub.bump()) for stub in own + crossed] == [1, 2, 3, 4, 5, 6, 7]
    assert len(sim.objects) == 1


def test_a_network_without_ashburn():
    """The outside and a client without a place stand in one of its cities."""
    cities = {name: city for name, city in world_cities().items() if name in ("Tokyo", "Osaka")}
    links = [link for link in world_links() if link.a in cities and link.b in cities]
    sim = Simulation(Default, durable_objects={"A": Counter}, network=Network(cities=cities, links=links))
    assert sim.run(sim.env.A.getByName("x").bump()) == 1
    client = sim.client()
    assert client.city.name in cities
    response = sim.run(client.fetch("https://a/"))
    assert response.status == 200
