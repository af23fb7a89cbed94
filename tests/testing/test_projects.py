"""`explore_project` finds what breaks a project without any test, and is quiet about its correct twin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dosim.kernel.chooser import Chooser
from dosim.project import ProjectError
from dosim.testing.failures import Failure
from dosim.testing.projects import ProjectExploration, explore_project, subject_at
from dosim.testing.projects.masks import canonical, differences
from dosim.testing.projects.programs import BadProgram, Program
from dosim.testing.projects.survey import Survey
from dosim.testing.tokens import BadToken, Token

ROOT = Path(__file__).parents[2]

#: Reads, waits for the world outside, and writes what it read before: the second of two overwrites the first.
LOST_UPDATE = """
from workers import DurableObject, Response, WorkerEntrypoint, fetch

class Counter(DurableObject):
    async def increment(self):
        count = await self.ctx.storage.get("count") or 0
        await fetch("https://audit.example/log", method="POST", body="one more")
        await self.ctx.storage.put("count", count + 1)

    async def value(self):
        return await self.ctx.storage.get("count") or 0

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = str(request.url).rpartition("/")[2] or "home"
        counter = self.env.COUNTER.getByName(name)
        if request.method == "POST":
            await counter.increment()
        return Response.json({"value": await counter.value()})
"""

#: The same, asked first.
NO_LOST_UPDATE = LOST_UPDATE.replace(
    """        count = await self.ctx.storage.get("count") or 0
        await fetch("https://audit.example/log", method="POST", body="one more")
""",
    """        await fetch("https://audit.example/log", method="POST", body="one more")
        count = await self.ctx.storage.get("count") or 0
""",
)

#: Knows its notes by heart.
MEMORY_ONLY = """
import time, uuid
from workers import DurableObject

class Pad(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.kept = []

    async def add(self, text):
        self.kept.append(text)
        return {"id": str(uuid.uuid4()), "at": time.time()}

    async def notes(self):
        return self.kept
"""

#: Writes them down.
WRITTEN_DOWN = """
import time, uuid
from workers import DurableObject

class Pad(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.cache = None

    async def add(self, text):
        self.cache = [*await self.notes(), text]
        await self.ctx.storage.put("notes", self.cache)
        return {"id": str(uuid.uuid4()), "at": time.time()}

    async def notes(self):
        if self.cache is None:
            self.cache = await self.ctx.storage.get("notes") or []
        return self.cache
"""

#: Takes the seat if it is free, and asks the bank in between.
CHECK_THEN_ACT = """
from workers import DurableObject, fetch

class Seat(DurableObject):
    async def take(self, who):
        if await self.ctx.storage.get("who"):
            return False
        await fetch("https://bank.example/charge", method="POST", body=who)
        await self.ctx.storage.put("who", who)
        return True
"""

#: The same, with a mark that others are refused by meanwhile.
BUSY_SEAT = """
from workers import DurableObject, fetch

class Seat(DurableObject):
    busy = False

    async def take(self, who):
        if self.busy:
            raise RuntimeError("somebody is paying just now")
        if await self.ctx.storage.get("who"):
            return False
        self.busy = True
        try:
            await fetch("https://bank.example/charge", method="POST", body=who)
            await self.ctx.storage.put("who", who)
        finally:
            self.busy = False
        return True
"""

#: Wakes itself every second, for ever.
LOOP = """
import time
from workers import DurableObject

class Poller(DurableObject):
    async def start(self):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)

    async def alarm(self):
        await self.start()
"""

#: The same, with an end.
ENDING_LOOP = """
import time
from workers import DurableObject

class Poller(DurableObject):
    async def start(self):
        await self.ctx.storage.put("left", 5)
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)

    async def alarm(self):
        left = await self.ctx.storage.get("left") or 0
        if left > 0:
            await self.ctx.storage.put("left", left - 1)
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)
"""

#: Sends its reminder as often as its alarm runs.
REMINDER = """
import time
from workers import DurableObject, fetch

class Reminder(DurableObject):
    async def plan(self):
        await self.ctx.storage.put("due", True)
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 60_000)

    async def alarm(self):
        await fetch("https://mail.example/send", method="POST", body="remember")
        await self.ctx.storage.put("sent", (await self.ctx.storage.get("sent") or 0) + 1)
"""

#: Sends it once.
ONE_REMINDER = REMINDER.replace(
    "        await fetch(",
    """        if await self.ctx.storage.get("sent"):
            return
        await fetch(""",
)

#: Two requests that look for each other's key while the other has taken it away.
BREAKS_TOGETHER = """
from workers import DurableObject, fetch

class Box(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.open = {}

    async def work(self):
        self.open["it"] = True
        await fetch("https://slow.example/")
        del self.open["it"]
        await self.ctx.storage.put("done", True)
"""

#: An object of its own class cannot be sent.
UNSENDABLE = """
from workers import DurableObject, Response, WorkerEntrypoint

class Row:
    pass

class Table(DurableObject):
    async def first(self):
        return Row()

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(await self.env.TABLE.getByName("a").first()))
"""

#: A chat whose history is written down, or not.
CHAT = """
import json
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.history = []

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.send(json.dumps(self.history))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.history.append(json.loads(message)["text"])

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = str(request.url).partition("example")[2]
        if path.startswith("/room/"):
            return await self.env.ROOM.getByName(path[6:]).fetch(request)
        return Response("not found", status=404)
"""


def project(folder: Path, source: str, **bindings: str) -> Path:
    """A project folder with this entry module."""
    config = {
        "name": "made-up",
        "main": "src/entry.py",
        "compatibility_date": "2026-11-01",
        "compatibility_flags": ["python_workers"],
        "durable_objects": {"bindings": [{"name": name, "class_name": cls} for name, cls in bindings.items()]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": [*bindings.values()]}],
    }
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.jsonc").write_text(json.dumps(config))
    (folder / "src" / "entry.py").write_text(source)
    return folder


def one_failure(exploration: ProjectExploration) -> Failure:
    """The only thing that was found."""
    assert len(exploration.failures) == 1, exploration.text
    return exploration.failures[0]


def invariant(failure: Failure) -> str:
    return failure.outcome.signature[0]


# -- what breaks, and its twin


def test_a_lost_update_is_found_and_shrunk_to_two_requests(tmp_path: Path) -> None:
    """Two increments over a fetch: no order of them leaves one; nothing else is in the smallest program."""
    exploration = explore_project(project(tmp_path / "counter", LOST_UPDATE, COUNTER="Counter"), runs=60)
    failure = one_failure(exploration)

    assert not exploration
    assert "equals_some_order" == invariant(failure)
    assert (
        'counter: COUNTER("a").increment() | COUNTER("a").increment(); COUNTER("a").value()'
        == failure.story.partition(" is broken")[0]
    )
    assert 'COUNTER("a").value() → 1' in str(failure.error)
    assert "https://outside.example" in failure.story


def test_memory_only_state_is_found(tmp_path: Path) -> None:
    """What is kept in an attribute is gone when the object has left memory, and the story names the attribute."""
    exploration = explore_project(project(tmp_path / "pad", MEMORY_ONLY, PADS="Pad"), runs=60)
    failure = one_failure(exploration)

    assert "survives_eviction" == invariant(failure)
    assert 'PADS("a").add("x"); evict(); PADS("a").notes()' in failure.token
    assert "Pad('a') had kept=['x']" in str(failure.error)


def test_check_then_act_is_found(tmp_path: Path) -> None:
    """Two who are both told that the seat is theirs."""
    failure = one_failure(explore_project(project(tmp_path / "seat", CHECK_THEN_ACT, SEATS="Seat"), runs=60))

    assert "equals_some_order" == invariant(failure)
    assert 'SEATS("a").take("x") → True, SEATS("a").take("x") → True' in str(failure.error)


def test_an_unbounded_alarm_loop_is_found_with_its_price(tmp_path: Path) -> None:
    """An object that wakes only itself, every second, for ever."""
    failure = one_failure(explore_project(project(tmp_path / "poller", LOOP, POLLER="Poller"), runs=40))

    assert "never_wakes_only_itself" == invariant(failure)
    assert "86,400 wakes a day" in str(failure.error)
    assert "An idle month costs $" in str(failure.error)


def test_an_alarm_that_is_not_idempotent_is_found(tmp_path: Path) -> None:
    """A second run of the alarm sends a second e-mail."""
    failure = one_failure(explore_project(project(tmp_path / "mail", REMINDER, MAIL="Reminder"), runs=60))

    assert "idempotent_alarm" == invariant(failure)
    assert "ran twice" in str(failure.error)


def test_an_error_that_comes_only_together_is_found(tmp_path: Path) -> None:
    """A KeyError that no order of the requests throws."""
    failure = one_failure(explore_project(project(tmp_path / "box", BREAKS_TOGETHER, BOX="Box"), runs=60))

    assert "raises_in_some_order" == invariant(failure)
    assert "KeyError: 'it'" in str(failure.error)


def test_an_error_after_an_eviction_is_found(tmp_path: Path) -> None:
    """An alarm that counts on an attribute, whose error nobody hears."""
    source = """
import time
from workers import DurableObject

class Timer(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.plans = {}

    async def plan(self):
        self.plans["next"] = "tea"
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 100_000)

    async def alarm(self):
        await self.ctx.storage.put("done", self.plans["next"])
"""
    failure = one_failure(explore_project(project(tmp_path / "timer", source, TIMER="Timer"), runs=60))

    assert "survives_eviction" == invariant(failure)
    assert "KeyError: 'next' is thrown when the objects have left memory" in str(failure.error)


def test_an_answer_that_cannot_be_sent_is_found(tmp_path: Path) -> None:
    """A method that the Worker calls answers what no call can carry."""
    failure = one_failure(explore_project(project(tmp_path / "table", UNSENDABLE, TABLE="Table"), runs=5))

    assert "answer_can_be_sent" == invariant(failure)
    assert "DataCloneError" in str(failure.error)


def test_a_chat_that_forgets_is_found_over_its_sockets(tmp_path: Path) -> None:
    """Path, handshake and message are read from the source."""
    failure = one_failure(explore_project(project(tmp_path / "chat", CHAT, ROOM="Room"), runs=60))

    assert "survives_eviction" == invariant(failure)
    assert 'CONNECT("/room/a"); SEND("/room/a", "{\\"text\\": \\"x\\"}"); evict(); CONNECT("/room/a")' in failure.token


@pytest.mark.parametrize(
    ("source", "bindings"),
    [
        pytest.param(NO_LOST_UPDATE, {"COUNTER": "Counter"}, id="counter"),
        pytest.param(WRITTEN_DOWN, {"PADS": "Pad"}, id="pad"),
        pytest.param(BUSY_SEAT, {"SEATS": "Seat"}, id="seat"),
        pytest.param(ENDING_LOOP, {"POLLER": "Poller"}, id="poller"),
        pytest.param(ONE_REMINDER, {"MAIL": "Reminder"}, id="mail"),
    ],
)
def test_a_correct_twin_is_left_in_peace(tmp_path: Path, source: str, bindings: dict[str, str]) -> None:
    """Times and ids in answers, caches, refusals and alarms that end are no findings."""
    exploration = explore_project(project(tmp_path / "twin", source, **bindings), runs=100)

    assert exploration, exploration.text
    assert exploration.failure is None
    assert "nothing was found" in exploration.text


def test_what_dosim_new_makes_is_left_in_peace() -> None:
    """The template of `dosim new` breaks no rule."""
    exploration = explore_project(ROOT / "dosim" / "project" / "template", runs=80)

    assert exploration, exploration.text


def test_correct_designs_are_left_in_peace() -> None:
    """A rate limit, an agent's progress, presence by sockets, sessions that end, idempotency keys, a cache, a queue."""
    exploration = explore_project(ROOT / "tests" / "testing" / "correct_designs", runs=150)

    assert exploration, exploration.text
    assert 20 < len(exploration.operations)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", "pct", "exhaustive"])
def test_correct_designs_are_left_in_peace_under_every_strategy(strategy: str) -> None:
    """With other programs, and other schedules."""
    exploration = explore_project(ROOT / "tests" / "testing" / "correct_designs", runs=600, strategy=strategy, seed=1)

    assert exploration, exploration.text


def test_faults_are_no_findings(tmp_path: Path) -> None:
    """What failed because of a fault may have happened or not; whoever looks may be hit too."""
    folder = project(tmp_path / "counter", NO_LOST_UPDATE, COUNTER="Counter")
    exploration = explore_project(folder, runs=80, faults="all", strategy="random")

    assert exploration, exploration.text


def test_faults_find_what_is_half_done(tmp_path: Path) -> None:
    """A crash between two writes that belong together leaves one of them, and no order of the calls does that."""
    source = """
from workers import DurableObject, fetch

class Wallet(DurableObject):
    async def pay(self):
        await self.ctx.storage.put("paid", (await self.ctx.storage.get("paid") or 0) + 1)
        await fetch("https://slow.example/")
        await self.ctx.storage.put("noted", (await self.ctx.storage.get("noted") or 0) + 1)

    async def both(self):
        return [await self.ctx.storage.get("paid"), await self.ctx.storage.get("noted")]
"""
    folder = project(tmp_path / "wallet", source, WALLET="Wallet")
    quiet = explore_project(folder, runs=40)
    failure = one_failure(explore_project(folder, runs=200, faults="crash"))

    assert quiet, quiet.text
    assert ["crash"] == [str(deviation).partition("=")[2].split()[0] for deviation in failure.deviations]


# -- what can be called


def test_what_cannot_be_called_is_said(tmp_path: Path) -> None:
    """Helpers, methods that need keywords, and those that no guess runs are listed with the reason."""
    source = """
from workers import DurableObject

class Shop(DurableObject):
    def helper(self):
        self.ctx.storage.kv.put("helped", True)
        return 1
    async def sell(self, item, *, price):
        return self.helper()
    async def buy(self, order):
        return order.lines[0]
    async def stock(self, item: str, count: int = 1):
        await self.ctx.storage.put(item, count)
        return self.helper()
"""
    survey = Survey.of(project(tmp_path, source, SHOP="Shop"))

    assert ['SHOP("a").stock("x", 1)'] == [str(offer.first()) for offer in survey.offers]
    assert "SHOP.helper: only the object itself calls it" in survey.left_out
    assert "SHOP.sell: it needs price by keyword" in survey.left_out
    assert any(line.startswith("SHOP.buy: it does not run") for line in survey.left_out)


# -- determinism, tokens


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    """Programs, schedules and stories follow from the seed, in any process."""
    folder = project(tmp_path / "counter", LOST_UPDATE, COUNTER="Counter")
    code = (
        "import sys; from dosim.testing.projects import explore_project;"
        "print(explore_project(sys.argv[1], runs=20, seed=7).text)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert told[0] == told[1]
    assert explore_project(folder, runs=20, seed=7).text == told[0].rstrip("\n")


def test_a_token_leads_to_the_same_failure(tmp_path: Path) -> None:
    """The token names folder, rule and program; a project that has changed is refused."""
    folder = project(tmp_path / "counter", LOST_UPDATE, COUNTER="Counter")
    failure = one_failure(explore_project(folder, runs=40))
    token = Token.parse(failure.token)
    again = token.subject().run(Chooser(token.schedule))

    assert str(failure.error) == str(again.error)

    (folder / "src" / "entry.py").write_text(NO_LOST_UPDATE)
    with pytest.raises(BadToken, match="has changed since this token was made"):
        token.subject()


def test_a_reference_that_is_garbled_is_refused(tmp_path: Path) -> None:
    """What is wrong with it is said."""
    folder = str(project(tmp_path, LOST_UPDATE, COUNTER="Counter"))

    with pytest.raises(BadToken, match="names no rule of a project"):
        subject_at(folder, "wonders: COUNTER('a').increment()")
    with pytest.raises(BadToken, match="is no operation"):
        subject_at(folder, "serial: increment()")


@pytest.mark.parametrize(
    "text",
    [
        'COUNTER("a").increment(1, "x", [1, {"k": None}]) | COUNTER("b").value(); wait("61s")',
        'CONNECT("/room/a"); SEND("/room/a", "{\\"text\\": \\"é\\"}"); evict(); CLOSE("/room/a"); restart()',
        'ROOM("a").POST("/x", "body") | GET("/a?name=a")',
    ],
)
def test_programs_are_read_back(text: str) -> None:
    """The notation has one reading."""
    assert text == str(Program.parse(text))


@pytest.mark.parametrize("text", ["", "increment(", "x = 1", "COUNTER(a).x()", "GET(1)", 'A("a").x(y)'])
def test_what_is_no_program_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(BadProgram, match=r"COUNTER\(\"a\"\)\.increment"):
        Program.parse(text)


def test_what_varies_by_itself_is_masked() -> None:
    """By its looks, and where runs on other days differ."""
    one = {"id": "6f1c9dde-0000-4000-8000-000000000001", "rows": [{"n": 1, "luck": 4}], "at": 1796083202.5}
    other = {"id": "6f1c9dde-0000-4000-8000-000000000002", "rows": [{"n": 1, "luck": 9}], "at": 1796083999.0}
    masks = frozenset(differences(one, other))

    assert {("rows", "*", "luck")} == masks
    assert canonical(one, masks) == canonical(other, masks)
    assert canonical(one, frozenset()) != canonical(other, frozenset())


# -- bad input


def test_there_has_to_be_a_folder(tmp_path: Path) -> None:
    """A clear error, not a traceback of `open`."""
    with pytest.raises(ProjectError, match="there is no folder"):
        explore_project(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="folder=3 is no folder"):
        explore_project(3)  # type: ignore[arg-type]


def test_there_has_to_be_a_wrangler_file(tmp_path: Path) -> None:
    """The names of the files that would do are in the error."""
    with pytest.raises(ProjectError, match=r"wrangler\.jsonc"):
        explore_project(tmp_path)


def test_there_have_to_be_durable_objects(tmp_path: Path) -> None:
    """A Worker alone has no such behaviour."""
    source = (
        "from workers import Response, WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response('ok')\n"
    )
    with pytest.raises(ProjectError, match="binds no Durable Object"):
        explore_project(project(tmp_path, source))


def test_there_has_to_be_something_to_call(tmp_path: Path) -> None:
    """Objects without methods and paths cannot be explored without a test."""
    source = "from workers import DurableObject\nclass Silent(DurableObject):\n    pass\n"

    with pytest.raises(ProjectError, match="nothing that dosim could call by itself"):
        explore_project(project(tmp_path, source, SILENT="Silent"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"runs": 0}, "runs=0"),
        ({"seconds": -1}, "seconds=-1"),
        ({"strategy": "luck"}, "strategy='luck'"),
        ({"faults": "fire"}, "faults has 'fire'"),
    ],
)
def test_arguments_are_checked(tmp_path: Path, options: dict[str, object], says: str) -> None:
    """Before anything runs; the argument is named."""
    with pytest.raises(ValueError, match=says):
        explore_project(project(tmp_path, LOST_UPDATE, COUNTER="Counter"), **options)  # type: ignore[arg-type]
