"""Random log lines: plausible ones, hostile ones, and what lies between. Random policies."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from logblur.formats import NAMED
from logblur.policy import Policy
from logblur.policy.load import validate
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
    b"\x00", b"\r", b"\t", b"  ", b"#", b"a" * 70,
]  # fmt: skip

GOOD = {
    "h": [b"192.0.2.7", b"2001:db8::1", b"host.example.com", b"-", b""],
    "l": [b"-", b"ident", b""],
    "u": [b"-", b"anna", b"john doe", b"[x", b""],
    "t": [b"17/May/2026:10:05:03 +0000", b"28/Feb/2026:23:59:60 -1100", b"01/Jan/1970:00:00:00 +0000"],
    "r": [b"GET / HTTP/1.1", b"GET /a?b#c HTTP/1.0", b"-", b"", b"\\x16\\x03", b"PUT /x HTTP/2",
          b"GET http://a.example HTTP/1.1", b'GET /a\\"b?c HTTP/1.1', b"BREW /\xff HTTP/1.1", b"GET /old"],
    "s": [b"200", b"304", b"404", b"999", b"100"],
    "b": [b"0", b"-", b"5", b"12345678", b"123456789", b"1234567890123"],
    "q": [b"-", b"", b"https://www.example.org/a?b", b"http://user:pw@example.com:80?x",
          b"Mozilla/5.0 (x; \\\"y\\\")", b"\\\\",
          b"caf\xc3\xa9", b"\xff\xfe"],
    "v": [b"www.example.com", b"example.org", b"[2001:db8::1]"],
    "p": [b"80", b"443"],
}  # fmt: skip


def _good(name: str) -> st.SearchStrategy[bytes]:
    def pick(letter: str) -> st.SearchStrategy[bytes]:
        return st.sampled_from(GOOD[letter])

    head = [pick(x) for x in "hlutrsb"]
    line = st.tuples(*head).map(lambda v: b'%b %b %b [%b] "%b" %b %b' % v)
    if "combined" in name:
        line = st.tuples(line, pick("q"), pick("q")).map(lambda v: b'%b "%b" "%b"' % v)
    if name == "vhost_combined":
        line = st.tuples(pick("v"), pick("p"), line).map(lambda v: b"%b:%b %b" % v)
    elif name.startswith("vhost"):
        line = st.tuples(pick("v"), line).map(lambda v: b"%b %b" % v)
    return line


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


FORMATS = st.sampled_from(sorted(NAMED))


METHODS = {name: [*rules_of(name), None] for name in Fields.model_fields}
EXTRA: dict[str, dict[str, Any]] = {
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
    document: dict[str, Any] = {
        "version": 1, "name": "drawn", "purpose": "x", "retention": "1 month", "fields": fields,
        "legal_basis": draw(st.sampled_from([b for b in get_args(LegalBasis) if b != "consent"])),
        "visitor": {"from": draw(st.sampled_from([["remote_addr"], ["user_agent"], ["remote_addr", "user_agent"]]))},
    }  # fmt: skip
    columns = resolve(validate(document)).columns
    if columns and fields.get("time", {}).get("method", "drop") != "drop":
        by = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=4, unique=True))
        table = {"name": "t", "where": "all", "by": by, "measures": ["requests"], "min_clients": 5}
        document["table"] = [table]
    return validate(document)
