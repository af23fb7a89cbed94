from urllib.parse import urlsplit

from js import Date
from workers import DurableObject, Response, WorkerEntrypoint, fetch

import dosim

MODERATION = "https://moderation.example/check"


async def checked(text):
    """What every message takes: some computing, and then the word of a service outside."""
    dosim.cpu("5ms")
    response = await fetch(MODERATION, method="POST", body=text)
    return response.ok


class Workspace(DurableObject):
    """The parent: which threads there are, not what is in them."""

    async def createThread(self, title):
        number = (await self.ctx.storage.get("last") or 0) + 1
        await self.ctx.storage.put({"last": number, f"thread:{number:06}": {"title": title, "created": Date.now()}})
        await self.env.THREAD.getByName(f"{self.ctx.id.name}/{number}").start(title)
        return number  # listed before it is started, deleted before it is unlisted: no child is ever forgotten

    async def listThreads(self):
        return list((await self.ctx.storage.list(prefix="thread:")).values())  # no child is asked

    async def deleteThread(self, number):
        await self.env.THREAD.getByName(f"{self.ctx.id.name}/{number}").destroy()
        return await self.ctx.storage.delete(f"thread:{number:06}")


class Thread(DurableObject):
    """The child: what was written in it."""

    async def start(self, title):
        await self.ctx.storage.put("title", title)

    async def post(self, text):
        fine = await checked(text)
        if not fine or await self.ctx.storage.get("title") is None:  # never started, or deleted: perhaps just now
            return None
        number = (await self.ctx.storage.get("last") or 0) + 1
        await self.ctx.storage.put({"last": number, f"message:{number:06}": text})
        return number

    async def destroy(self):
        await self.ctx.storage.deleteAll()


class Giant(DurableObject):
    """The threads of everybody in one object."""

    async def post(self, thread, text):
        if not await checked(text):
            return None
        number = (await self.ctx.storage.get(f"last:{thread}") or 0) + 1
        await self.ctx.storage.put({f"last:{thread}": number, f"message:{thread}:{number:06}": text})
        return number


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        method = str(request.method)
        match urlsplit(request.url).path.strip("/").split("/"):
            case ["giant", workspace, number]:
                thread = f"{workspace}/{number}"
                return Response.json(await self.env.GIANT.getByName("giant").post(thread, await request.text()))
            case [workspace, number] if method == "POST":
                thread = self.env.THREAD.getByName(f"{workspace}/{number}")
                posted = await thread.post(await request.text())
                return Response.json(posted, status=404 if posted is None else 200)
            case [workspace, number] if method == "DELETE":
                return Response.json(await self.env.WORKSPACE.getByName(workspace).deleteThread(int(number)))
            case [workspace] if method == "POST":
                return Response.json(await self.env.WORKSPACE.getByName(workspace).createThread(await request.text()))
            case [workspace]:
                return Response.json(await self.env.WORKSPACE.getByName(workspace).listThreads())
