"""Every way a field can be written: the kernel against the slow reference."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.formats import CLF, Escape, Field, Format, Kind, resolve_format
from logblur.formats.printing import print_line
from logblur.formats.times import expand
from logblur.formats.w3c import UNDATED
from logblur.parse import parse, reference
from logblur.schema import PARSED, Block

from .strategies import DELIMITED, NOISE, entries
from .test_parse import as_rows

LATEST = 1_900_000_000_000_000
RIGA = ZoneInfo("Europe/Riga")
TIMES = {
    CLF: ["17/May/2026:10:05:03 +0000", "29/Feb/2025:10:05:03 +0000", "17/May/2026:10:05:03 +0060"],
    "%Y-%m-%dT%H:%M:%S%f%z": [
        "2026-05-17T10:05:03Z", "2026-05-17T10:05:03.25+02:00", "2026-05-17T10:05:60,123456789-1130",
        "1970-01-01T00:00:00+01", "2026-05-17T10:05:03.Z", "2026-05-17T10:05:03", "2199-01-01T00:00:00Z",
        "2026-02-30T10:05:03Z", "2026-05-17T24:05:03Z", "2026-05-17T10:05:03+24:00", "2026-05-17T10:05:03+02:", "",
    ],
    "%d/%b/%Y:%H:%M:%S%f": ["17/May/2026:10:05:03.123", "29/Mar/2026:03:30:00", "25/Oct/2026:03:30:00", "17/Mai/2026:"],
    "%a %b %d %T %Y": ["Sun May 17 10:05:03 2026", "Sun May  7 10:05:03 2026", " May 17 10:05:03 2026"],
    "%m/%d/%y": ["2/23/13", "02/03/69", "13/1/70", "1/1/", "12/31/99"],
    "s": ["1157689312.049", "-1", "1e9", "9000000000000000000", "1700000000", "", "-", "1.2.3", "+5", ".5", "5."],
    "ms": ["1700000000123", "1700000000123.9999", "99999999999999999999"],
    "us": ["1700000000123456"],
    "ns": ["1700000000123456789", "9223372036854775807", "9999999999999999999"],
    "%z": ["+0200", "Z", "-12:30", "+2", "+02x"],
}  # fmt: skip
DECIMALS = [
    "0",
    "-",
    "",
    "0.123",
    "12",
    "-1",
    "+3.4567891",
    "1e3",
    "900000000000000001",
    "9999999999999999999",
    "-x",
    ".",
]
URLS = ["/", "/a?b#c", "https://www.example.com:80/x?y", "https://example.com", "?q", "-", "", "example.com:443", "*"]
ADDRESSES = ["192.0.2.7:80", "[2001:db8::1]:443", "[2001:db8::1]", "2001:db8::1", "192.0.2.7", "unix:", ":", "[", "]:1",
             "2001:db8::1:51000", "-", "", "[]:", "a]b:1"]  # fmt: skip
TEXTS = [
    "-", "", "a, b", "a, b : c", "a : b", "a ,b", ", ", " : ", "a", "a b", '"', '""', '"a b"', '"a ""b"" c"', '"a',
    'a"',
    "%20%41+", "a+b%2", "\\", '\\"', "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\n\\/", "  x", "caf\xe9", "%2520a+b",
]  # fmt: skip
SEPARATORS = [b" ", b", ", b"\t", b" | ", b'" "', b"] [", b'"', b"}", b"a long literal between two fields"]


@st.composite
def formats(draw):
    """A format of any shape, with plausible values of its fields."""
    fields, values, names = [], [], iter(["user_agent", "http_x", "cookies", "env_y", "remote_user"])
    kinds = [Kind.TEXT, Kind.STATUS, Kind.SIZE, Kind.DURATION, Kind.REQUEST, Kind.URL, Kind.ADDRESS, Kind.TIME]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=6, unique_by=lambda k: k or object())):
        layout, choices = "", TEXTS
        match kind:
            case Kind.TIME:
                layout = draw(st.sampled_from(sorted(TIMES)))
                choices, name = TIMES[layout], "time"
                layout = expand(layout) if "%T" in layout else layout
            case Kind.STATUS:
                choices, name = ["200", "-", "0", "000", "-1", "099", "99", "20x", "", "1000"], "status"
            case Kind.SIZE:
                choices, name = ["0", "-", "", "1234567890123", "12345678901234", "5x"], "bytes_sent"
            case Kind.DURATION:
                layout, choices, name = draw(st.sampled_from(["s", "ms", "us", "ns"])), DECIMALS, "duration"
            case Kind.REQUEST:
                choices = [f"GET {u} HTTP/1.1" for u in URLS] + ["-", "x"]
                name = draw(st.sampled_from(["request", "absolute_request"]))
            case Kind.URL:
                choices, name = URLS, draw(st.sampled_from(["url", "target", "query"]))
                if any(f.kind is Kind.REQUEST for f in fields):
                    name = ""
            case Kind.ADDRESS:
                choices, name, layout = ADDRESSES, "remote_addr", draw(st.sampled_from(["", "port"]))
            case _:
                name = next(names, "")
        if kind is Kind.REQUEST and any(f.kind is Kind.URL and f.name for f in fields):
            name = ""
        escape, quoted = draw(st.sampled_from(list(Escape))), draw(st.booleans())
        fields.append(Field(name, kind, escape, quoted, layout, *draw(st.tuples(st.booleans(), st.booleans()))))
        values.append(choices)
    ends = st.sampled_from([b"", *SEPARATORS])
    literals = [
        draw(ends).lstrip(), *(draw(st.sampled_from(SEPARATORS)) for _ in fields[1:]), draw(ends)
    ]  # fmt: skip
    form = Format(
        "any", tuple(fields), tuple(literals),
        optional=draw(st.integers(0, len(fields) - 1)), open_end=draw(st.booleans()), local_time=draw(st.booleans()),
        day_us=draw(st.sampled_from([0, 1_778_976_000_000_000])),
    )  # fmt: skip
    return form, values


@st.composite
def lines_of(draw, form, values):
    """Lines of a format, some cut short, some with noise in them."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        line = form.literals[0]
        for choices, literal in zip(values, form.literals[1:], strict=True):
            line += draw(st.sampled_from(choices)).encode("latin-1") + literal
        if draw(st.integers(0, 3)) == 0:
            line = line[: draw(st.integers(0, len(line)))] + draw(
                st.sampled_from([b"", b'"', b" ", b"\r", b" x", b"\\"])
            )
        lines.append(line)
    return [x.replace(b"\n", b"?") for x in [*lines, *draw(st.lists(NOISE, max_size=2))]]


def agree(form, lines, local=RIGA):
    """Hold the kernel against the reference; return the rows."""
    block = Block.of(b"".join(x + b"\n" for x in lines), 7)
    columns = [*PARSED.names, *sorted(form.columns - set(PARSED.names))]
    limits = {"latest_us": LATEST, "max_line_bytes": 2000, "local": local}
    fast = parse([block], form, columns, **limits)
    slow = reference.parse([block], form, fast.batch.schema.names, **limits)
    assert (*as_rows(fast), fast.directives) == (slow.rows, slow.rejects, slow.directives)
    fast.batch.validate(full=True)
    return fast


@given(data=st.data())
def test_kernel_and_reference_agree_on_any_format(data):
    """Whatever a format is made of, and whatever the lines: rows, values, reasons, offsets and directives are equal."""
    form, values = data.draw(formats())
    agree(form, data.draw(lines_of(form, values)))


@given(data=st.data())
def test_alternatives_read_what_the_first_format_refuses(data):
    """With alternatives, too; and there are never more rejects than without."""
    one, values = data.draw(formats())
    two, others = data.draw(formats())
    lines = data.draw(lines_of(one, values)) + data.draw(lines_of(two, others))
    alone = agree(one, lines)
    both = agree(Format(one.name, one.fields, one.literals, one.optional, alternatives=(two,)), lines)
    if not one.open_end and not one.local_time and not one.day_us:
        assert both.rows >= alone.rows


@pytest.mark.parametrize("layout", sorted(TIMES))
def test_times_of_every_layout(layout):
    """Good and bad times of each layout mean the same to both."""
    form = Format("t", (Field("time", Kind.TIME, layout=expand(layout) if "%T" in layout else layout),), (b"", b""))
    lines = [b"x" if not text.strip() else text.encode() for text in TIMES[layout]]
    assert agree(form, lines).rows or layout == "%z"


@pytest.mark.parametrize("name", DELIMITED)
@given(data=st.data())
def test_what_is_printed_is_read_back(name, data):
    """An entry printed in a format and parsed is the entry again, for every named format."""
    round_trip(resolve_format(name), data)


COMPILED = [
    '%v:%p %a %l %u %t "%m %U%q %H" %>s %B %I %O %D "%{X-Forwarded-For}i" "%{Cookie}i" "%{Sec-GPC}i" %{X}o %{ms}T',
    '%{%Y-%m-%d %T}t.%{usec_frac}t %{%z}t %h "%r" %s %b %T %{VAR}e %{note}n %{c}C',
    "%{msec}t %h %>s",
    '%h %{%a %b %e %H:%M:%S %Y}t %>s "%r"',
    "%{%Y-%m-%d %T %z}t %h %>s",
    "%{begin:%d %b %y %H:%M:%S}t|%h|%s|%{us}T|%X",
    """log_format main '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent '
       '"$http_cookie" $request_time';""",
    """log_format j escape=json '{"t":"$msec","a":"$remote_addr","u":"$request_uri","m":"$request_method",'
       '"s":$status,"ua":"$http_user_agent","ref":"$http_referer"}';""",
    "log_format n escape=none '$time_local|$remote_addr|$scheme://$host$request_uri|$status|$bytes_sent';",
    "#Fields: date time c-ip cs-method cs-uri sc-status sc-bytes cs-bytes time-taken cs(Cookie) cs(X-A) sc(B-C)",
]


@pytest.mark.parametrize("definition", COMPILED)
@given(data=st.data())
def test_what_is_printed_is_read_back_for_any_definition(definition, data):
    """The same for formats compiled from a server's own definition."""
    round_trip(resolve_format(definition), data)


def round_trip(form, data):
    """Print an entry, parse it with both, and hold it against what was printed."""
    if form.fields == UNDATED.fields:  # nothing tells what a line holds
        return
    values = data.draw(entries(form))
    parsed = agree(form, [print_line(form, values)], UTC)
    (row,) = parsed.batch.to_pylist()
    row.pop("referer_host", None)
    expected = {name: None if value == "-" else value for name, value in values.items()}
    assert row == expected
