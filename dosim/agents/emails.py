"""E-mail for agents: which agent an address means, what the agent gets, and how it answers.

An answer can carry headers that name the agent, signed with a secret, so that a reply to it finds its way back.
Source: npm agents 0.32.0, `email.js` and `src` (routeAgentEmail, replyToEmail).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from dosim.agents.calling import call
from dosim.agents.encoding import kebab_case
from dosim.agents.routing import get_agent_by_name, namespaces
from dosim.workers import import_from_javascript
from dosim.workers.js import Date, console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

#: A signature is good for 30 days, unless told.
DEFAULT_MAX_AGE_SECONDS = 30 * 24 * 60 * 60
_CLOCK_SKEW_SECONDS = 300
_ADDRESS = re.compile(r"([^+@]{1,64})(?:\+([^@]{1,64}))?@(.{1,253})")


@dataclass(frozen=True)
class AgentEmail:
    """An e-mail as an agent gets it; header names are in lower case."""

    from_: str
    to: str
    headers: dict[str, str]
    raw_size: int
    secure_routed: bool
    _get_raw: Callable[..., Any]
    _set_reject: Callable[..., Any]
    _forward: Callable[..., Any]
    _reply: Callable[..., Any]

    async def get_raw(self) -> bytes:
        """The message as it came, headers and all."""
        return bytes(await self._get_raw())

    async def set_reject(self, reason: str) -> None:
        """Refuse it: the sender gets an error with this reason."""
        await self._set_reject(reason)

    async def forward(self, rcpt_to: str) -> None:
        """Send it on to another address."""
        await self._forward(rcpt_to)

    async def reply(self, *, from_: str, to: str, raw: str) -> None:
        """Answer with a whole message, as text; `reply_to_email` of the agent writes one."""
        await self._reply(from_, to, raw)


def received(wire: dict[str, Any], get_raw: Any, set_reject: Any, forward: Any, reply: Any) -> AgentEmail:
    """The e-mail that `route_agent_email` has sent over RPC."""
    return AgentEmail(
        from_=wire["from"],
        to=wire["to"],
        headers=dict(wire["headers"]),
        raw_size=wire["rawSize"],
        secure_routed=wire["secureRouted"],
        _get_raw=get_raw,
        _set_reject=set_reject,
        _forward=forward,
        _reply=reply,
    )


@dataclass(frozen=True, kw_only=True)
class EmailRoute:
    """Which agent an e-mail is for: the binding (in any spelling) and the name."""

    agent_name: str
    agent_id: str
    secure_routed: bool = False


# -- routing


async def route_agent_email(
    message: Any, env: Any, *, resolver: Callable[..., Any], on_no_route: Callable[..., Any] | None = None
) -> None:
    """Bring an e-mail, as a Worker's `email` handler gets it, to the agent that the resolver names.

    on_no_route: gets the message when the resolver names none; without it a warning is logged and the message dropped.
    Raises LookupError for an agent that `env` does not bind.
    """
    route = await call(resolver, message, env)
    if route is None:
        if on_no_route is not None:
            await call(on_no_route, message)
        else:
            console.warn("No routing information found for email, dropping message")
        return
    bound = namespaces(env)
    spelled = dict(bound)
    for name, namespace in bound.items():
        spelled |= {kebab_case(name): namespace, name.lower(): namespace}
    if route.agent_name not in spelled:
        raise LookupError(
            f"Agent namespace '{route.agent_name}' not found in environment. Available agents: {', '.join(bound)}"
        )
    agent = await get_agent_by_name(spelled[route.agent_name], route.agent_id)
    wire = {
        "from": getattr(message, "from"),
        "to": message.to,
        "headers": [[str(name).lower(), str(value)] for name, value in message.headers],
        "rawSize": message.rawSize,
        "secureRouted": route.secure_routed,
    }

    async def get_raw() -> bytes:
        return await _read(message.raw)

    def set_reject(reason: str) -> None:
        message.setReject(reason)

    async def forward(rcpt_to: str) -> None:
        await message.forward(rcpt_to)

    async def reply(from_: str, to: str, raw: str) -> None:
        await message.reply(import_from_javascript("cloudflare:email").EmailMessage.new(from_, to, raw))

    await agent._cf_on_email(wire, get_raw, set_reject, forward, reply)


async def _read(stream: Any) -> bytes:
    """All of a stream of JavaScript."""
    reader, parts = stream.getReader(), list[bytes]()
    while True:
        chunk = await reader.read()
        if chunk.done:
            return b"".join(parts)
        parts.append(chunk.value.to_bytes())


# -- resolvers: which agent is it for?


def create_address_based_email_resolver(default_agent_name: str) -> Callable[..., Any]:
    """`support+ann@example.com` is for the agent `support`, instance `ann`; without a +, for the default one."""
    if not isinstance(default_agent_name, str) or not default_agent_name:
        raise TypeError(f"default_agent_name={default_agent_name!r}: give the name of an agent's binding.")

    async def resolve(message: Any, env: Any) -> EmailRoute | None:
        match = _ADDRESS.fullmatch(message.to)
        if match is None:
            return None
        local, sub, _ = match.groups()
        if sub:
            return EmailRoute(agent_name=local, agent_id=sub)
        return EmailRoute(agent_name=default_agent_name, agent_id=local)

    return resolve


def create_catch_all_email_resolver(agent_name: str, agent_id: str) -> Callable[..., Any]:
    """Every e-mail is for one agent."""

    async def resolve(message: Any, env: Any) -> EmailRoute:
        return EmailRoute(agent_name=agent_name, agent_id=agent_id)

    return resolve


def create_secure_reply_email_resolver(
    secret: str,
    *,
    max_age: float = DEFAULT_MAX_AGE_SECONDS,
    on_invalid_signature: Callable[[Any, str], Any] | None = None,
) -> Callable[..., Any]:
    """A reply to what an agent has sent, if its signed headers are right, is for that agent.

    on_invalid_signature: gets the message and why: "missing_headers", "malformed_timestamp", "expired", "invalid".
    """
    if not secret:
        raise ValueError("secret is required for create_secure_reply_email_resolver.")

    async def resolve(message: Any, env: Any) -> EmailRoute | None:
        name, agent_id, signature, timestamp = (
            message.headers.get(header) or ""
            for header in ("x-agent-name", "x-agent-id", "x-agent-sig", "x-agent-sig-ts")
        )
        wrong = (
            _wrong_signature(secret, name, agent_id, signature, timestamp, max_age)
            if name and agent_id and signature and timestamp
            else "missing_headers"
        )
        if wrong is None:
            return EmailRoute(agent_name=name, agent_id=agent_id, secure_routed=True)
        if on_invalid_signature is not None:
            await call(on_invalid_signature, message, wrong)
        return None

    return resolve


def create_header_based_email_resolver(*_: object) -> None:
    """Removed: it trusted headers that anybody can write."""
    raise NotImplementedError(
        "create_header_based_email_resolver has been removed due to a security vulnerability: it trusted headers that a"
        " sender controls. Use create_address_based_email_resolver(agent_name) for inbound mail, and"
        " create_secure_reply_email_resolver(secret) for replies."
    )


# -- signatures


def sign_agent_headers(secret: str, agent_name: str, agent_id: str) -> dict[str, str]:
    """Headers that bring a reply back to an agent. Raises ValueError for an empty part, or a colon in one."""
    for what, value in (("secret", secret), ("agent_name", agent_name), ("agent_id", agent_id)):
        if not value:
            raise ValueError(f"{what} is required for signing agent headers.")
    for what, value in (("agent_name", agent_name), ("agent_id", agent_id)):
        if ":" in value:
            raise ValueError(f"{what} cannot contain colons: {value!r}.")
    timestamp = str(Date.now() // 1000)
    return {
        "X-Agent-Name": agent_name,
        "X-Agent-ID": agent_id,
        "X-Agent-Sig": _signature(secret, agent_name, agent_id, timestamp),
        "X-Agent-Sig-Ts": timestamp,
    }


def _signature(secret: str, agent_name: str, agent_id: str, timestamp: str) -> str:
    signed = hmac.new(secret.encode(), f"{agent_name}:{agent_id}:{timestamp}".encode(), hashlib.sha256)
    return base64.b64encode(signed.digest()).decode()


def _wrong_signature(
    secret: str, name: str, agent_id: str, signature: str, timestamp: str, max_age: float
) -> str | None:
    """What is wrong with a signature; None: nothing."""
    if re.match(r"\s*[+-]?\d", timestamp) is None:
        return "malformed_timestamp"
    age_s = Date.now() // 1000 - int(re.match(r"\s*([+-]?\d+)", timestamp)[1])  # type: ignore[index]
    if age_s < -_CLOCK_SKEW_SECONDS:
        return "invalid"
    if age_s > max_age:
        return "expired"
    right = _signature(secret, name, agent_id, timestamp)
    return None if hmac.compare_digest(right.encode(), signature.encode()) else "invalid"


def is_auto_reply_email(headers: dict[str, str]) -> bool:
    """Whether headers say that a machine answered, which must not be answered."""
    lower = {name.lower(): value.lower() for name, value in headers.items()}
    return (
        lower.get("auto-submitted", "no") != "no"
        or "x-auto-response-suppress" in lower
        or lower.get("precedence") in ("bulk", "junk", "list")
    )


# -- answering


async def reply_to(
    agent: Agent[Any],
    email: AgentEmail,
    from_name: str,
    body: str,
    subject: str | None,
    content_type: str,
    headers: dict[str, str],
    secret: str | EllipsisType | None,
) -> None:
    """Write a reply and send it."""
    from email.message import EmailMessage as MimeMessage
    from email.utils import formataddr

    if email.secure_routed and secret is ...:
        raise ValueError(
            "This email was routed via create_secure_reply_email_resolver. You must pass a secret to reply_to_email()"
            " to sign replies, or pass explicit None to opt-out (not recommended)."
        )
    name, agent_id = kebab_case(type(agent).__name__), agent.name
    asked = email.headers.get("subject")
    mime = MimeMessage()
    mime["From"] = formataddr((from_name, email.to))
    mime["To"] = email.from_
    mime["Subject"] = subject or (f"Re: {asked}" if asked else "No subject")
    if "message-id" in email.headers:
        mime["In-Reply-To"] = email.headers["message-id"]
    mime["Message-ID"] = f"<{agent_id}@{email.from_.partition('@')[2]}>"
    plain = {"X-Agent-Name": name, "X-Agent-ID": agent_id}
    signed = sign_agent_headers(secret, name, agent_id) if isinstance(secret, str) else plain
    for header, value in {**signed, **headers}.items():
        mime[header] = value
    kind, _, subtype = content_type.partition("/")
    if kind != "text" or not subtype:
        raise ValueError(f"content_type={content_type!r}: a reply is text, such as 'text/plain' or 'text/html'.")
    mime.set_content(body, subtype=subtype)
    await email.reply(from_=email.to, to=email.from_, raw=mime.as_string())
    agent._cf_emit("email:reply", **{"from": email.to, "to": email.from_, "subject": mime["Subject"]})
