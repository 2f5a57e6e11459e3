"""What a line looks like: log formats, compiled to the token program that kernel and reference share.

A `Format` is literals and fields in turn: ``literals[0] fields[0] literals[1] … fields[-1] literals[-1]``. Parsing
interprets it; nothing in the kernel knows a format by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """How the bytes of a field are read."""

    TEXT = 0
    TIME_CLF = 1  # 10/Oct/2000:13:55:36 -0700
    STATUS = 2  # three digits
    BYTES = 3  # digits, or - for none
    REQUEST = 4  # "GET /path?query HTTP/1.1": method, path, query, protocol


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line.

    Attributes:
        name: A column of `schema.PARSED`, ``request`` for a request line, or empty for one that is only stepped over.
        kind: How its bytes are read.
        quoted: Whether a backslash escapes the byte that would end it.
    """

    name: str
    kind: Kind
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format.

    Attributes:
        name: As people call it; the definition itself where it has no name.
        fields: At least one; ``time`` is among them.
        literals: One more than fields. Only the first and the last may be empty.
    """

    name: str
    fields: tuple[Field, ...]
    literals: tuple[bytes, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The `schema.PARSED` columns that this format can yield."""
        names = {f.name for f in self.fields} - {""}
        if "request" in names:
            names = names - {"request"} | {"method", "path", "query", "protocol"}
        return frozenset(names | {"referer_host"} if "referer" in names else names)


NAMED: Final[Mapping[str, str]] = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost_common": '%v %h %l %u %t "%r" %>s %b',
    "vhost_combined": '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "vhost_combined_without_port": '%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
}
"""The formats known by name, as Apache LogFormat strings.

``common`` and ``combined``: Apache httpd 2.4, mod_log_config, "Examples"; nginx's predefined ``combined`` prints the
same. ``vhost_combined``: Debian's apache2.conf. ``vhost_common``: "Common Log Format with Virtual Host".
"""


def resolve_format(text: str) -> Format:
    """Return the format that a name or an Apache LogFormat string means.

    Raises:
        FormatError: It is neither; the message names the known formats or the position at fault.
    """
    from logblur.errors import FormatError
    from logblur.formats.apache import compile_log_format

    if text in NAMED:
        return compile_log_format(NAMED[text], name=text)
    if "%" not in text:
        known = ", ".join(NAMED)
        raise FormatError(f"{text!r} is no known format: use auto, one of {known}, or an Apache LogFormat string")
    return compile_log_format(text)
