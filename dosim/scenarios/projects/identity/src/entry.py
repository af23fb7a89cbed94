from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Careless(DurableObject):
    """Believes that whoever asks for it has made it."""

    async def init(self, owner):
        await self.ctx.storage.put("owner", owner)

    async def projects(self):
        return await self.ctx.storage.get("projects") or []


class Workspace(DurableObject):
    """Knows whether it was ever set up."""

    async def init(self, owner):
        if await self.ctx.storage.get("owner") is not None:
            return False
        await self.ctx.storage.put({"owner": owner, "projects": []})
        return True

    async def projects(self):
        if await self.ctx.storage.get("owner") is None:
            return None  # nobody has made this one
        return await self.ctx.storage.get("projects")

    async def who(self):
        return self.ctx.id.name


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind, name, action = urlsplit(request.url).path.strip("/").split("/")
        namespace = self.env.CARELESS if kind == "careless" else self.env.WORKSPACE
        workspace = namespace.getByName(name)
        if action == "init":
            return Response.json({"new": await workspace.init("ann")})
        projects = await workspace.projects()
        if projects is None:
            return Response.json({"error": f"no workspace {name}"}, status=404)
        return Response.json(projects)
