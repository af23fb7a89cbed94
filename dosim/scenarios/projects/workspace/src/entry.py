from urllib.parse import urlsplit

from js import Date
from workers import DurableObject, Response, WorkerEntrypoint

MONTH_MS = 30 * 86_400_000
MIGRATIONS = [
    "CREATE TABLE workspace (owner TEXT)",
    "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT, created INTEGER, archived INTEGER DEFAULT 0)",
    "CREATE INDEX by_created ON projects (created)",
]


class Workspace(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        ctx.blockConcurrencyWhile(self.migrate)  # no request comes in before it is done

    async def migrate(self):
        self.sql.exec("CREATE TABLE IF NOT EXISTS versions (version INTEGER PRIMARY KEY)")
        done = self.sql.exec("SELECT COALESCE(MAX(version), 0) AS version FROM versions").one()["version"]
        for version, statement in enumerate(MIGRATIONS[done:], done + 1):
            self.sql.exec(statement)
            self.sql.exec("INSERT INTO versions VALUES (?)", version)

    async def init(self, owner):
        if self.ready():
            return False
        self.sql.exec("INSERT INTO workspace VALUES (?)", owner)
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)
        return True

    def ready(self):
        return bool(self.sql.exec("SELECT owner FROM workspace").toArray())

    async def createProject(self, name):
        if not self.ready():
            return None
        insert = "INSERT INTO projects (name, created) VALUES (?, ?) RETURNING id"
        return self.sql.exec(insert, name, Date.now()).one()["id"]

    async def listProjects(self):
        if not self.ready():
            return None
        return [row["name"] for row in self.sql.exec("SELECT name FROM projects WHERE archived = 0 ORDER BY id")]

    async def alarm(self, info=None):
        self.sql.exec("UPDATE projects SET archived = 1 WHERE created <= ?", Date.now() - MONTH_MS)
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        workspace = self.env.WORKSPACE.getByName(url.hostname.split(".")[0])  # acme.work.example
        match (str(request.method), url.path):
            case ("POST", "/init"):
                return Response.json({"created": await workspace.init(await request.text())})
            case ("GET", "/projects"):
                found = await workspace.listProjects()
            case ("POST", "/projects"):
                found = await workspace.createProject(await request.text())
            case _:
                return Response("not found", status=404)
        if found is None:
            return Response("no such workspace", status=404)
        return Response.json(found)
