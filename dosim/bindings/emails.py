"""E-mail: what a Worker's `email` handler is given, and what it decides about it.

Source: developers.cloudflare.com/email-routing/email-workers/runtime-api and reply-email-workers. The texts of the
refusals are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dosim.web.body import JsReadableStream
from dosim.web.errors import JsException
from dosim.web.headers import JsHeaders
from dosim.web.interface import JsInterface, argument_text

SMTP_ACCEPTED = 250
SMTP_REJECTED = 550


class EmailMessage(JsInterface):
    """`EmailMessage` of "cloudflare:email": a message to send, whole, as text or a stream."""

    js_name = "EmailMessage"

    def __init__(self, sender: str, recipient: str, raw: bytes) -> None:
        self.from_ = sender
        self.to = recipient
        self.data = raw

    @classmethod
    def new(cls, sender: object, recipient: object, raw: object) -> EmailMessage:
        """`EmailMessage.new(from, to, raw)`."""
        data = raw.take() if isinstance(raw, JsReadableStream) else argument_text(raw).encode()
        return cls(argument_text(sender), argument_text(recipient), data)


@dataclass(frozen=True)
class Reply:
    """A message that the Worker sent back to the sender."""

    sender: str
    recipient: str
    text: str


@dataclass
class SentEmail:
    """What became of an e-mail: the reason of a rejection, where it was forwarded, what was answered.

    `error` is what the handler raised, if it did: the sender's server would try again later.
    """

    rejected: str | None = None
    forwarded: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    error: Exception | None = None


class ForwardableEmailMessage(JsInterface):
    """The message: `from` (in Python `getattr(message, "from")` or `message.from_`), `to`, `headers`, `raw`, `rawSize`.

    `setReject(reason)`, `forward(to)` and `reply(EmailMessage)` decide about it.
    """

    js_name = "ForwardableEmailMessage"

    def __init__(self, sender: str, recipient: str, headers: list[tuple[str, str]], raw: bytes) -> None:
        self.from_ = sender
        setattr(self, "from", sender)
        self.to = recipient
        self.headers = JsHeaders.new([list(pair) for pair in headers])
        self.raw = JsReadableStream(raw)
        self.rawSize = len(raw)
        #: For the sender; JavaScript has no such property.
        self.became = SentEmail()

    def setReject(self, reason: object = None) -> None:
        """Reject it: the sender's server is told the reason."""
        self.became.rejected = argument_text(reason)

    async def forward(self, recipient: object = None, headers: Any = None) -> None:
        """Send it on to an address of the account's. Raises Error when it is no address."""
        text = argument_text(recipient)
        if "@" not in text:
            raise JsException(f"destination address is not valid: {text}")
        self.became.forwarded.append(text)

    async def reply(self, message: Any = None) -> None:
        """Answer, once, to the sender, from the domain that it came to. Raises Error otherwise (documented rules)."""
        if not isinstance(message, EmailMessage):
            raise JsException("reply() takes an EmailMessage of cloudflare:email", "TypeError")
        if self.became.replies:
            raise JsException("email has already been replied to")
        if message.to != self.from_:
            raise JsException(f"the reply goes to {message.to}, and the e-mail came from {self.from_}")
        if message.from_.rpartition("@")[2] != self.to.rpartition("@")[2]:
            raise JsException(f"the reply comes from {message.from_}, and the e-mail went to {self.to}")
        self.became.replies.append(Reply(message.from_, message.to, message.data.decode("utf-8", "replace")))


def written(
    sender: str, recipient: str, subject: str, text: str, headers: dict[str, str], date: Any, number: int
) -> ForwardableEmailMessage:
    """An e-mail with a subject and a text, as it arrives. `number` makes its Message-ID."""
    from email.message import EmailMessage as MimeMessage
    from email.utils import format_datetime

    mime = MimeMessage()
    own = {"From": sender, "To": recipient, "Subject": subject, "Date": format_datetime(date)}
    domain = sender.rpartition("@")[2]
    for name, value in {**own, "Message-ID": f"<{number}@{domain}>", **headers}.items():
        del mime[name]
        mime[name] = value
    mime.set_content(text)
    pairs = [(name, str(value)) for name, value in mime.items()]
    return ForwardableEmailMessage(sender, recipient, pairs, mime.as_bytes())
