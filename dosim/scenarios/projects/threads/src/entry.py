from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint

import dosim


class Workspace(DurableObject):
    """The parent: which threads there are, not what is in them."""

    async def createThread(self, title):
        number = (await self.ctx.storage.get("last") or 0) + 1
        await self.ctx.storage.put({"last": number, f"thread:{number}": title})
        await self.env.THREAD.getByName(f"{self.ctx.id.name}/{number}").start(title)
        return number

    async def listThreads(self):
        return await self.ctx.storage.list(prefix="thread:")  # no thread is woken for it

    async def deleteThread(self, number):
        await self.env.THREAD.getByName(f"{self.ctx.id.name}/{number}").destroy()
        return await self.ctx.storage.delete(f"thread:{number}")


class Thread(DurableObject):
    """The child: its messages."""

    async def start(self, title):
        await self.ctx.storage.put("title", title)

    async def post(self, text):
        dosim.cpu("5ms")  # whatever a message takes
        posts = (await self.ctx.storage.get("posts") or 0) + 1
        await self.ctx.storage.put("posts", posts)
        return posts

    async def destroy(self):
        await self.ctx.storage.deleteAll()


class Giant(DurableObject):
    """Every thread of everybody in one object."""

    async def post(self, thread):
        dosim.cpu("5ms")
        posts = (await self.ctx.storage.get(thread) or 0) + 1
        await self.ctx.storage.put(thread, posts)
        return posts


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind, thread = urlsplit(request.url).path.strip("/").split("/")
        if kind == "giant":
            return Response(str(await self.env.GIANT.getByName("giant").post(thread)))
        return Response(str(await self.env.THREAD.getByName(f"measured/{thread}").post("hello")))
