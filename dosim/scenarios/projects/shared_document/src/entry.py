import json

from agents import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint


class Pasted(Agent):
    """Clients set the state: the whole text, as they have it."""

    initial_state = {"text": "", "version": 0}

    async def on_request(self, request):  # a new document
        if str(request.method) == "POST":
            self.set_state({"text": await request.text(), "version": 0})
        return Response(json.dumps(self.state))


class Checked(Pasted):
    """Clients send the whole text and the version that they have changed; a change of an old one is refused."""

    @callable
    async def write(self, version, text):
        if version != self.state["version"]:
            raise ValueError(f"this is version {self.state['version']}, not {version}")
        self.set_state({"text": text, "version": version + 1})


class Merged(Pasted):
    """Clients send what they change, where, and in which version: strike some letters, or set some in.

    The agent moves the place by what has come in since. A call that is made again, with the same key, changes nothing.
    """

    async def on_start(self):
        self.sql(
            "CREATE TABLE IF NOT EXISTS edits"
            " (version INTEGER PRIMARY KEY, key TEXT UNIQUE, place INTEGER, struck INTEGER, letters TEXT)"
        )

    @callable
    async def edit(self, key, version, place, struck, letters):
        if self.sql("SELECT version FROM edits WHERE key = ?", key):
            return "is in already"
        start, end = place, place + struck
        for earlier in self.sql("SELECT * FROM edits WHERE version > ? ORDER BY version", version):
            start, end = moved(start, end, earlier)
        text, version = self.state["text"], self.state["version"] + 1
        self.sql("INSERT INTO edits VALUES (?, ?, ?, ?, ?)", version, key, start, end - start, letters)
        self.set_state({"text": text[:start] + letters + text[end:], "version": version})
        return "is in"


def moved(start, end, earlier):
    """Where a stretch of the text is after an earlier edit: letters that it set in before or at the start push it."""
    place, struck, new = earlier["place"], earlier["struck"], len(earlier["letters"])
    start = start if start < place else max(start - struck, place) + new
    end = end if end <= place else max(end - struck, place) + new
    return start, max(start, end)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
