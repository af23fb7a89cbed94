from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint


class Account(DurableObject):
    async def deposit(self, amount):
        balance = (await self.ctx.storage.get("balance") or 0) + amount
        await self.ctx.storage.put("balance", balance)  # returns before the write is confirmed ...
        print(f"put has returned: {balance}")
        return balance  # ... and this answer waits in the output gate until it is

    async def balance(self):
        return await self.ctx.storage.get("balance") or 0


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        account = self.env.ACCOUNT.getByName("ann")
        if urlsplit(request.url).path == "/deposit":
            return Response.json({"balance": await account.deposit(10)})
        return Response.json({"balance": await account.balance()})
