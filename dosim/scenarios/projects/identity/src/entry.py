from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Careless(DurableObject):
    """Believes that whoever asks for it has made it."""

    async def init(self, owner):
        await self.ctx.storage.put("owner", owner)
        return True

    async def createProject(self, title):
        projects = [*await self.listProjects(), title]
        await self.ctx.storage.put("projects", projects)
        return projects

    async def listProjects(self):
        return await self.ctx.storage.get("projects") or []


class Workspace(Careless):
    """Knows whether anybody has made it, and by which name."""

    async def init(self, owner):
        if await self.ready():
            return False
        await self.ctx.storage.put({"owner": owner, "name": self.ctx.id.name})
        return True

    async def ready(self):
        return await self.ctx.storage.get("owner") is not None

    async def createProject(self, title):
        return await super().createProject(title) if await self.ready() else None

    async def listProjects(self):
        return await super().listProjects() if await self.ready() else None

    async def names(self):
        return {"ctx": self.ctx.id.name, "stored": await self.ctx.storage.get("name")}


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind, name, action = urlsplit(request.url).path.strip("/").split("/")
        workspace = self.stub(kind, name)
        match (str(request.method), action):
            case ("POST", "init"):
                found = await workspace.init(await request.text())
            case ("POST", "projects"):
                found = await workspace.createProject(await request.text())
            case ("GET", "projects"):
                found = await workspace.listProjects()
            case ("GET", "names"):
                found = await workspace.names()
            case _:
                return Response("not found", status=404)
        if found is None:
            return Response(f"no workspace {name}", status=404)
        return Response.json(found)

    def stub(self, kind, name):
        match kind:
            case "careless":
                return self.env.CARELESS.getByName(name)
            case "eu":
                return self.env.WORKSPACE.jurisdiction("eu").getByName(name)
            case "digits":
                return self.env.WORKSPACE.get(self.env.WORKSPACE.idFromString(name))
        return self.env.WORKSPACE.getByName(name)
