"""What a single line may say of each field: the door through which lines leave, as `door` is for rows.

Everything that a policy does to a field it does here too; docs/filter.md says how each method prints. How a text is
written so that a parser reads it again is not decided here (`filtering.printing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from logblur.errors import PolicyError
from logblur.policy.plan import Plan
from logblur.protect.addresses import ENCRYPTED, Addresses, addresses_of, column_of, pseudonym, truncated
from logblur.protect.door import METHODS
from logblur.protect.hosts import sites
from logblur.protect.named import Secrets
from logblur.protect.pages import written
from logblur.protect.paths import Templates
from logblur.protect.pseudonyms import field_mac
from logblur.protect.queries import kept_parameters
from logblur.protect.referrers import origins, pages
from logblur.protect.within import swept_of_addresses
from logblur.schema import NONE

if TYPE_CHECKING:
    from logblur.classify import Agent, Memory

Said = Callable[[pa.Array], pa.Array]
"""Distinct texts of a column (large_string) -> what a line may say instead (string), null for nothing."""

UNUSUAL_METHOD: Final = "UNUSUAL"
"""Stands for a method that no standard names: its text is the client's."""

ADDRESS_METHODS: Final = frozenset({"drop", "keep", "truncate", "pseudonym", *ENCRYPTED})


_UNPRINTED: Final = {
    "": "a line without a time is no line of its format: choose day, or finer",
    "country": "in the place of an address a country would be read as the name of a host: choose truncate",
    "asn": "in the place of an address a network's owner would be read as the name of a host: choose truncate",
    "terms": "a line has no field for what was searched for, and a referrer is a URL: choose domain",
}
"""Why a line cannot say what a table can, by method."""


class Speakers:
    """What each column of a line becomes under a Plan.

    Args:
        columns: Those of the format.
        plan: What becomes of each.
        memory: What is known of user agents and hosts.
        templates: Those made before.
        secrets: The operator's keys, by name.
        path: Where the policy says it, for errors.

    Raises:
        PolicyError: A method that cannot be printed in a line.

    Privacy:
        A column that the policy does not name is dropped. `of` tells what may be said of distinct texts; ``None``
        stands for a column that is dropped, ``keep`` for bytes that stay as they are.
    """

    def __init__(
        self,
        columns: Collection[str],
        plan: Plan,
        memory: Memory,
        templates: Templates,
        secrets: Secrets,
        *,
        path: str = "fields",
    ) -> None:
        self._plan, self._memory, self._templates, self._path = plan, memory, templates, path
        self._secrets = secrets
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
            what = _UNPRINTED.get(method if name != "time" else "", f"cannot print {method!r}")
            raise PolicyError(f"{what} (logblur filter)", path=f"{self._path}.{name}")

    def of(self, name: str) -> Said | str | None:
        """Return what is said of a text column: a function, ``keep``, or None where it is dropped."""
        method = self.method(name)
        if name == "query":
            return self._queries if self._plan.query else None
        if method == "drop":
            return None
        match name:
            case "path":
                return self._paths
            case "host":
                return lambda texts: _or_null(sites(texts))
            case "method":
                return _methods
            case "referer":
                return self._domains if method == "domain" else self._referrers
            case "user_agent":
                return self._agents
            case "status" | "bytes_sent" | "bytes_received" | "duration":
                return "keep"
            case _ if method == "keep":
                return self._kept
            case _:
                raise ValueError("what belongs to rows is not said of texts")

    def _kept(self, texts: pa.Array) -> pa.Array:
        made = swept_of_addresses(texts, self._plan, self._secrets)
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, made.type), made)

    def _paths(self, texts: pa.Array) -> pa.Array:
        return _or_null(written(self._templates.of(texts, self._plan.identifiers), self._plan.pages))

    def _queries(self, texts: pa.Array) -> pa.Array:
        made = kept_parameters(texts, self._plan.query, self._plan.identifiers)
        return pc.if_else(pc.equal(made, ""), pa.scalar(None, made.type), made)

    def _referrers(self, texts: pa.Array) -> pa.Array:
        if self.method("referer") == "origin":
            return _or_null(origins(texts))
        return _or_null(pages(texts, self._templates, self._plan.identifiers))

    def _domains(self, hosts: pa.Array) -> pa.Array:
        codes, rows = self._memory.hosts.look(hosts.to_pylist())
        known = {code: None if rows[code][0] == NONE else f"https://{rows[code][0]}/" for code in set(codes.tolist())}
        return pa.array([known[code] for code in codes.tolist()], pa.string())

    def _agents(self, texts: pa.Array) -> pa.Array:
        codes, rows = self._memory.agents.look(texts.to_pylist())
        known = {code: _agent(cast("Agent", rows[code])) for code in set(codes.tolist())}
        made = pa.array([known[code] for code in codes.tolist()], pa.string())
        return pc.if_else(texts.is_valid(), made, pa.scalar(None, pa.string()))


def speakers(
    columns: Collection[str], plan: Plan, memory: Memory, templates: Templates, secrets: Secrets
) -> tuple[Speakers, Speakers]:
    """Return what lines may say under a Plan, and what they may say of restricted requests.

    Raises:
        PolicyError: A method that cannot be printed in a line.
    """
    always = Speakers(columns, plan, memory, templates, secrets)
    if plan.signals is None:
        return always, always
    return always, Speakers(columns, plan.of_restricted(), memory, templates, secrets, path="signals.fields")


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


def protected_addresses(found: Addresses, plan: Plan, key: bytes) -> Addresses | pa.Array:
    """Return clients' addresses as the Plan lets them out.

    Args:
        found: The clients.
        plan: What becomes of ``remote_addr``.
        key: That of ``remote_addr``, where its method takes one.

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
            return pseudonym(column_of(found), key, field="remote_addr")
        case "ipcrypt-deterministic" | "ipcrypt-pfx" | "cryptopan" as method:
            return addresses_of(ENCRYPTED[method](column_of(found), key))
        case "ipcrypt-nd" | "ipcrypt-ndx" as method:
            return ENCRYPTED[method](column_of(found), key)
        case method:
            raise ValueError(f"no line says {method}")


def protected_texts(texts: Sequence[str | None], key: bytes, *, field: str) -> list[str | None]:
    """Return the pseudonym of each text under a key, as hex digits; None for nothing."""
    mac = field_mac(key, field=field)
    return [None if text is None else mac(text.encode())[:16].hex() for text in texts]
