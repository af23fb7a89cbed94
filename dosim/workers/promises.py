"""`js.Promise`, as far as Python code makes one itself: an asyncio future under JavaScript's names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from dosim.web.errors import JsException
from dosim.web.interface import Constructor
from dosim.web.proxies import JsArray


class JsPromise:
    """A promise: await it, or `then(...)`."""

    constructor = Constructor("Promise")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, Any]:
        if self._future.done():
            yield  # a settled promise still lets the turn's other tasks run
        return (yield from self._future.__await__())

    def then(
        self, fulfilled: Callable[[Any], Any] | None = None, rejected: Callable[[Any], Any] | None = None
    ) -> JsPromise:
        async def chain() -> Any:
            try:
                value = await self
            except Exception as error:
                if rejected is None:
                    raise
                value = rejected(error)
            else:
                value = fulfilled(value) if fulfilled is not None else value
            return await value if hasattr(value, "__await__") else value

        return JsPromise(asyncio.ensure_future(chain()))

    def catch(self, rejected: Callable[[Any], Any]) -> JsPromise:
        return self.then(None, rejected)

    def __repr__(self) -> str:
        return "[object Promise]"


class Promise:
    """The statics of JavaScript's Promise, and `Promise.new(executor)`."""

    @staticmethod
    def new(executor: Callable[..., Any]) -> JsPromise:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def resolve(value: Any = None) -> None:
            if not future.done():
                future.set_result(value)

        def reject(reason: Any = None) -> None:
            if not future.done():
                future.set_exception(reason if isinstance(reason, BaseException) else JsException(str(reason)))

        executor(resolve, reject)
        return JsPromise(future)

    @staticmethod
    def resolve(value: Any = None) -> JsPromise:
        return Promise.new(lambda resolve, _: resolve(value))

    @staticmethod
    def reject(reason: Any = None) -> JsPromise:
        return Promise.new(lambda _, reject: reject(reason))

    @staticmethod
    def all(promises: Any) -> JsPromise:
        async def gather() -> JsArray:
            return JsArray(list(await asyncio.gather(*[_as_task(promise) for promise in promises])))

        return JsPromise(asyncio.ensure_future(gather()))

    @staticmethod
    def race(promises: Any) -> JsPromise:
        async def first() -> Any:
            done, _ = await asyncio.wait([_as_task(p) for p in promises], return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()

        return JsPromise(asyncio.ensure_future(first()))


def _as_task(value: Any) -> asyncio.Future[Any]:
    async def wait() -> Any:
        return await value if hasattr(value, "__await__") else value

    return asyncio.ensure_future(wait())
