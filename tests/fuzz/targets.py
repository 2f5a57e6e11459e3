"""What is fuzzed: the first line of an input is a format, the rest is a log in it.

The reference is what a fuzzer sees, since it is Python; on every input the kernel must say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from logblur.errors import FormatError
from logblur.formats import Format, resolve_format
from logblur.parse import parse, reference
from logblur.schema import Block

LATEST: Final = 1_900_000_000_000_000
MAX_LINE: Final = 300


def agree(form: Format, log: bytes) -> None:
    """Check that kernel and reference agree on a log, and that each of its lines is accounted for."""
    block = Block.of(log)
    limits = {"latest_us": LATEST, "max_line_bytes": MAX_LINE}
    fast = parse([block], form, sorted(form.columns), **limits)
    slow = reference.parse([block], form, fast.batch.schema.names, **limits)
    rejects = list(zip(fast.reject_offsets.tolist(), fast.reject_reasons.tolist(), strict=True))
    assert (fast.batch.to_pylist(), rejects, fast.directives) == (slow.rows, slow.rejects, slow.directives)
    assert fast.rows + len(rejects) + fast.directives == bytes(block.data[: block.size]).count(b"\n")


def delimited(data: bytes) -> None:
    """Lines of a format given by name or definition; of ``combined`` where the first line is no format."""
    first, _, log = data.partition(b"\n")
    try:
        form = resolve_format(first.decode("latin-1"))
    except FormatError:
        form = resolve_format("combined")
    agree(form, log)


def json_lines(data: bytes) -> None:
    """JSON lines of a server or a mapping; of Caddy where the first line is neither."""
    first, _, log = data.partition(b"\n")
    text = first.decode("latin-1")
    try:
        form = resolve_format(text)
    except FormatError:
        form = resolve_format("caddy_json")
    agree(form, log)


def format_strings(data: bytes) -> None:
    """Definitions of formats: each compiles or is refused, and what compiles reads any log without harm."""
    first, _, log = data.partition(b"\0")
    try:
        form = resolve_format(first.decode("utf-8", "replace"))
    except FormatError:
        return
    agree(form, log)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "delimited": delimited,
    "json": json_lines,
    "formats": format_strings,
}
