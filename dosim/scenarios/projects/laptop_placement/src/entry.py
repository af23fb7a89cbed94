from urllib.parse import parse_qs, urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Board(DurableObject):
    async def view(self):
        views = (await self.ctx.storage.get("views") or 0) + 1
        await self.ctx.storage.put("views", views)
        return views


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        hint = parse_qs(url.query).get("hint")
        options = {"locationHint": hint[0]} if hint else {}
        board = self.env.BOARD.getByName(url.path.strip("/"), **options)
        return Response(str(await board.view()))
