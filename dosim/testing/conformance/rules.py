"""
The two closed lists of conformance: adaptation rules, and reasons for which a step does not apply.

A rule says how an answer recorded in JavaScript is read in Python Workers; a reason says why something cannot be
written there at all. Both are triggered by constructs in the case's program or in the recorded value, never by the
case's id or by whether the comparison would succeed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One adaptation rule or reason: a stable id, a title of a few words, one sentence of explanation."""

    id: str
    title: str
    explanation: str


# ---------------------------------------------------------------- storage: adaptation rules

NONE = Rule("S1", "none", "undefined and null are both None, in arguments and in results.")
DICT = Rule("S2", "dict", "Map and plain object are both a JsDict; the order of keys is compared.")
BYTES = Rule("S3", "bytes", "ArrayBuffer, Uint8Array and every other view are bytes in and a memoryview out.")
NUMBER = Rule("S4", "number", "-0 is 0, 1.0 is 1, and a BigInt is an int.")
DATE = Rule("S5", "date", "A Date is a naive datetime in UTC with milliseconds.")
SET = Rule("S6", "set", "A Set is a set and is compared without order.")
ERROR_VALUE = Rule("S7", "stored error", "A stored Error comes back as an Exception that keeps only the message.")
USER_ERROR = Rule(
    "S8",
    "user error",
    "An error that leaves Python code is a JsException named PythonError whose last line ends with the name and "
    "message; flags are the same.",
)
NO_ALARM_HANDLER = Rule(
    "S9",
    "no alarm handler",
    "setAlarm on a class without alarm() is accepted, because the class made by the SDK always has the handler.",
)
UNDEFINED_LEFT_OUT = Rule(
    "S10",
    "undefined left out",
    "An undefined last argument or object field is left out, and an undefined key is written as the text it becomes.",
)
TYPE_NAME = Rule("S11", "type name", "The JavaScript type of a result is compared as the Python type it becomes.")
ATTRIBUTE_CACHE = Rule(
    "S12",
    "attribute cache",
    "databaseSize and the cursor's counters are read through the raw binding, because the SDK freezes them at the "
    "first read.",
)
RAW_TRANSACTION = Rule(
    "S13", "raw transaction", "The txn object is raw: its arguments go through to_js and its results through to_py."
)
COPIES = Rule("S14", "copies", "Two references to one object inside a value come back as two equal copies.")
MESSAGE_TAIL = Rule(
    "S15",
    "message tail",
    "The text ' at offset N' of a SQL error and the random end of an internal error are not compared.",
)
TIME_BAND = Rule("S16", "time band", "A measured time may lie inside the recorded band: a retry at 1 to 1.25 times.")

# ---------------------------------------------------------------- storage: reasons

SYMBOL = Rule("NS1", "symbol", "Python has no Symbol.")
FUNCTION_TEXT = Rule("NS2", "function text", "The answer quotes the JavaScript source of a function.")
HOLE = Rule("NS3", "array hole", "A Python list has no missing elements.")
JS_ONLY = Rule(
    "NS4",
    "JavaScript object",
    "WeakMap, Proxy, Promise, getters, symbol keys, boxed primitives, RegExp and Web API objects have no Python value "
    "that the SDK would convert into them.",
)
PUT_UNDEFINED = Rule("NS5", "put of undefined", "The SDK turns None into null, so undefined cannot be put.")
SQLITE_COUNTERS = Rule("NS6", "SQLite counters", "rowsRead and rowsWritten need counters that stock SQLite lacks.")
INVALID_DATE = Rule("NS7", "date out of range", "A datetime can be neither invalid nor outside the years 1 to 9999.")
CYCLE = Rule("NS8", "cycle", "The SDK's conversion of a value that contains itself never ends.")
MAP_KEYS = Rule("NS9", "keys", "A dict becomes an object with text keys, indexes first; a set holds no dicts.")
CLASS_INSTANCE = Rule("NS10", "class instance", "The SDK refuses an instance of the program's own class.")
THROWN_VALUE = Rule("NS11", "thrown value", "Python raises exceptions only, JavaScript throws any value.")

# ---------------------------------------------------------------- projects: reasons

STACK_SWITCHING = Rule(
    "NP1", "stack switching", "time.sleep lets other events in by suspending the Python stack, which CPython cannot do."
)

STORAGE_RULES: tuple[Rule, ...] = (
    NONE,
    DICT,
    BYTES,
    NUMBER,
    DATE,
    SET,
    ERROR_VALUE,
    USER_ERROR,
    NO_ALARM_HANDLER,
    UNDEFINED_LEFT_OUT,
    TYPE_NAME,
    ATTRIBUTE_CACHE,
    RAW_TRANSACTION,
    COPIES,
    MESSAGE_TAIL,
    TIME_BAND,
)
STORAGE_REASONS: tuple[Rule, ...] = (
    SYMBOL,
    FUNCTION_TEXT,
    HOLE,
    JS_ONLY,
    PUT_UNDEFINED,
    SQLITE_COUNTERS,
    INVALID_DATE,
    CYCLE,
    MAP_KEYS,
    CLASS_INSTANCE,
    THROWN_VALUE,
)
PROJECT_REASONS: tuple[Rule, ...] = (STACK_SWITCHING,)

# ---------------------------------------------------------------- concurrency (its rules and reasons follow here)

FETCH_ERROR = Rule(
    "C1",
    "fetch error",
    "An error of stub.fetch is an AbortError that keeps the text: neither the name apart from the text nor the flags.",
)
MISSING_METHOD = Rule(
    "C2",
    "missing method",
    'Calling what is no method says "Method x does not exist" where JavaScript says that the receiver does not '
    "implement it, that it is not a function, or that no fetch() is exported.",
)
ARITY = Rule(
    "C3",
    "arity",
    "The number of RPC arguments is checked: a method that is called with fewer or more takes defaults and a rest.",
)
FAILING_CONSTRUCTOR = Rule(
    "C4",
    "failing constructor",
    "A constructor that throws is a section started in __init__ that throws, because a failing __init__ is final.",
)
ABORT_UNWINDS = Rule(
    "C5", "abort unwinds", "ctx.abort() raises, so what finally writes to the log on the way out is left out."
)
RAW_SOCKET = Rule(
    "C6",
    "raw socket",
    "ctx and sockets are raw: tags, attachments and messages go through to_js, and attachments through to_py.",
)

PROPERTY_READ = Rule("NC1", "property read", "A property of a stub (a getter, a method) cannot be read from Python.")
PIPELINING = Rule("NC2", "pipelining", "The result of a call is a coroutine: nothing can be called on it before await.")
RPC_TARGET = Rule("NC3", "RpcTarget", "Python has no RpcTarget: functions travel, objects with methods do not.")
JAVASCRIPT_MEMBER = Rule(
    "NC4", "JavaScript member", "constructor, toString and the like belong to the JavaScript stub, not to the object."
)
NO_BASE = Rule("NC5", "class without base", "A class that extends nothing is not found by the SDK.")
ERROR_PROPERTIES = Rule(
    "NC6", "error properties", "Properties set on an exception (flags and cause too) stay in Python when it leaves."
)

CONCURRENCY_RULES: tuple[Rule, ...] = (
    FETCH_ERROR,
    MISSING_METHOD,
    ARITY,
    FAILING_CONSTRUCTOR,
    ABORT_UNWINDS,
    RAW_SOCKET,
)
CONCURRENCY_REASONS: tuple[Rule, ...] = (
    PROPERTY_READ,
    PIPELINING,
    RPC_TARGET,
    JAVASCRIPT_MEMBER,
    NO_BASE,
    ERROR_PROPERTIES,
)


def all_rules() -> tuple[Rule, ...]:
    """Every rule and reason, in the order reports print them."""
    return STORAGE_RULES + CONCURRENCY_RULES + STORAGE_REASONS + CONCURRENCY_REASONS + PROJECT_REASONS
