from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Note(DurableObject):
    """One text, in whichever layer it is told."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.text = None
        self.kv, self.sql = ctx.storage.kv, ctx.storage.sql
        self.make_table()

    def make_table(self):
        self.sql.exec("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)")

    async def write(self, layer, text):
        if layer == "memory":
            self.text = text
        elif layer == "kv":
            self.kv.put("note", text)
        elif layer == "sqlite":
            self.sql.exec("INSERT INTO note VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET text = excluded.text", text)
        elif layer == "r2":
            await self.env.BUCKET.put("note", text)
        else:
            await self.env.NAMESPACE.put("note", text)
        print(f"written to {layer}")  # as far as this code can tell
        return text

    async def read(self, layer):
        if layer == "memory":
            return self.text
        if layer == "kv":
            return self.kv.get("note")
        if layer == "sqlite":
            rows = self.sql.exec("SELECT text FROM note").toArray()
            return rows[0]["text"] if rows else None
        return await read_shared(self.env, layer)

    async def wipe(self):
        await self.ctx.storage.deleteAll()
        self.make_table()  # deleteAll took the table too


async def read_shared(env, layer):
    """R2 and KV belong to no object: whoever has the binding may read."""
    if layer == "r2":
        found = await env.BUCKET.get("note")
        return await found.text() if found else None
    return await env.NAMESPACE.get("note")


class Default(WorkerEntrypoint):
    """/LAYER/write/TEXT, /LAYER/read, /LAYER/wipe: by the object named LAYER. /LAYER/direct: without it."""

    async def fetch(self, request):
        layer, action, *text = urlsplit(request.url).path.strip("/").split("/")
        if action == "direct":
            return Response.json(await read_shared(self.env, layer))
        note = self.env.NOTE.getByName(layer)
        if action == "wipe":
            return Response.json(await note.wipe())
        return Response.json(await getattr(note, action)(layer, *text))
