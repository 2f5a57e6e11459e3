r"""Carriers: what stands around the line of a log on its way through other programs, stepped over.

``syslog:combined`` is the format ``combined`` as it arrives in syslog. Before JSON lines no carrier needs to be named:
whatever stands before the first brace is one; within JSON, as Docker and Azure write them, it does. A carrier's time is
not looked at, the line's own counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logblur.errors import FormatError
from logblur.formats import Escape, Field, Format, Kind
from logblur.formats.wrapping import MEMBER, MEMBERS, RECORDS, unwrapped

_SKIPPED: Final = Field("", Kind.TEXT)
_PADDED: Final = Field("", Kind.TEXT, padded=True)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What a program writes around a line.

    Attributes:
        source: The documentation it follows.
        pattern: What it looks like; the group ``line``, or what follows, is the line.
        parts: How to step over what stands before: literals and, for what varies, fields.
        behind: The same for what stands behind.
        quote: How a quote within the line is written.
        escape: How it escapes the line, whatever the server did.
        wrapping: How objects stand within it, and other lines too where no parts are said (`formats.wrapping`).
    """

    source: str
    pattern: re.Pattern[bytes]
    parts: tuple[bytes | Field, ...]
    behind: tuple[bytes | Field, ...] = ()
    quote: bytes = b'"'
    escape: Escape | None = None
    wrapping: str = ""


_DATE: Final = rb"[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d"
_DATE_PARTS: Final = (_SKIPPED, b" ", _PADDED, b" ", _SKIPPED, b" ")
_HEADER: Final = (_SKIPPED, b">", *(_SKIPPED, b" ") * 6)
_ISO: Final = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,0-9]*(?:Z|[+-]\d\d:?\d\d)"

CARRIERS: Final[Mapping[str, Carrier]] = {
    "syslog": Carrier(
        "RFC 3164, as syslogd and rsyslog write it to files",
        re.compile(_DATE + rb" \S*[^\s:] [^\s:]+: "),
        (*_DATE_PARTS, _SKIPPED, b" ", _SKIPPED, b": "),
    ),
    "syslog_pri": Carrier(
        "RFC 3164 with its priority, as it is sent",
        re.compile(rb"<\d{1,3}>" + _DATE + rb" \S*[^\s:] [^\s:]+: "),
        (b"<", _SKIPPED, b">", *_DATE_PARTS, _SKIPPED, b" ", _SKIPPED, b": "),
    ),
    "syslog_no_host": Carrier(
        "nginx, access_log syslog:…,nohostname",
        re.compile(rb"<\d{1,3}>" + _DATE + rb" [^\s:]+: "),
        (b"<", _SKIPPED, b">", *_DATE_PARTS, _SKIPPED, b": "),
    ),
    "syslog_iso": Carrier(
        "rsyslog, RSYSLOG_FileFormat; journalctl -o short-iso",
        re.compile(_ISO + rb" \S*[^\s:] [^\s:]+: "),
        (_SKIPPED, b" ", _SKIPPED, b" ", _SKIPPED, b": "),
    ),
    "syslog_5424": Carrier(
        "RFC 5424 without structured data",
        re.compile(rb"<\d{1,3}>\d{1,2} (?:-|" + _ISO + rb") \S+ \S+ \S+ \S+ - "),
        (b"<", *_HEADER, b"- "),
    ),
    "syslog_5424_data": Carrier(
        "RFC 5424 with structured data, none of whose values ends in `]`",
        re.compile(rb"<\d{1,3}>\d{1,2} (?:-|" + _ISO + rb") \S+ \S+ \S+ \S+ \[.*?\] "),
        (b"<", *_HEADER, b"[", _SKIPPED, b"] "),
    ),
    "cri": Carrier(
        "Kubernetes, CRI logging format: whole lines, stdout",
        re.compile(_ISO + rb" stdout F "),
        (_SKIPPED, b" stdout F "),
    ),
    "cri_stderr": Carrier(
        "Kubernetes, CRI logging format: whole lines, stderr",
        re.compile(_ISO + rb" stderr F "),
        (_SKIPPED, b" stderr F "),
    ),
    "compose": Carrier(
        "docker compose logs",
        re.compile(rb"[\w.-]+ +\| "),
        (_SKIPPED, b"| "),
    ),
    "kubectl": Carrier(
        "kubectl logs --prefix",
        re.compile(rb"\[pod/[^\]\s]+\] "),
        (b"[pod/", _SKIPPED, b"] "),
    ),
    "docker": Carrier(
        "Docker's logging driver json-file",
        re.compile(rb'\{"log":"(?P<line>[^"\\]*(?:\\.[^"\\]*)*)\\n","'),
        (b'{"log":"',),
        (b'\\n","', _SKIPPED),
        quote=b'\\"',
        escape=Escape.JSON,
        wrapping=MEMBER,
    ),
    "json": Carrier(
        "Fluentd, Logstash, journald and clouds: a line as the text of a member, called log, message or the like",
        re.compile(
            rb'[^{]*\{(?:[^\n]*?[,{])?\s*"(?:%b)"\s*:\s*"(?P<line>[^"\\]*(?:\\.[^"\\]*)*)"' % "|".join(MEMBERS).encode()
        ),
        (),
        quote=b'\\"',
        escape=Escape.JSON,
        wrapping=MEMBER,
    ),
    "records": Carrier(
        'Azure, resource logs: `{"records": [...]}`, an object for each request',
        re.compile(rb'[^{]*\{\s*"records"\s*:\s*\['),
        (),
        wrapping=RECORDS,
    ),
    "quoted": Carrier(
        "RFC 4180: a line as the one cell of a row, quotes in it doubled",
        re.compile(rb'"(?P<line>[^"]*(?:""[^"]*)+)"\s*\Z'),
        (b'"',),
        (b'"',),
        quote=b'""',
    ),
    "quoted_escaped": Carrier(
        "a line as a string, quotes in it escaped",
        re.compile(rb'"(?P<line>[^"\\]*(?:\\.[^"\\]*)+)"\s*\Z'),
        (b'"',),
        (b'"',),
        quote=b'\\"',
    ),
    "quoted_bare": Carrier(
        "a line between quotes, quotes in it as they are",
        re.compile(rb'"(?P<line>[^"\\]+\[[^]]+\] ".*)"\s*\Z'),
        (b'"',),
        (b'"',),
    ),
}
"""The carriers that lines can be told to have, by name."""


def carried(form: Format, name: str) -> Format:
    """Return the format behind a carrier's prefix; JSON lines need no other.

    Raises:
        FormatError: The format follows directives of the log, and those have the prefix too.
    """
    if form.follows_fields:
        raise FormatError(f"{form.name} follows lines of the log that begin with #: take the prefix off them first")
    alternatives = tuple(carried(other, name) for other in form.alternatives)
    carrier = CARRIERS[name]
    if form.keys:
        return replace(form, name=f"{name}:{form.name}", wrapping=carrier.wrapping) if carrier.wrapping else form
    inner: list[bytes | Field] = [form.literals[0].replace(b'"', carrier.quote)]
    for field, literal in zip(form.fields, form.literals[1:], strict=True):
        inner.append(replace(field, escape=carrier.escape or field.escape))
        inner.append(literal.replace(b'"', carrier.quote))
    fields: list[Field] = []
    literals = [b""]
    for part in (*carrier.parts, *inner, *(() if form.open_end else carrier.behind)):
        if isinstance(part, bytes):
            literals[-1] += part
        else:
            fields.append(part)
            literals.append(b"")
    return replace(
        form,
        name=f"{name}:{form.name}",
        fields=tuple(fields),
        literals=tuple(literals),
        optional=0 if carrier.behind else form.optional,
        alternatives=alternatives,
        wrapping="" if carrier.parts else carrier.wrapping,
    )


def carrier_of(lines: Sequence[bytes]) -> str:
    """Return the carrier that most of the lines have, empty where that is none."""
    found = {name: sum(bool(c.pattern.match(line)) for line in lines) for name, c in CARRIERS.items()}
    best = max(found, key=lambda name: found[name])
    return best if 2 * found[best] > len(lines) else ""


def stripped(lines: Sequence[bytes], name: str) -> list[bytes]:
    """Return the lines that have this carrier, without it."""
    carrier = CARRIERS[name]
    if carrier.wrapping == RECORDS:
        whole = Format("", (), (), wrapping=RECORDS)
        return [inner for line in lines for inner in unwrapped(line + b"\n", whole)[0].split(b"\n")[:-1]]
    found = [(line, match) for line in lines if (match := carrier.pattern.match(line))]
    bare = [match["line"] if "line" in carrier.pattern.groupindex else line[match.end() :] for line, match in found]
    if carrier.wrapping:
        return [_text(line) for line in bare]
    return [line.replace(carrier.quote, b'"') for line in bare]


def _text(line: bytes) -> bytes:
    """Return what the text of a member says; itself where it is none."""
    try:
        said: str = json.loads(b'"%b"' % line)
    except ValueError:
        return line
    return said.encode("utf-8", "backslashreplace").strip()
