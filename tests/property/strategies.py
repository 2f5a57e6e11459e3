"""Random log lines: plausible ones, hostile ones, and what lies between. Random policies."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as st

from logblur.formats import Escape, Format, resolve_format
from logblur.formats.named import NAMED
from logblur.formats.printing import print_line
from logblur.policy import Policy
from logblur.policy.load import validate
from logblur.policy.plan import KEY_SIZE
from logblur.policy.resolve import resolve
from logblur.policy.rules import Fields, LegalBasis, rules_of

PIECES = [
    b"192.0.2.7", b"2001:db8::1", b"::ffff:192.0.2.7", b"-", b"", b"host.example.com", b"john doe", b"o'neil",
    b"[17/May/2026:10:05:03 +0000]", b"[29/Feb/2025:10:05:03 +0000]", b"[31/Dec/1969:23:59:59 -0100]",
    b"[01/Jan/1970:00:30:00 +0100]", b"[17/May/2026:10:05:60 -0730]", b"[17/May/2199:10:05:03 +0000]",
    b"[17/Mai/2026:10:05:03 +0000]", b"[17/May/2026:24:05:03 +0000]", b"[ ]", b"[", b"]",
    b'"GET / HTTP/1.1"', b'"GET /a/b?c=d#e HTTP/1.1"', b'"POST http://example.com:80/x?y HTTP/2"', b'"GET /old"',
    b'"GET http://example.com?z HTTP/1.0"', b'"OPTIONS * HTTP/1.1"', b'"CONNECT example.com:443 HTTP/1.1"', b'"-"',
    b'"\\x16\\x03\\x01"', b'"G\xc4\x93T / HTTP/1.1"', b'"GET /\xe4\xff HTTP/1.1"', b'"GET /a\\"b HTTP/1.1"', b'"a\\\\"',
    b'"GET  HTTP/1.1"', b'"GET / HTTP/11111111"', b'"GET / HTTP/1111111111"', b'"G', b'"', b"\\", b'\\"', b'\\\\"',
    b"200", b"404", b"099", b"1000", b"20x", b"0", b"1234567890123", b"12345678901234", b"12345678", b"123456789",
    b'"https://www.google.com/search?q=a"', b'"//x/y"', b'"android-app://com.example/"', b'"http:/x"', b'"://x"',
    b'"Mozilla/5.0 (X11; Linux x86_64)"', b'"Mozilla/5.0 \\"quoted\\" \\\\"',
    b"\x00", b"\xef\xbb\xbf", b"\xef\xbb", b"\r", b"\t", b"  ", b"#", b"a" * 70,
]  # fmt: skip

ADDRESSES = ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7", "host.example.com", "-"]
TEXTS = [None, "a", "example", "caf\u00e9", "o'neil", "50%", "\U0001f600"]  # what any field can hold
QUOTED = [*TEXTS, "a b", 'say "hi"', "back\\slash", "tab\there"]  # what a guarded one can
VALUES: dict[str, list[Any]] = {
    "remote_addr": ADDRESSES,
    "remote_user": [None, "anna"],
    "host": ["www.example.com", "example.org"],
    "method": ["GET", "POST", "BREW", None],
    "path": ["/", "/a", "/caf%C3%A9", "/x.zip"],
    "query": [None, "b=c", "b&d=%20"],
    "protocol": ["HTTP/1.1", "HTTP/2.0"],
    "status": [200, 404, 999, 100, None],
    "bytes_sent": [0, 5, 1234567890123, None],
    "bytes_received": [0, 5, 1234567890123, None],
    "duration": [0, 1_500_000, 250_000, 3_600_000_000, None],
    "referer": [None, "https://www.example.org/a?b", "http://example.com"],
    "user_agent": [None, "curl/8.0", "Mozilla/5.0_(x)"],
}
TIMES = [
    datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
]  # fmt: skip


@st.composite
def entries(draw: st.DrawFn, form: Format) -> dict[str, Any]:
    """Values of every column of a format, which its fields can hold."""
    values: dict[str, Any] = {"time": draw(st.sampled_from(TIMES))}
    for field in form.fields:
        for name in field.columns:
            if name in {"time", "referer_host"}:
                continue
            guarded = field.quoted and field.escape is not Escape.NONE
            values[name] = draw(st.sampled_from(VALUES.get(name, QUOTED if guarded else TEXTS)))
    if values.get("method", "") is None and any(f.name.endswith("request") for f in form.fields):
        values |= dict.fromkeys(values.keys() & {"path", "query", "protocol", "host"})
    return values


def _good(name: str) -> st.SearchStrategy[bytes]:
    form = resolve_format(name)
    return entries(form).map(lambda values: print_line(form, values))


NOISE = st.lists(st.sampled_from(PIECES), max_size=12).map(b" ".join) | st.binary(max_size=90)


@st.composite
def mutated(draw: st.DrawFn, line: st.SearchStrategy[bytes]) -> bytes:
    """A good line with one stretch of it replaced."""
    base = draw(line)
    at = draw(st.integers(0, len(base)))
    stop = draw(st.integers(at, min(len(base), at + 9)))
    return base[:at] + draw(st.sampled_from([*PIECES, b" ", b""])) + base[stop:]


def logs(name: str) -> st.SearchStrategy[list[bytes]]:
    """Lines without newlines, mostly of the named format."""
    good = _good(name)
    line = st.one_of(good, good.map(lambda x: x + b"\r"), mutated(good), mutated(mutated(good)), NOISE)
    return st.lists(line.map(lambda x: x.replace(b"\n", b"?")), max_size=12)


DELIMITED = sorted(name for name in NAMED if not resolve_format(name).keys)
FORMATS = st.sampled_from(DELIMITED)


METHODS = {
    name: [*(method for method in rules_of(name) if method not in {"country", "asn"}), None]
    for name in Fields.model_fields
}
KEYED = {method: method.replace("-", "_") for method in KEY_SIZE}
"""Methods that can take an operator's key, and what it is called; the keys are in the environment."""

KEYS = {name: {"env": f"LOGBLUR_TEST_{name.upper()}"} for name in KEYED.values()}
SECRETS = {name: hashlib.sha256(name.encode()).digest()[: KEY_SIZE[method]] for method, name in KEYED.items()}
os.environ |= {KEYS[name]["env"]: secret.hex() for name, secret in SECRETS.items()}

EXTRA: dict[str, dict[str, Any]] = {
    **{method: {"key": name} for method, name in KEYED.items()},
    "truncate": {"ipv4_prefix": 16, "ipv6_prefix": 32},
    "keep": {"reason": "why not"},
    "pseudonym": {"reason": "why not"},
}


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy with any method for any field, and tables of the columns that come of them."""
    fields = {}
    for name, methods in METHODS.items():
        method = draw(st.sampled_from(methods))
        if method is not None:
            fields[name] = {"method": method} | EXTRA.get(method, {})
            if method == "pseudonym" and draw(st.booleans()):
                fields[name]["key"] = KEYED[method]
    document: dict[str, Any] = {
        "version": 1, "name": "drawn", "purpose": "x", "retention": "1 month", "fields": fields, "keys": KEYS,
        "legal_basis": draw(st.sampled_from([b for b in get_args(LegalBasis) if b != "consent"])),
        "visitor": {"from": draw(st.sampled_from([["remote_addr"], ["user_agent"], ["remote_addr", "user_agent"]]))},
    }  # fmt: skip
    columns = resolve(validate(document)).columns
    if columns and fields.get("time", {}).get("method") in {"hour", "day", "keep"}:
        by = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=4, unique=True))
        table = {"name": "t", "where": "all", "by": by, "measures": ["requests"], "min_clients": 5}
        document["table"] = [table]
    return validate(document)
