"""A format as what stands between the fields of a line, in the order in which they are printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logblur.formats import Format, Kind
from logblur.formats.json import steps

_NUMBERS = frozenset({Kind.STATUS, Kind.SIZE, Kind.DURATION})


@dataclass(frozen=True, slots=True)
class Layout:
    """How a line is put together.

    Attributes:
        order: Numbers of the format's fields, as they are printed.
        literals: One more than fields: what stands before each, and behind the last.
        nothing: For each field, in the same order, what stands where there is nothing to say.
    """

    order: tuple[int, ...]
    literals: tuple[bytes, ...]
    nothing: tuple[bytes, ...]


def layout_of(form: Format) -> Layout:
    """Return how the lines of a format are put together."""
    if not form.keys:
        fields = len(form.fields)
        return Layout(tuple(range(fields)), form.literals, (b"-",) * fields)
    tree: dict[bytes, Any] = {}
    for number, paths in enumerate(form.keys):
        _plant(tree, steps(paths[0]), number)
    if form.marker:
        _plant(tree, steps(form.marker), None)
    order: list[int] = []
    literals: list[bytes] = [b""]
    _print(form, tree, order, literals)
    nothing = tuple(b"null" if form.fields[k].kind in _NUMBERS else b"-" for k in order)
    return Layout(tuple(order), tuple(literals), nothing)


def _plant(tree: dict[bytes, Any], path: tuple[bytes, ...], leaf: int | None) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree.setdefault(path[-1], {} if leaf is None else leaf)


def _print(form: Format, tree: dict[bytes, Any], order: list[int], literals: list[bytes]) -> None:
    literals[-1] += b"{"
    for place, (key, below) in enumerate(tree.items()):
        literals[-1] += b'%b"%b":' % (b"," if place else b"", key)
        if isinstance(below, dict):
            _print(form, below, order, literals)
            continue
        quote = b"" if form.fields[below].kind in _NUMBERS else b'"'
        order.append(below)
        literals[-1] += quote
        literals.append(quote)
    literals[-1] += b"}"
