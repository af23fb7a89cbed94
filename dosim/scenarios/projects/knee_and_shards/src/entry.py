from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from workers import DurableObject, Response, WorkerEntrypoint

import dosim


class Counter(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.count = 0

    async def hit(self, key):
        dosim.cpu("1ms")  # what the request computes
        self.count += 1
        return self.count


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        query = parse_qs(urlsplit(request.url).query)
        key, shards = query["key"][0], int(query["shards"][0])
        shard = crc32(key.encode()) % shards  # the same key always meets the same object
        counter = self.env.COUNTER.getByName(f"shard {shard} of {shards}")
        return Response(str(await counter.hit(key)))
