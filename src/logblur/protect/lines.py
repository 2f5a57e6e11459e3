"""What a single line may say of each field: the door through which lines leave, as `door` is for rows.

Everything that a policy does to a field it does here too; docs/filter.md says how each method prints. How a text is
written so that a parser reads it again is not decided here (`filtering.printing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from logblur.errors import PolicyError
from logblur.policy.plan import Plan
from logblur.protect.addresses import ENCRYPTED, Addresses, addresses_of, column_of, pseudonym, truncated
from logblur.protect.pseudonyms import field_mac

if TYPE_CHECKING:
    from logblur.classify import Memory
    from logblur.protect.named import Secrets
    from logblur.protect.sayings import Sayings

Said = Callable[[pa.Array], pa.Array]
"""Distinct texts of a column (large_string) -> what a line may say instead (string), null for nothing."""

ADDRESS_METHODS: Final = frozenset({"drop", "keep", "truncate", "pseudonym", *ENCRYPTED})

_AS_THEY_STAND: Final = frozenset({"status", "bytes_sent", "bytes_received", "duration"})
"""Fields that hold numbers: kept, they are copied."""

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
        sayings: What is said of texts, where the Plan keeps something of any.
        path: Where the policy says it, for errors.

    Raises:
        PolicyError: A method that cannot be printed in a line.

    Privacy:
        A column that the policy does not name is dropped. `of` tells what may be said of distinct texts; ``None``
        stands for a column that is dropped, ``keep`` for bytes that stay as they are.
    """

    def __init__(self, columns: Collection[str], plan: Plan, sayings: Sayings | None, *, path: str = "fields") -> None:
        self._plan, self._sayings, self._path = plan, sayings, path
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
        if not _is_kept(name, self._plan):
            return None
        if name in _AS_THEY_STAND:
            return "keep"
        assert self._sayings is not None
        return self._sayings.of(name, self._plan)


def speakers(
    columns: Collection[str], plan: Plan, memory: Callable[[], Memory], secrets: Secrets
) -> tuple[Speakers, Speakers]:
    """Return what lines may say under a Plan, and what they may say of restricted requests.

    Args:
        columns: Those of the format.
        plan: What becomes of each.
        memory: Gives what is known of user agents and hosts, where a text is kept in some form.
        secrets: The operator's keys, by name.

    Raises:
        PolicyError: A method that cannot be printed in a line.

    Cost:
        Loads what knows paths, user agents and identifiers, a tenth of a second, where a text is kept in some form.
    """
    sayings = None
    if any(_is_said(name, one) for one in (plan, plan.of_restricted()) for name in (*one.methods, "query")):
        from logblur.protect.sayings import Sayings

        sayings = Sayings(memory(), secrets)
    always = Speakers(columns, plan, sayings)
    if plan.signals is None:
        return always, always
    return always, Speakers(columns, plan.of_restricted(), sayings, path="signals.fields")


def _is_kept(name: str, plan: Plan) -> bool:
    """Return whether anything of a column is: a query goes with its path but for the parameters that are named."""
    return bool(plan.query) if name == "query" else plan.methods.get(name, "drop") != "drop"


def _is_said(name: str, plan: Plan) -> bool:
    """Return whether words are made for a text."""
    others = {"time", "remote_addr", *_AS_THEY_STAND}
    return _is_kept(name, plan) and name not in others and plan.methods.get(name) != "pseudonym"


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
