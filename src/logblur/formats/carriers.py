r"""Carriers: what stands before the line of a log on its way through other programs, stepped over.

``syslog:combined`` is the format ``combined`` as it arrives in syslog. Before JSON lines no carrier needs to be named:
whatever stands before the first brace is one. A carrier's time is not looked at, the line's own counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logblur.errors import FormatError
from logblur.formats import Field, Format, Kind

_SKIPPED: Final = Field("", Kind.TEXT)
_PADDED: Final = Field("", Kind.TEXT, padded=True)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What a program writes before a line.

    Attributes:
        source: The documentation it follows.
        pattern: What it looks like.
        parts: How to step over it: literals and, for what varies, fields.
    """

    source: str
    pattern: re.Pattern[bytes]
    parts: tuple[bytes | Field, ...]


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
    if form.keys:
        return form
    fields: list[Field] = []
    literals = [b""]
    for part in CARRIERS[name].parts:
        if isinstance(part, bytes):
            literals[-1] += part
        else:
            fields.append(part)
            literals.append(b"")
    literals[-1] += form.literals[0]
    return replace(
        form,
        name=f"{name}:{form.name}",
        fields=(*fields, *form.fields),
        literals=(*literals, *form.literals[1:]),
        alternatives=alternatives,
    )


def carrier_of(lines: Sequence[bytes]) -> str:
    """Return the carrier that most of the lines have, empty where that is none."""
    found = {name: sum(bool(c.pattern.match(line)) for line in lines) for name, c in CARRIERS.items()}
    best = max(found, key=lambda name: found[name])
    return best if 2 * found[best] > len(lines) else ""


def stripped(lines: Sequence[bytes], name: str) -> list[bytes]:
    """Return what stands behind the carrier of the lines that have it."""
    pattern = CARRIERS[name].pattern
    return [line[found.end() :] for line in lines if (found := pattern.match(line))]
