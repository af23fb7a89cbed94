"""A program that uses every asyncio primitive whose order depends on hashes in stock asyncio."""

from __future__ import annotations

import asyncio
import random

from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Busy(DurableObject):
    async def work(self, n):
        async def nap(i):
            await asyncio.sleep(random.choice((0.1, 0.2)))
            return i

        tasks = {asyncio.create_task(nap(i)) for i in range(10)}
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        order = [task.result() for task in done] + [await task for task in pending]
        order += [await each for each in asyncio.as_completed([nap(i) for i in range(5)])]
        try:
            async with asyncio.TaskGroup() as group:
                for i in range(5):
                    group.create_task(nap(i))
                group.create_task(self.fail())
        except* ValueError:
            pass
        print(order)
        await self.ctx.storage.put(f"order{n}", order)
        return order

    async def fail(self):
        await asyncio.sleep(0.1)
        raise ValueError


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        stubs = [self.env.BUSY.getByName(name) for name in "abc"]
        orders = await asyncio.gather(*[stub.work(i) for i, stub in enumerate(stubs)])
        return Response.json(orders)
