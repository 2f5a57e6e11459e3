r"""Lines within JSON: the text of a member (Docker, Fluentd, journald), or each element of an array (Azure).

They are taken out before anything else looks at them. Of a member's text only its end is touched where a delimited line
stands in it, whose format knows how quotes are written there; an object in it is unescaped once, but for ``\uHHHH``,
which means the same within its strings.
"""

from __future__ import annotations

import json
import re
from typing import Final

from logblur.formats import Format

MEMBER: Final = "member"
RECORDS: Final = "records"

MEMBERS: Final = ("log", "message", "msg", "MESSAGE", "@message", "textPayload", "line")
"""What programs call the member that holds a line; the first of them in a line counts, at whatever depth."""

_MEMBER: Final = re.compile(
    rb'^[^\n]*?"(?:%b)"[ \t]*:[ \t]*"((?:[^"\\\n]|\\[^\n])*+)"[^\n]*$' % "|".join(MEMBERS).encode(), re.MULTILINE
)
_RECORDS: Final = re.compile(r'[^{]*\{\s*"records"\s*:\s*\[')
_BETWEEN: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder()


def unwrapped(data: bytes, form: Format) -> tuple[bytes, list[int]]:
    """Return the lines that stand within whole lines, and how many stand in each of those.

    A line that holds none stays as it is: the format refuses it.

    Cost:
        For members two passes in linear time over all of the data at once; for records one object after another.
    """
    if form.wrapping == MEMBER:
        lines = _MEMBER.sub(rb"\1", data)
        if form.keys:
            # a backslash that is one stands apart meanwhile, as a byte that no JSON holds
            lines = lines.replace(rb"\\", b"\0").replace(rb"\"", b'"').replace(rb"\/", b"/")
        lines = lines.replace(b"\\n\n", b"\n").replace(b"\\r\n", b"\n")
        return lines.replace(b"\0", b"\\") if form.keys else lines, [1] * data.count(b"\n")
    inner = [_records(line) for line in data.split(b"\n")[:-1]]
    return b"".join(line + b"\n" for lines in inner for line in lines), [len(lines) for lines in inner]


def _records(line: bytes) -> list[bytes]:
    """Return the objects of a line of records, each on one line; the line itself where it is none."""
    text = line.decode("latin-1")  # a character a byte
    found = _RECORDS.match(text)
    if found is None:
        return [line]
    records: list[bytes] = []
    at = _after(text, found.end())
    while text[at : at + 1] != "]":
        try:
            _, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return [line]
        records.append(line[at:end])
        at = _after(text, end)
    return records


def _after(text: str, at: int) -> int:
    between = _BETWEEN.match(text, at)
    assert between is not None
    return between.end()
