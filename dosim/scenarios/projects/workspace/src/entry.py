from urllib.parse import parse_qs, urlsplit

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
        ctx.blockConcurrencyWhile(self.migrate)  # nobody sees a half-made schema

    async def migrate(self):
        self.sql.exec("CREATE TABLE IF NOT EXISTS versions (version INTEGER PRIMARY KEY)")
        done = self.sql.exec("SELECT COALESCE(MAX(version), 0) AS v FROM versions").one()["v"]
        for version, statement in enumerate(MIGRATIONS[done:], done + 1):
            self.sql.exec(statement)
            self.sql.exec("INSERT INTO versions VALUES (?)", version)

    async def init(self, owner):
        if self.owner() is not None:
            return False
        self.sql.exec("INSERT INTO workspace VALUES (?)", owner)
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)
        return True

    def owner(self):
        rows = self.sql.exec("SELECT owner FROM workspace").toArray()
        return rows[0]["owner"] if rows else None

    async def createProject(self, name):
        if self.owner() is None:
            return None
        self.sql.exec("INSERT INTO projects (name, created) VALUES (?, ?)", name, Date.now())
        return self.sql.exec("SELECT last_insert_rowid() AS id").one()["id"]

    async def listProjects(self):
        if self.owner() is None:
            return None
        return [row["name"] for row in self.sql.exec("SELECT name FROM projects WHERE archived = 0 ORDER BY id")]

    async def alarm(self, info=None):
        self.sql.exec("UPDATE projects SET archived = 1 WHERE created <= ?", Date.now() - MONTH_MS)
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        workspace = self.env.WORKSPACE.getByName(parse_qs(url.query).get("workspace", ["default"])[0])
        match (str(request.method), url.path):
            case ("POST", "/init"):
                return Response.json({"created": await workspace.init("ann")})
            case ("GET", "/projects"):
                found = await workspace.listProjects()
            case ("POST", "/projects"):
                found = await workspace.createProject(await request.text())
            case _:
                return Response("not found", status=404)
        if found is None:
            return Response("no such workspace", status=404)
        return Response.json(found)
