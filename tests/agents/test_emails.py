"""E-mail: addresses that name agents, what the agent gets and decides, replies that find their way back."""

from __future__ import annotations

from typing import Any

import pytest

from dosim import Simulation
from dosim.agents import (
    Agent,
    EmailRoute,
    create_address_based_email_resolver,
    create_catch_all_email_resolver,
    create_header_based_email_resolver,
    create_secure_reply_email_resolver,
    get_current_agent,
    is_auto_reply_email,
    route_agent_email,
    sign_agent_headers,
)
from dosim.workers import WorkerEntrypoint
from tests.agents.talk import logged

SECRET = "a secret"


class Support(Agent):
    """Keeps what it gets; does what the subject says."""

    async def on_email(self, email):
        raw = (await email.get_raw()).decode()
        kept = await self.ctx.storage.get("kept") or []
        current = get_current_agent().email is email
        said = [self.name, email.from_, email.to, email.headers["subject"], email.raw_size == len(raw), current]
        await self.ctx.storage.put("kept", [*kept, said])
        subject = email.headers["subject"]
        if subject == "reject":
            await email.set_reject("no such ticket")
        elif subject == "forward":
            await email.forward("boss@app.example")
        elif subject == "fail":
            raise ValueError("no e-mail today")
        elif subject == "sign":
            await self.reply_to_email(email, from_name="Support", body="signed", secret=SECRET)
        elif subject == "twice":
            for _ in range(2):
                await self.reply_to_email(email, from_name="Support", body="again", secret=None)
        elif subject == "empty":
            await self.reply_to_email(email, from_name="Support", body="unsigned", secret="")
        elif subject != "keep":
            await self.reply_to_email(email, from_name="Support", body="thanks")

    async def kept(self):
        return await self.ctx.storage.get("kept")


class Default(WorkerEntrypoint):
    """Signed replies first, then by address; who writes to "nobody@" is nobody's, "lost@" is for an unknown agent."""

    async def email(self, message, env, ctx):
        secure = create_secure_reply_email_resolver(SECRET, on_invalid_signature=self.invalid)
        by_address = create_address_based_email_resolver("Support")

        async def resolve(message, env):
            if message.to.startswith("nobody@"):
                return None
            if message.to.startswith("lost@"):
                return EmailRoute(agent_name="Lost", agent_id="1")
            return await secure(message, env) or await by_address(message, env)

        await route_agent_email(message, self.env, resolver=resolve)

    def invalid(self, message, why):
        if why != "missing_headers":
            print("invalid:", why)


def world() -> Simulation:
    return Simulation(Default, durable_objects={"Support": Support}, network=None, show_output=False)


def sent(sim: Simulation, to: str, subject: str = "keep", **options: Any) -> Any:
    """What became of an e-mail."""
    return sim.run(sim.client().email(to, subject=subject, text="Hello", from_="ann@people.example", **options))


def kept(sim: Simulation, name: str) -> list[Any]:
    return [list(one) for one in sim.run(sim.env.Support.getByName(name).kept())]


def test_an_address_names_an_agent() -> None:
    """`support+ann@` is the binding's agent ann, in any spelling of the binding; without a + it is the default's."""
    sim = world()
    sent(sim, "support+ann@app.example")
    sent(sim, "Support+bob@app.example")
    sent(sim, "cem@app.example")
    row = ["ann@people.example", "support+ann@app.example", "keep", True, True]

    assert [["ann", *row]] == kept(sim, "ann")
    assert [["Support+bob@app.example"], ["cem@app.example"]] == [[kept(sim, name)[0][2]] for name in ("bob", "cem")]


def test_an_agent_answers() -> None:
    """The reply goes to the sender, from the address that was written to, and names what it answers and the agent."""
    became = sent(world(), "support+ann@app.example", "help")
    (reply,) = became.replies

    assert ("support+ann@app.example", "ann@people.example") == (reply.sender, reply.recipient)
    for line in (
        "From: Support <support+ann@app.example>",
        "To: ann@people.example",
        "Subject: Re: help",
        "In-Reply-To: <1@people.example>",
        "Message-ID: <ann@people.example>",
        "X-Agent-Name: support",
        "X-Agent-ID: ann",
        "thanks",
    ):
        assert line in reply.text


def test_an_agent_rejects_and_forwards() -> None:
    """The sender's server is told the reason; the other gets it."""
    sim = world()

    assert "no such ticket" == sent(sim, "support+ann@app.example", "reject").rejected
    assert ["boss@app.example"] == sent(sim, "support+ann@app.example", "forward").forwarded


def test_what_fails_is_the_senders_to_try_again() -> None:
    """The error of `on_email`, after `on_error`, is the handler's; so are an empty secret and a second reply."""
    sim = world()

    assert "no e-mail today" in str(sent(sim, "support+ann@app.example", "fail").error)
    assert "Error on server: ValueError: no e-mail today" in logged(sim)
    assert "secret is required for signing" in str(sent(sim, "support+ann@app.example", "empty").error)
    assert "already been replied to" in str(sent(sim, "support+ann@app.example", "twice").error)


def test_a_reply_to_a_signed_reply_comes_back_to_the_agent() -> None:
    """By its headers, whatever the address; the agent has to sign its answer or say that it will not."""
    sim = world()
    (reply,) = sent(sim, "support+ann@app.example", "sign").replies
    lines = [line.split(": ", 1) for line in reply.text.splitlines() if line.startswith("X-Agent")]
    headers = dict(lines)

    became = sent(sim, "inbox@app.example", "again", headers=headers)
    assert "routed via create_secure_reply_email_resolver. You must pass a secret" in str(became.error)
    assert 2 == len(kept(sim, "ann"))
    assert 1 == len(sent(sim, "inbox@app.example", "sign", headers=headers).replies)

    forged = headers | {"X-Agent-ID": "bob"}
    sent(sim, "inbox@app.example", headers=forged)
    assert "invalid: invalid" in logged(sim)
    assert ["inbox"] == [one[0] for one in kept(sim, "inbox")]


def test_a_signature_expires() -> None:
    """After 30 days."""
    sim = world()
    (reply,) = sent(sim, "support+ann@app.example", "sign").replies
    headers = dict(line.split(": ", 1) for line in reply.text.splitlines() if line.startswith("X-Agent"))
    sim.run(for_="31d")
    sent(sim, "inbox@app.example", headers=headers)

    assert "invalid: expired" in logged(sim)


def test_an_email_without_a_route() -> None:
    """It is dropped with a warning; an unknown agent is an error that lists those that there are."""
    sim = world()

    assert sent(sim, "nobody@app.example").error is None
    assert "No routing information found for email, dropping message" in logged(sim)
    assert "Agent namespace 'Lost' not found in environment. Available agents: Support" in str(
        sent(sim, "lost@app.example").error
    )


class Catching(WorkerEntrypoint):
    """Everything for one agent; without one, the hook."""

    async def email(self, message, env, ctx):
        async def nobody(message, env):
            return None

        def on_no_route(message):
            message.setReject("unknown address")

        catch = create_catch_all_email_resolver("support", "desk")
        resolver = nobody if "nobody" in message.to else catch
        await route_agent_email(message, self.env, resolver=resolver, on_no_route=on_no_route)


def test_a_catch_all_and_the_hook_without_a_route() -> None:
    """Whatever the address; and a rejection of what nobody wants."""
    sim = Simulation(Catching, durable_objects={"Support": Support}, network=None, show_output=False)
    sent(sim, "anything@app.example")

    assert ["desk"] == [one[0] for one in kept(sim, "desk")]
    assert "unknown address" == sent(sim, "nobody@app.example").rejected


class Silent(Agent):
    """Has no `on_email`."""


def test_without_on_email_it_is_said_how_to_write_one() -> None:
    """The default hook logs."""
    sim = Simulation(Default, durable_objects={"Support": Silent}, network=None, show_output=False)
    sent(sim, "support+ann@app.example")

    assert any("Implement on_email" in line for line in logged(sim))


class NoHandler(WorkerEntrypoint):
    async def fetch(self, request):
        """No e-mail here."""


def test_an_email_wants_a_handler_and_an_address() -> None:
    """Refused where it is sent, with the handler to write."""
    sim = Simulation(NoHandler, durable_objects={"Support": Support}, network=None)
    with pytest.raises(ValueError, match=r"NoHandler, which has no email handler.*async def email"):
        sim.client().email("a@b.example")
    with pytest.raises(ValueError, match="'nowhere' is no e-mail address"):
        world().client().email("nowhere")
    with pytest.raises(ValueError, match="'@b' is no e-mail address"):
        world().client().email("a@b", from_="@b")


def test_an_email_is_told_as_a_request_is() -> None:
    """It has a latency, a story and a price, and a client has an address of its own."""
    sim = Simulation(Default, durable_objects={"Support": Support}, show_output=False)
    call = sim.client("Tokyo").email("support+ann@app.example", subject="keep", text="Hi")
    sim.run(call)

    assert call.latency_us is not None and call.latency_us > 0
    assert "EMAIL mailto:support+ann@app.example" in repr(call)
    assert "tokyo@example.net" == kept(sim, "ann")[0][1]
    assert str(sim.explain(call))
    assert sim.bill() is not None


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("", "a", "b"), "secret is required"),
        (("s", "", "b"), "agent_name is required"),
        (("s", "a", ""), "agent_id is required"),
        (("s", "a:b", "c"), "agent_name cannot contain colons"),
        (("s", "a", "b:c"), "agent_id cannot contain colons"),
    ],
)
def test_what_cannot_be_signed(args: tuple[str, str, str], why: str) -> None:
    """A colon would let one signature stand for another name."""
    with pytest.raises(ValueError, match=why):
        sign_agent_headers(*args)


def test_resolvers_that_cannot_be() -> None:
    """The insecure one is gone; the others want their argument."""
    with pytest.raises(NotImplementedError, match="security vulnerability"):
        create_header_based_email_resolver()
    with pytest.raises(ValueError, match="secret is required"):
        create_secure_reply_email_resolver("")
    with pytest.raises(TypeError, match="default_agent_name=''"):
        create_address_based_email_resolver("")


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ({"Subject": "hi"}, False),
        ({"Auto-Submitted": "auto-replied"}, True),
        ({"auto-submitted": "no"}, False),
        ({"X-Auto-Response-Suppress": "All"}, True),
        ({"Precedence": "Bulk"}, True),
        ({"precedence": "first-class"}, False),
    ],
)
def test_what_a_machine_has_answered(headers: dict[str, str], automatic: bool) -> None:
    """By the three headers that the npm package looks at."""
    assert automatic == is_auto_reply_email(headers)
