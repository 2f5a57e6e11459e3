"""Which format a log is written in, told by its first lines.

Formats are tried with the slow reference on a few lines: that is sooner done than to load the kernels for each.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from logblur.errors import FormatError
from logblur.formats import Format, resolve_format, w3c
from logblur.formats.carriers import CARRIERS, carried, carrier_of, stripped
from logblur.formats.infer import infer, is_address, is_misread
from logblur.formats.keys import infer_keys
from logblur.formats.named import NAMED
from logblur.parse import reference
from logblur.schema import Block

SAMPLE_BYTES: Final = 256 << 10
"""How much of a log's head detection looks at."""

_LINES: Final = 100
"""How many of its lines are tried."""

_ENOUGH: Final = 0.25
"""At least this share of the lines must be read for a format to be chosen."""

_MOST: Final = 5
"""How many formats a mixed log is read with."""

_ALIASES: Final = frozenset(
    "combined_duration nginx_default nginx_main varnishncsa lighttpd caddy_clf tomcat fastly w3c".split()
)
"""Formats that no line tells from another: the same by another name, or with a meaning that only its operator knows."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well a format fits some lines.

    Attributes:
        format: What was tried.
        share: Share of the lines that are rows, directives left out.
        likely: Share of the rows whose client is an address, if the format has one.
        refused: The lines that do not fit.
        odd: Lines that do, but with a client that is no address, and a space in it or in the user: what stands before
            them was taken for a part.
        row: The first row, by column.
    """

    format: Format
    share: float
    likely: float
    refused: tuple[bytes, ...] = field(repr=False, default=())
    odd: tuple[bytes, ...] = field(repr=False, default=())
    row: dict[str, Any] = field(repr=False, default_factory=dict)

    @property
    def loose(self) -> bool:
        """Whether the format drops the ends of lines."""
        return self.format.open_end and not self.format.alternatives

    @property
    def order(self) -> tuple[float, ...]:
        """What is better is less.

        Of the formats that fit enough lines those come first that account for whole lines; of these, those that fit
        most, have addresses where addresses belong, and tell most. Where something is dropped, what tells most is best.
        """
        told, loose = len(self.format.columns), self.loose
        share = round(self.share, 2)
        parts = len(self.format.fields)
        return (share < _ENOUGH, loose, -told if loose else 0, -share, -round(self.likely, 1), -told, -parts)


def rank(head: bytes) -> list[Match]:
    """Return the formats that fit some of the first lines of a log, best first.

    Cost:
        Time in proportion to the lines looked at, at most `_LINES` of those in ``head``.
    """
    if b"#Fields:" in head:
        return [_directed(head)]
    return _ranked(_sampled(head))


def choose(head: bytes, wanted: str) -> Format:
    """Return the format to read a log with.

    Args:
        head: The first bytes of the log, up to `SAMPLE_BYTES`.
        wanted: ``auto``, or what `resolve_format` takes.

    Raises:
        FormatError: Nothing fits a quarter of the lines, two formats fit alike, or what is wanted is none. The message
            says what to write. Blank lines and comments alone fit every format.
    """
    if wanted != "auto":
        form = resolve_format(wanted)
        return _told(form, head) if form.follows_fields else form
    if b"#Fields:" in head:
        return _directed(head).format
    lines = _sampled(head)
    ranking = _settled(lines) or _ranked(lines)
    if not lines:
        return resolve_format("combined")
    found = _covering(lines, ranking)
    if found is None:
        best = ", ".join(f"{m.format.name} {m.share:.0%}" for m in ranking[:3]) or "none fits a line"
        raise FormatError(
            f"no known format fits these lines (best: {best}); give the server's own LogFormat or log_format "
            'string with --format or as format = "…" in [input]'
        )
    second = ranking[1] if len(ranking) > 1 else None
    if second and second.order == ranking[0].order:
        raise FormatError(
            f"these lines fit {ranking[0].format.name} and {second.format.name} alike; say which with --format or as "
            'format = "…" in [input]'
        )
    return found


def guess(lines: Sequence[bytes]) -> Format | None:
    """Return what to read these lines with, None where nothing fits enough of them."""
    return _covering(lines, _settled(lines) or _ranked(lines)) if lines else None


def _covering(lines: Sequence[bytes], ranking: Sequence[Match]) -> Format | None:
    """Return the best format, with those for the lines that it refuses as alternatives."""
    chosen: list[Format] = []
    left, matches = tuple(lines), list(ranking)
    odd: set[bytes] = set()
    while matches and len(chosen) < _MOST:
        chosen.append(matches[0].format)
        odd.update(matches[0].odd)
        left = matches[0].refused + matches[0].odd
        matches = [match for match in _ranked(left) if match.format not in chosen]
    if not chosen or sum(line not in odd for line in left) > (1 - _ENOUGH) * len(lines):
        return None
    # a format with more fields refuses the lines of one with fewer; the other way round names are taken for addresses
    first, *others = sorted(chosen, key=lambda form: (-len(form.fields), form.open_end))
    first = replace(first, name=chosen[0].name)
    if first.wrapping:  # its lines stand within others: none of those is of another format
        others = [form for form in others if form.wrapping == first.wrapping]
        return replace(first, alternatives=(*first.alternatives, *others))
    others = [form for form in others if not form.wrapping]
    for form in chosen:
        loose = replace(form, name=f"{form.name} ...", open_end=True)  # words behind the last quote
        if "user_agent" in form.columns and not form.follows_fields and loose not in chosen:
            others.append(loose)
    return replace(first, alternatives=(*first.alternatives, *others), guessed=True)


def _settled(lines: Sequence[bytes]) -> list[Match]:
    """Return the first of what `_ranked` would, where no other can be chosen: formats that fit every line; or nothing.

    Most logs are in one known format, which this tells in a fraction of the time: one line refuses each of the others.
    """
    whole = [match for match in _carried(lines, carrier_of(lines), whole=True) if not match.refused]
    return [] if not whole or whole[0].loose or whole[0].odd else whole


def _ranked(lines: Sequence[bytes]) -> list[Match]:
    if not lines:
        return []
    carrier = carrier_of(lines)
    found = _carried(lines, carrier)
    if carrier and CARRIERS[carrier].wrapping and (not found or found[0].share < _ENOUGH):
        return _carried(lines, "")  # a member of such a name holds no line: the object is one
    return found


def _carried(lines: Sequence[bytes], carrier: str, *, whole: bool = False) -> list[Match]:
    """Return the formats that fit some of the lines, best first, as this carrier brings them.

    With ``whole``, those that refuse a line are not looked at further, and in no order.
    """
    forms = list(_candidates(stripped(lines, carrier) if carrier else lines))
    if carrier:
        forms = [carried(form, carrier) for form in forms if not form.follows_fields]
    matches = [_match(form, lines, whole=whole) for form in forms]
    return sorted((m for m in matches if m.share), key=lambda m: m.order)


@functools.cache
def _known() -> tuple[Format, ...]:
    return tuple(replace(known(), name=name) for name, known in NAMED.items() if name not in _ALIASES)


def _candidates(lines: Sequence[bytes]) -> Iterator[Format]:
    """Yield the formats that lines may be in: the known ones, and those that the lines themselves tell."""
    forms: dict[tuple[Any, ...], Format] = {}
    for form in _known():
        forms.setdefault((form.fields, form.literals, form.open_end, form.keys), form)
    for form in infer(lines):
        twin = forms.get((form.fields, form.literals, False, ()))
        if twin is not None and form.open_end:
            form = replace(form, name=f"{twin.name} ...")  # noqa: PLW2901
        forms.setdefault((form.fields, form.literals, form.open_end, ()), form)
    yield from forms.values()
    if told := infer_keys(lines):
        yield told


def _match(form: Format, lines: Sequence[bytes], *, whole: bool = False) -> Match:
    """Say how a format fits lines; if ``whole``, up to the first that it refuses."""
    columns, total = sorted(form.columns), 0
    rows: list[dict[str, Any]] = []
    refused: list[bytes] = []
    odd: list[bytes] = []
    for line in lines:
        if whole and refused:
            break
        if is_misread(line, form):
            refused.append(line)
            total += 1
            continue
        found = reference.parse([Block.of(line)], form, columns, latest_us=1 << 62, max_line_bytes=64 << 10)
        rows += found.rows
        total += len(found.rows) + len(found.rejects)
        if found.rejects:
            refused.append(line)
        elif any(map(_is_odd, found.rows)):
            odd.append(line)
    addresses = [row["remote_addr"] for row in rows if row.get("remote_addr")]
    likely = sum(map(is_address, addresses)) / len(addresses) if addresses else 0.5
    first = rows[0] if rows else {}
    return Match(form, len(rows) / total if total else 0.0, likely, tuple(refused), tuple(odd), first)


def _is_odd(row: dict[str, Any]) -> bool:
    client = row.get("remote_addr") or ""
    return bool(client) and " " in f"{client}{row.get('remote_user')}" and not is_address(client)


def _directed(head: bytes) -> Match:
    """Return how the log's own ``#Fields`` fit its first lines."""
    names = head[head.find(b"#Fields:") :].partition(b"\n")[0].split()
    name = "cloudfront" if b"x-edge-location" in names else "iis_w3c" if b"sc-win32-status" in names else "w3c"
    form = _told(replace(NAMED[name](), name=name), head)
    lines = head[: head.rfind(b"\n") + 1 or None].split(b"\n")[: 2 * _LINES]
    return _match(form, [b"\n".join(lines)])


def _told(form: Format, head: bytes) -> Format:
    """Return a format with the fields that the first ``#Fields`` line of a log names: what is read until the next."""
    for begin, end, directives in w3c.runs(head, b""):
        if b"#Fields:" in directives:
            return w3c.in_force(form, directives, head[begin:end])
    return form


def _sampled(head: bytes) -> list[bytes]:
    """Return lines from all over the head, but blank ones, comments and the last one, which may be cut."""
    whole = head[: head.rfind(b"\n") + 1] or head
    lines = [x for x in whole.split(b"\n") if x.strip() and not x.startswith(b"#")]
    return lines if len(lines) <= _LINES else [lines[k * len(lines) // _LINES] for k in range(_LINES)]
