from agent_room import ChatRoom
from agents import route_agent_request
from raw_room import RawRoom, route_raw_request
from workers import Response, WorkerEntrypoint

__all__ = ["ChatRoom", "Default", "RawRoom"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return (
            await route_agent_request(request, self.env)
            or await route_raw_request(request, self.env)
            or Response("no such room", status=404)
        )
