from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Server(DurableObject):
    """One for everybody: every document of the world in one place."""

    async def edit(self, document):
        edits = (await self.ctx.storage.get(document) or 0) + 1
        await self.ctx.storage.put(document, edits)
        return edits


class Document(DurableObject):
    """One for each document, near to whoever opened it first."""

    async def edit(self):
        edits = (await self.ctx.storage.get("edits") or 0) + 1
        await self.ctx.storage.put("edits", edits)
        return edits


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        way, document = urlsplit(request.url).path.strip("/").split("/")
        return Response(str(await getattr(self, way)(document)))

    async def database(self, document):
        """Read, add one, write: two steps, between which anybody may do the same."""
        found = await self.env.DB.prepare("SELECT edits FROM documents WHERE name = ?").bind(document).first()
        edits = found["edits"] + 1
        await self.env.DB.prepare("UPDATE documents SET edits = ? WHERE name = ?").bind(edits, document).run()
        return edits

    async def server(self, document):
        return await self.env.SERVER.getByName("the server").edit(document)

    async def object(self, document):
        return await self.env.DOCUMENT.getByName(document).edit()
