r"""JSON lines, slowly: what `json_kernels` finds, by the definition.

A line is one object, whatever carrier's prefix stands before its first brace. Its structure is that of RFC 8259, but
for two things that servers write which do not know how to quote: a string ends at its first quote that no backslash
guards and may hold any byte, and a value without quotes may be any word, or nothing at all. Objects and arrays lie at
most `json_kernels.MAX_DEPTH` deep within one another.

Keys are compared as they are written. Of equal keys in one object the last counts, as in most JSON parsers; where an
array stands, its first element; ``null``, an object and nothing at all are no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from logblur.formats.json import steps
from logblur.parse.json_kernels import MAX_DEPTH
from logblur.schema import Reason

_BLANKS: Final = re.compile(rb"[ \t\r]*")
_STRING: Final = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_BARE: Final = re.compile(rb"[0-9A-Za-z+._-]*")

Value: TypeAlias = "bytes | dict[bytes, Value] | list[Value]"


class NoJsonError(Exception):
    """The line is no object; carries the reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def read_object(line: bytes) -> dict[bytes, Value]:
    """Return the object of a line, its strings and words as they are written.

    Raises:
        NoJsonError: There is none, or something follows it.
    """
    brace = line.find(b"{")
    if brace < 0:
        raise NoJsonError(Reason.BAD_JSON)
    value, at = _value(line, brace, 0)
    if _blanks(line, at) < len(line):
        raise NoJsonError(Reason.TRAILING)
    assert isinstance(value, dict)
    return value


def value_of(line: dict[bytes, Value], paths: Sequence[str]) -> bytes:
    """Return the first of some paths that says something; nothing where none does."""
    for path in paths:
        value = _at(line, path)
        while isinstance(value, list):
            value = value[0] if value else b""
        if isinstance(value, bytes) and value:
            return value
    return b""


def has(line: dict[bytes, Value], path: str) -> bool:
    """Whether there is such a key."""
    return _at(line, path) is not None


def _at(line: Value, path: str) -> Value | None:
    value: Value | None = line
    for key in steps(path):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _blanks(line: bytes, at: int) -> int:
    found = _BLANKS.match(line, at)
    assert found is not None
    return found.end()


def _string(line: bytes, at: int) -> tuple[bytes, int]:
    if not (found := _STRING.match(line, at)):
        raise NoJsonError(Reason.UNCLOSED_QUOTE)
    return found[1], found.end()


def _value(line: bytes, at: int, depth: int) -> tuple[Value, int]:
    """Return the value that stands here and where it ends."""
    match line[at : at + 1]:
        case b'"':
            return _string(line, at)
        case b"{" | b"[" as opening:
            if depth == MAX_DEPTH:
                raise NoJsonError(Reason.BAD_JSON)
            return _object(line, at + 1, depth + 1) if opening == b"{" else _array(line, at + 1, depth + 1)
    found = _BARE.match(line, at)
    assert found is not None
    return b"" if found[0] == b"null" else found[0], found.end()


def _object(line: bytes, at: int, depth: int) -> tuple[Value, int]:
    members: dict[bytes, Value] = {}
    at = _blanks(line, at)
    if line[at : at + 1] == b"}":
        return members, at + 1
    while True:
        if line[at : at + 1] != b'"':
            raise NoJsonError(Reason.BAD_JSON)
        key, at = _string(line, at)
        at = _blanks(line, at)
        if line[at : at + 1] != b":":
            raise NoJsonError(Reason.BAD_JSON)
        members[key], at = _value(line, _blanks(line, at + 1), depth)
        at, ended = _behind(line, at, b"}")
        if ended:
            return members, at


def _array(line: bytes, at: int, depth: int) -> tuple[Value, int]:
    elements: list[Value] = []
    at = _blanks(line, at)
    if line[at : at + 1] == b"]":
        return elements, at + 1
    while True:
        element, at = _value(line, at, depth)
        elements.append(element)
        at, ended = _behind(line, at, b"]")
        if ended:
            return elements, at


def _behind(line: bytes, at: int, closing: bytes) -> tuple[int, bool]:
    """Return where to go on behind a member, and whether it was the last."""
    at = _blanks(line, at)
    match line[at : at + 1]:
        case b",":
            return _blanks(line, at + 1), False
        case end if end == closing:
            return at + 1, True
    raise NoJsonError(Reason.BAD_JSON)
