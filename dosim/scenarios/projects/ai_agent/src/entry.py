import asyncio
import json

from agents import Agent, callable, route_agent_request  # the SDK's name
from js import Date
from workers import Response, WorkerEntrypoint, fetch

MODEL = "https://model.example/v1/messages"


async def find_trains(chat, start, end):
    return f"two trains from {start} to {end}: 9:10 and 11:40"


async def book_seat(chat, train):
    """The key is the same when this step of this chat runs again."""
    key = f"{chat['id']}/{len(chat['messages'])}"
    seat = await fetch("https://rail.example/seats", method="POST", body=train, headers={"Idempotency-Key": key})
    return await seat.text()


TOOLS = {"find_trains": find_trains, "book_seat": book_seat}


class Naive(Agent):
    """Asks the model, runs the tool it wants, asks again, until it has said all. The chat is an attribute."""

    task = None

    @callable
    async def ask(self, question):
        self.begin({"id": f"{self.name}/{Date.now()}", "messages": [{"user": question}]})

    @callable
    async def cancel(self):
        return self.task is not None and self.task.cancel()

    def begin(self, chat):
        self.task = asyncio.ensure_future(self.work(chat))

    async def work(self, chat):
        await self.answer(chat)

    async def answer(self, chat):
        self.keep(chat)
        done = False
        while not done:
            response = await fetch(MODEL, method="POST", body=json.dumps(chat["messages"]))
            said = json.loads(await response.text())
            if "tool" in said:
                said["result"] = await TOOLS[said["tool"]](chat, **said["args"])
            done = said.get("last", False)
            chat["messages"].append(said)
            self.keep(chat)
            if "text" in said:
                self.broadcast(json.dumps({"type": "text", "text": said["text"], "last": done}))

    def keep(self, chat):
        pass


class Kept(Naive):
    """The same, kept alive while it works."""

    async def work(self, chat):
        await self.keep_alive_while(lambda: self.answer(chat))


class Checkpointed(Naive):
    """The same in a fiber, which is kept alive too, and whose chat is stashed after each step."""

    async def work(self, chat):
        await self.run_fiber("answer", lambda fiber: self.answer(chat))

    def keep(self, chat):
        self.stash(chat)

    async def on_fiber_recovered(self, fiber):
        self.begin(fiber.snapshot)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("not found", status=404)
