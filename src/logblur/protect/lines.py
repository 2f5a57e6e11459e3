"""What a single line may say of each field: the door through which lines leave, as `door` is for rows.

Everything that a policy does to a field it does here too; docs/filter.md says how each method prints. How a text is
written so that a parser reads it again is not decided here (`filtering.printing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.errors import PolicyError
from logblur.policy.plan import Plan
from logblur.protect.addresses import (
    ADDRESS,
    ENCRYPTED,
    TWEAK_ND,
    TWEAK_NDX,
    Addresses,
    addresses_of,
    column_of,
    pseudonym,
    truncated,
)
from logblur.protect.detect import without_addresses
from logblur.protect.door import METHODS
from logblur.protect.hosts import sites
from logblur.protect.pages import written
from logblur.protect.paths import Templates
from logblur.protect.pseudonyms import pseudonyms
from logblur.protect.referrers import origins, pages
from logblur.schema import NONE

if TYPE_CHECKING:
    from logblur.classify import Agent, Memory

Said = Callable[[Sequence[str | None]], list[str | None]]
"""Distinct texts of a column -> what a line may say instead, None for nothing."""

UNUSUAL_METHOD: Final = "UNUSUAL"
"""Stands for a method that no standard names: its text is the client's."""

ADDRESS_METHODS: Final = frozenset({"drop", "keep", "truncate", "pseudonym", *ENCRYPTED})


class Speakers:
    """What each column of a line becomes under a Plan.

    Args:
        columns: Those of the format.
        plan: What becomes of each.
        memory: What is known of user agents and hosts.
        templates: Those made before.

    Raises:
        PolicyError: A method that cannot be printed in a line.

    Privacy:
        A column that the policy does not name is dropped. `of` tells what may be said of distinct texts; ``None``
        stands for a column that is dropped, ``keep`` for bytes that stay as they are.
    """

    def __init__(self, columns: Collection[str], plan: Plan, memory: Memory, templates: Templates) -> None:
        self._plan, self._memory, self._templates = plan, memory, templates
        if plan.signals is not None:
            raise PolicyError("lines cannot go through stricter rules yet (logblur filter)", path="signals")
        for name in sorted(set(columns) - {"referer_host"}):
            self._check(name)

    def method(self, name: str) -> str:
        """Return the method of a column."""
        return self._plan.methods.get(name, "drop")

    def _check(self, name: str) -> None:
        method = self.method(name)
        known = {
            "time": {"keep", "second", "minute", "hour", "day"},
            "remote_addr": ADDRESS_METHODS,
            self._plan.client.field: ADDRESS_METHODS | {"drop"},
            "status": {"drop", "keep", "class"},
            "path": {"drop", "template"},
            "referer": {"drop", "domain", "origin", "path"},
            "host": {"drop", "keep"},
            "method": {"drop", "keep"},
            "bytes_sent": {"drop", "keep", "bucket"},
            "bytes_received": {"drop", "keep", "bucket"},
            "duration": {"drop", "keep", "bucket"},
            "user_agent": {"drop", "family"},
        }.get(name, {"drop", "keep", "pseudonym"})
        if method not in known:
            what = (
                "cannot be left out of a line: choose day, or finer" if name == "time" else f"cannot print {method!r}"
            )
            raise PolicyError(f"{what} (logblur filter)", path=f"fields.{name}")

    def of(self, name: str) -> Said | str | None:
        """Return what is said of a text column: a function, ``keep``, or None where it is dropped."""
        method = self.method(name)
        if method == "drop":
            return None
        match name:
            case "path":
                return self._paths
            case "host":
                return lambda texts: _or_none(sites(pa.array(texts, pa.large_string())).to_pylist())
            case "method":
                return lambda texts: [t if t is None or t in METHODS else UNUSUAL_METHOD for t in texts]
            case "referer":
                return self._domains if method == "domain" else self._referrers
            case "user_agent":
                return self._agents
            case "status" | "bytes_sent" | "bytes_received" | "duration":
                return "keep"
            case _ if method == "keep":
                return _without_addresses
            case _:
                raise ValueError("what belongs to rows is not said of texts")

    def _paths(self, texts: Sequence[str | None]) -> list[str | None]:
        made = self._templates.of(pa.array(texts, pa.large_string()), self._plan.identifiers)
        return _or_none(written(made, self._plan.pages).to_pylist())

    def _referrers(self, texts: Sequence[str | None]) -> list[str | None]:
        values = pa.array(texts, pa.large_string())
        if self.method("referer") == "origin":
            return _or_none(origins(values).to_pylist())
        return _or_none(pages(values, self._templates, self._plan.identifiers).to_pylist())

    def _domains(self, hosts: Sequence[str | None]) -> list[str | None]:
        codes, rows = self._memory.hosts.look(hosts)
        return [None if (domain := rows[code][0]) == NONE else f"https://{domain}/" for code in codes.tolist()]

    def _agents(self, texts: Sequence[str | None]) -> list[str | None]:
        codes, rows = self._memory.agents.look(texts)
        said = {code: _agent(cast("Agent", rows[code])) for code in set(codes.tolist())}
        return [None if text is None else said[code] for text, code in zip(texts, codes.tolist(), strict=True)]


def _without_addresses(texts: Sequence[str | None]) -> list[str | None]:
    """Return texts that are kept: no address stays in them, in any spelling."""
    made = without_addresses(pa.array(texts, pa.large_string())).to_pylist()
    return [said if text else None for said, text in zip(made, texts, strict=True)]


def _or_none(texts: Sequence[str]) -> list[str | None]:
    return [None if text == NONE else text for text in texts]


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


def rounded(time: datetime, method: str) -> datetime:
    """Return the start of the second, minute, hour or day of a local time."""
    unit = ("second", "minute", "hour", "day").index(method)
    return time.replace(
        hour=time.hour if unit < 3 else 0,
        minute=time.minute if unit < 2 else 0,
        second=time.second if unit < 1 else 0,
        microsecond=0,
    )


def protected_addresses(
    found: Addresses, plan: Plan, days: npt.NDArray[np.int32], keys: Sequence[bytes]
) -> Addresses | pa.Array:
    """Return each client's address as the Plan lets it out, by row.

    Args:
        found: The clients.
        plan: What becomes of ``remote_addr``.
        days: By row, into ``keys``.
        keys: The key of ``remote_addr`` on each day; an operator's is the same on all of them.

    Returns:
        Addresses, or where the method makes longer or other values of them, ``fixed_size_binary``, null for none: 16
        bytes of a pseudonym, 24 of ipcrypt-nd and 32 of ipcrypt-ndx (tweak, then ciphertext).
    """
    match plan.methods.get("remote_addr", "drop"):
        case "keep":
            return found
        case "truncate":
            return truncated(found, ipv4_prefix=plan.ipv4_prefix, ipv6_prefix=plan.ipv6_prefix)
        case "pseudonym":
            column = column_of(found)
            made = pa.nulls(len(days), pa.binary(ADDRESS))
            for number, key in enumerate(keys):
                of_day = pseudonym(column, key, field="remote_addr")
                made = of_day if len(keys) == 1 else pc.if_else(pa.array(days == number), of_day, made)
            return made
        case "ipcrypt-deterministic" | "ipcrypt-pfx" | "cryptopan" as method:
            return addresses_of(ENCRYPTED[method](column_of(found), keys[0])) if keys else found
        case "ipcrypt-nd" | "ipcrypt-ndx" as method:
            width = ADDRESS + (TWEAK_ND if method == "ipcrypt-nd" else TWEAK_NDX)
            return ENCRYPTED[method](column_of(found), keys[0]) if keys else pa.nulls(0, pa.binary(width))
        case method:
            raise ValueError(f"no line says {method}")


def protected_text(
    texts: Sequence[str | None],
    codes: npt.NDArray[np.int32],
    days: npt.NDArray[np.int32],
    keys: Sequence[bytes],
    *,
    field: str,
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return each row's pseudonym of a text, as codes into what is printed; ``-`` for nothing."""
    values = [None if text is None else text.encode() for text in texts]
    numbers, made = pseudonyms(values, codes, days, keys, field=field)
    return numbers, ["-" if text == NONE else text for text in made.to_pylist()]
