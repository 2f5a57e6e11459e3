"""The slow twin of `fast`: one line at a time, without kernels. It serves until those are compiled, and tests compare.

It shares with the fast one what is said of texts (`Speakers`) and how that is written (`fitted`), and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_network
from typing import Any, Final

import numpy as np
import pyarrow as pa

from logblur.filtering.keys import Keyring
from logblur.filtering.layout import Layout, layout_of
from logblur.filtering.printing import (
    NO_METHOD,
    NO_PROTOCOL,
    NOTHING,
    fitted,
    is_lost,
    may_be_quoted,
    part_of_url,
    printed_number,
    printed_time,
    within_quotes,
)
from logblur.formats import Field, Format, Kind
from logblur.parse.reference import RejectedError, Row, read, values_of
from logblur.policy.plan import KEY_SIZE, Method, Plan
from logblur.protect.addresses import ADDRESS
from logblur.protect.buckets import bucketed
from logblur.protect.lines import Said, Speakers
from logblur.protect.pseudonyms import field_mac
from logblur.protect.spellings import Address, client, packed, truncated, unpacked
from logblur.protect.times import rounded

_SOCKET: Final = "unix:"


class Slow:
    """Protects lines of one format and its alternatives, one at a time; tells of which fields it said nothing."""

    def __init__(
        self,
        form: Format,
        plan: Plan,
        speakers: tuple[Speakers, Speakers],
        keys: Keyring,
        *,
        latest_us: int,
        on_nulled: Callable[[Iterable[str]], None],
    ) -> None:
        self._plan, self._latest_us, self._on_nulled = plan, latest_us, on_nulled
        self._forms: list[tuple[Format, Layout]] = [(one, layout_of(one)) for one in (form, *form.alternatives)]
        self._always = _Line(plan, speakers[0], keys)
        self._restricted = _Line(plan.of_restricted(), speakers[1], keys)

    def line(self, line: bytes) -> bytes | None:
        """Return a line (without its newline), protected; None where it fits no format, or is a directive."""
        plan = self._plan
        for form, layout in self._forms:
            try:
                row = read(
                    line, form, latest_us=self._latest_us, max_line_bytes=plan.max_line_bytes, local=plan.log_zone
                )
            except RejectedError:
                continue
            if row is None:
                return None
            values = values_of(row)
            rules = self._restricted if self._is_restricted(values) else self._always
            printed, nulled = rules.printed(row, values, layout)
            self._on_nulled(nulled)
            return printed
        return None

    def _is_restricted(self, values: dict[str, Any]) -> bool:
        signals = self._plan.signals
        if signals is None:
            return False
        from logblur.protect.signals import restricted

        columns = {
            name: pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([values[name]], pa.large_string()))
            for name in signals.fields & values.keys()
        }
        return bool(restricted(columns, signals, 1)[0])


class _Line:
    """How a line is put together under one Plan."""

    def __init__(self, plan: Plan, speakers: Speakers, keys: Keyring) -> None:
        self._plan, self._speakers, self._keys = plan, speakers, keys
        self._trusted = [ip_network(text) for text in plan.client.trusted_proxies if text != _SOCKET]

    def printed(self, row: Row, values: dict[str, Any], layout: Layout) -> tuple[bytes, set[str]]:
        """Return a line that was read, and the fields of which nothing could be said."""
        out, nulled = layout.literals[0], set[str]()
        for place, k in enumerate(layout.order):
            field, raw = row[1][k]
            literal = layout.literals[place + 1]
            out += self._field(field, raw, literal, layout.nothing[place], values, nulled) + literal
        return out, nulled

    def _field(
        self, field: Field, raw: bytes, literal: bytes, nothing: bytes, values: dict[str, Any], nulled: set[str]
    ) -> bytes:
        method = self._speakers.method(field.name)
        if field.kind in {Kind.REQUEST, Kind.URL} and field.name:
            return self._request(field, literal, values, nulled)
        if field.kind is Kind.TIME and field.name:
            if method == "keep":
                return raw
            time = rounded(values["time"].astimezone(self._plan.zone), method)
            return printed_time(time, field.layout, self._plan.log_zone)
        if field.name in {"remote_addr", self._plan.client.field}:
            return self._address(field, raw, literal, nothing, values, nulled)
        if not field.name or (method == "drop" and not (field.name == "query" and self._plan.query)):
            return nothing
        value = values[field.name]
        if field.kind is Kind.STATUS and method == "class":
            return b"%d00" % (value // 100) if value else nothing
        if method == "bucket":
            none = -1 if value is None else value
            return printed_number(int(bucketed(np.array([none], np.int64))[0]), field, nothing)
        if method == "pseudonym":
            return self._mac(field.name, None if value is None else value.encode(), values)
        said = self._speakers.of(field.name)
        if said == "keep":
            return raw or (raw if field.quoted else nothing)
        if field.name == "referer" and method == "domain":
            value = values["referer_host"]
        assert callable(said)
        text = _said(said, value)
        printed = fitted(text, field, literal)
        if is_lost(field.name, text, printed, there=value is not None):
            nulled.add(field.name)
        return printed

    def _request(self, field: Field, literal: bytes, values: dict[str, Any], nulled: set[str]) -> bytes:
        request = field.kind is Kind.REQUEST
        if request and values["method"] is None:
            return NOTHING
        parts = {"method": NO_METHOD, "host": b"", "path": NOTHING, "query": b"", "protocol": NO_PROTOCOL}
        if not request and "path" not in field.columns:
            parts["path"] = b""
        for name in parts:
            said = self._speakers.of(name) if name in field.columns else None
            if callable(said) and not (name == "host" and self._speakers.of("path") is None):
                text = _said(said, values[name])
                parts[name] = printed = part_of_url(text, name, field, literal)
                if is_lost(name, text, printed, there=values[name] is not None):
                    nulled.add(name)
        target = parts["host"] + parts["path"] + parts["query"]
        return within_quotes(
            b" ".join((parts["method"], target, parts["protocol"])) if request else target or NOTHING, field
        )

    def _address(
        self, field: Field, raw: bytes, literal: bytes, nothing: bytes, values: dict[str, Any], nulled: set[str]
    ) -> bytes:
        method = self._plan.methods.get("remote_addr", "drop")
        if method == "drop":
            return NOTHING
        if method == "keep" and self._plan.client.field == "remote_addr":
            return fitted(values["remote_addr"], field, literal) if may_be_quoted(field) else raw or nothing
        printed = self._protected(self._client(values), method, field, literal, values)
        if printed == NOTHING:
            nulled.add("remote_addr")
        return printed

    def _protected(
        self, found: Address | None, method: Method, field: Field, literal: bytes, values: dict[str, Any]
    ) -> bytes:
        if found is None:
            return NOTHING
        if method in KEY_SIZE:
            if method == "pseudonym":
                return self._mac("remote_addr", packed(found), values)
            from logblur.protect.cipher_reference import encrypted

            made = encrypted(found, method, self._key("remote_addr", values))
            if len(made) > ADDRESS:
                return made.hex().encode()
            found = unpacked(made)
        if method == "truncate":
            found = truncated(found, ipv4_prefix=self._plan.ipv4_prefix, ipv6_prefix=self._plan.ipv6_prefix)
        if isinstance(found, IPv4Address):
            return str(found).encode()
        if literal.startswith(b":"):
            return NOTHING
        return f"[{found}]".encode() if field.kind is Kind.ADDRESS else str(found).encode()

    def _client(self, values: dict[str, Any]) -> Address | None:
        name = self._plan.client.field
        peer = values.get("remote_addr") or ""
        found, passed = client(peer, self._trusted)
        if name == "remote_addr" or name not in values:
            return found
        passed |= _SOCKET in self._plan.client.trusted_proxies and peer.startswith(_SOCKET)
        behind = client(values[name] or "", self._trusted)[0]
        return behind if behind and (passed or "remote_addr" not in values) else found

    def _mac(self, field: str, value: bytes | None, values: dict[str, Any]) -> bytes:
        if value is None:
            return b"-"
        return field_mac(self._key(field, values), field=field)(value)[:16].hex().encode()

    def _key(self, field: str, values: dict[str, Any]) -> bytes:
        return self._keys.of(self._plan, field, values["time"].astimezone(self._plan.zone).date())


def _said(said: Said, text: str | None) -> str | None:
    made: str | None = said(pa.array([text], pa.large_string()))[0].as_py()
    return made
