"""What a line may say of texts: all that a policy says of words, which one that keeps none of them never loads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from logblur.policy.plan import Plan
from logblur.protect.door import METHODS
from logblur.protect.hosts import sites
from logblur.protect.pages import written
from logblur.protect.paths import Templates
from logblur.protect.queries import kept_parameters
from logblur.protect.referrers import origins, pages
from logblur.protect.within import swept_of_addresses
from logblur.schema import NONE

if TYPE_CHECKING:
    from logblur.classify import Agent, Memory
    from logblur.protect.lines import Said
    from logblur.protect.named import Secrets

UNUSUAL_METHOD: Final = "UNUSUAL"
"""Stands for a method that no standard names: its text is the client's."""


class Sayings:
    """What is said of distinct texts, and what is known of those before; threads may share it.

    Args:
        memory: What is known of user agents and hosts.
        secrets: The operator's keys, by name.
    """

    def __init__(self, memory: Memory, secrets: Secrets) -> None:
        self._memory, self._secrets = memory, secrets
        self._templates = Templates()

    def of(self, name: str, plan: Plan) -> Said:
        """Return what makes the words for the texts of a column, of which the plan keeps something."""
        match name:
            case "query":
                return partial(_queries, plan=plan)
            case "path":
                return partial(self._paths, plan=plan)
            case "host":
                return lambda texts: _or_null(sites(texts))
            case "method":
                return _methods
            case "referer" if plan.methods["referer"] == "domain":
                return self._domains
            case "referer" if plan.methods["referer"] == "origin":
                return lambda texts: _or_null(origins(texts))
            case "referer":
                return partial(self._pages, plan=plan)
            case "user_agent":
                return self._agents
            case _ if plan.methods[name] == "keep":
                return partial(self._kept, plan=plan)
            case _:
                raise ValueError("what belongs to rows is not said of texts")

    def _kept(self, texts: pa.Array, plan: Plan) -> pa.Array:
        made = swept_of_addresses(texts, plan, self._secrets)
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, made.type), made)

    def _paths(self, texts: pa.Array, plan: Plan) -> pa.Array:
        return _or_null(written(self._templates.of(texts, plan.identifiers), plan.pages))

    def _pages(self, texts: pa.Array, plan: Plan) -> pa.Array:
        return _or_null(pages(texts, self._templates, plan.identifiers))

    def _domains(self, hosts: pa.Array) -> pa.Array:
        codes, rows = self._memory.hosts.look(hosts.to_pylist())
        known = {code: None if rows[code][0] == NONE else f"https://{rows[code][0]}/" for code in set(codes.tolist())}
        return pa.array([known[code] for code in codes.tolist()], pa.string())

    def _agents(self, texts: pa.Array) -> pa.Array:
        codes, rows = self._memory.agents.look(texts.to_pylist())
        known = {code: _agent(cast("Agent", rows[code])) for code in set(codes.tolist())}
        made = pa.array([known[code] for code in codes.tolist()], pa.string())
        return pc.if_else(texts.is_valid(), made, pa.scalar(None, pa.string()))


def _queries(texts: pa.Array, plan: Plan) -> pa.Array:
    made = kept_parameters(texts, plan.query, plan.identifiers)
    return pc.if_else(pc.equal(made, ""), pa.scalar(None, made.type), made)


def _methods(texts: pa.Array) -> pa.Array:
    return pa.array([t if t is None or t in METHODS else UNUSUAL_METHOD for t in texts.to_pylist()], pa.string())


def _or_null(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, NONE), pa.scalar(None, texts.type), texts)


def _agent(agent: Agent) -> str | None:
    """Return names and major versions, such as ``Firefox/140 (Windows/10; desktop)`` or ``Googlebot (bot; search)``."""
    if agent.agent == "bot":
        return f"{'bot' if agent.bot == NONE else agent.bot} (bot; {agent.bot_class})"
    browser, system = (
        name if NONE in {name, major} else f"{name}/{major}"
        for name, major in ((agent.browser, agent.browser_major), (agent.os, agent.os_major))
    )
    said = "; ".join(text for text in (system, agent.device) if text != NONE)
    return f"{'-' if browser == NONE else browser} ({said})" if said else None if browser == NONE else browser
