"""`setAlarm` and `deleteAlarm`, on the storage and on a transaction: arguments, refusals, texts (recorded)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import EPOCH_MS
from dosim.runtime.kv_arguments import parameter_error
from dosim.web.errors import type_error
from dosim.web.values import JsBigInt

if TYPE_CHECKING:
    from dosim.runtime.instance import Instance

#: Dates are nanoseconds in 64 bits: in truth 1677 to 2262, whatever the texts say. Source: workerd jsg/value.h.
_DATE_LIMIT_MS: Final = 2**63 / 1_000_000
#: An alarm time below this is a time in seconds by mistake: it is before 1971 in milliseconds.
_LOOKS_LIKE_SECONDS: Final = 100_000_000_000


def set_alarm(instance: Instance, interface: str, args: tuple[Any, ...]) -> None:
    """`setAlarm` on the storage or a transaction, its argument converted already."""
    instance.check_alive()
    when: Any = args[0] if args else None
    if hasattr(type(when), "getTime"):
        when = when.getTime()  # a JavaScript Date, given to a raw transaction
    if isinstance(when, datetime):
        when = when.replace(tzinfo=UTC).timestamp() * 1000
    if isinstance(when, (bool, JsBigInt)) or not isinstance(when, (int, float)):
        raise parameter_error("setAlarm", 1, "date", interface)
    if not math.isfinite(when):
        raise type_error("The value cannot be converted because it is not a valid Date.")
    if when >= _DATE_LIMIT_MS:
        raise type_error("This API doesn't support dates after 2189.")
    if when <= -_DATE_LIMIT_MS:
        raise type_error("This API doesn't support dates before 1687.")
    if int(when) <= 0:
        raise type_error("setAlarm() cannot be called with an alarm time <= 0")
    if when < _LOOKS_LIKE_SECONDS:
        instance.world.portability(
            f"setAlarm({when}) is in 1970, so it fires at once", "setAlarm(int(time.time() * 1000) + 60_000)"
        )
    now_ms = EPOCH_MS + instance.loop.time_us() // 1000
    instance.host.alarm.set_ms(max(int(when), now_ms))
    instance.touch()


def delete_alarm(instance: Instance) -> None:
    instance.check_alive()
    instance.host.alarm.set_ms(None)
    instance.touch()
