"""`agents`: Cloudflare's Agents SDK in Python, over one Durable Object each.

    from agents import Agent, callable

    class Counter(Agent):
        initial_state = {"count": 0}

        @callable
        async def increment(self):
            self.set_state({"count": self.state["count"] + 1})

It uses only what user code can use, so it would run on the platform too. Names are those of the Python port
`cf-agents`, semantics those of the npm package `agents` 0.32.0. Not here: sub-agents, tasks, managed fibers, workflows,
MCP, chat.
"""

from __future__ import annotations

from dosim.agents.agent import Agent
from dosim.agents.callables import CallableMetadata, StreamingResponse, callable  # noqa: A004  # the SDK's name
from dosim.agents.connections import Connection, ConnectionContext
from dosim.agents.current import CurrentAgent, get_current_agent
from dosim.agents.emails import (
    AgentEmail,
    EmailRoute,
    create_address_based_email_resolver,
    create_catch_all_email_resolver,
    create_header_based_email_resolver,
    create_secure_reply_email_resolver,
    is_auto_reply_email,
    route_agent_email,
    sign_agent_headers,
)
from dosim.agents.errors import (
    AgentsException,
    ConnectionStateTooLargeError,
    DuplicateConnectionIdError,
    InvalidCronExpressionError,
    ReadonlyConnectionError,
    SqlError,
)
from dosim.agents.options import AgentOptions
from dosim.agents.queueing import QueueItem
from dosim.agents.retrying import RetryOptions, retry
from dosim.agents.routing import AgentRoute, RoutingRetryOptions, get_agent_by_name, route_agent_request
from dosim.agents.scheduling import Schedule
from dosim.agents.staying import FiberContext, FiberRecoveryContext, KeepAlive

__all__ = [
    "Agent",
    "AgentEmail",
    "AgentOptions",
    "AgentRoute",
    "AgentsException",
    "CallableMetadata",
    "Connection",
    "ConnectionContext",
    "ConnectionStateTooLargeError",
    "CurrentAgent",
    "DuplicateConnectionIdError",
    "EmailRoute",
    "FiberContext",
    "FiberRecoveryContext",
    "InvalidCronExpressionError",
    "KeepAlive",
    "QueueItem",
    "ReadonlyConnectionError",
    "RetryOptions",
    "RoutingRetryOptions",
    "Schedule",
    "SqlError",
    "StreamingResponse",
    "callable",
    "create_address_based_email_resolver",
    "create_catch_all_email_resolver",
    "create_header_based_email_resolver",
    "create_secure_reply_email_resolver",
    "get_agent_by_name",
    "get_current_agent",
    "is_auto_reply_email",
    "retry",
    "route_agent_email",
    "route_agent_request",
    "sign_agent_headers",
]
