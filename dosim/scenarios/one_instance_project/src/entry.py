from workers import DurableObject, Response, WorkerEntrypoint

seen = {"requests": 0}  # a global: every instance of the Worker has its own


class Counter(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.visits = 0  # there is one object of a name in the whole world, so there is one of these

    async def visit(self):
        self.visits += 1
        return self.visits


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        seen["requests"] += 1
        counter = self.env.COUNTER.getByName("the-one")
        return Response.json({"worker": seen["requests"], "object": await counter.visit()})
