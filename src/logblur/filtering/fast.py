"""Lines protected a block at a time: spans of fields, then the pieces in their places, then one copy of it all.

What the policy keeps as it stands is copied in one stretch, with what stands between its fields; everything else is a
text of the `Store`, printed when it was first met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.filtering.keys import Keyring
from logblur.filtering.layout import layout_of
from logblur.filtering.pieces import AddressColumn, Piece, Printers, Rows, Store
from logblur.filtering.printing import NOTHING, may_be_quoted
from logblur.formats import Format, Kind
from logblur.jit import Bytes, Ints, Places
from logblur.parse.interning import Texts
from logblur.parse.parser import Parser
from logblur.policy.plan import Plan
from logblur.protect import printing_kernels as kernels
from logblur.protect.lines import Speakers
from logblur.schema import PAD, Block

_SOCKET: Final = "unix:"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines of a block, protected.

    Attributes:
        data: The lines that fit, each with its newline.
        ends: Where each ends.
        begins: Where each began in the block.
        refused: Where the lines that do not fit begin in the block.
        why: `Reason` of each, by number.
        directives: How many lines are neither.
        nulled: In how many lines nothing could be said of a field, by field.
    """

    data: Bytes
    ends: Ints
    begins: Places
    refused: Ints
    why: Bytes
    directives: int
    nulled: Mapping[str, int]

    def __repr__(self) -> str:
        return f"Lines({len(self.ends)})"


class Fast:
    """Protects the lines of one format, a block at a time. One thread uses it at a time.

    Args:
        form: The format; its alternatives are not looked at.
        plan: What becomes of each field.
        speakers: What is said of texts, and of those of restricted requests.
        keys: For pseudonyms.
        latest_us: A later time is a reject.

    Cost:
        A few passes over each block; distinct texts are looked at once, until some 64 MiB of them are known.
    """

    def __init__(
        self, form: Format, plan: Plan, speakers: tuple[Speakers, Speakers], keys: Keyring, *, latest_us: int
    ) -> None:
        self._form, self._plan, self._speakers, self._keys = form, plan, speakers, keys
        read = {
            "query",
            "remote_addr",
            plan.client.field,
            *plan.methods,
            *(plan.signals.fields if plan.signals else ()),
        }
        self._parser = Parser(
            form, (), latest_us=latest_us, max_line_bytes=plan.max_line_bytes, local=plan.log_zone, located=read
        )
        self._begin()

    def _begin(self) -> None:
        self._store = Store()
        plans = (self._plan, self._plan.of_restricted())
        self._lines = [
            _Line(self._form, Printers(plan, speakers, self._keys, self._store))
            for plan, speakers in zip(plans, self._speakers, strict=True)
        ]

    def lines(self, block: Block) -> Lines:
        """Return the lines of a block, protected. Never raises, whatever the bytes."""
        if self._store.full:
            self._begin()
        data, size = block.data, block.size
        found = self._parser.find(self._form, data, size)
        whole = np.arange(found.rows)
        marked = self._restricted(data, size, found.rows)
        sides = [whole[~marked], whole[marked]] if marked.any() else [whole]
        rows = [Rows(self._parser, data, size, side, found) for side in sides]
        made = [line.put(one, self._parser) for line, one in zip(self._lines, rows, strict=False)]
        nulled = sum((one.nulled for one in rows), Counter[str]())
        out, ends = made[0] if len(made) == 1 else _woven(marked, *made)
        begins = self._parser.spans.lines[: found.rows].copy()
        return Lines(out, ends, begins, found.refused, found.why, found.directives, nulled)

    def _restricted(self, data: Bytes, size: int, rows: int) -> npt.NDArray[np.bool_]:
        """Return which of the lines last found are of restricted requests."""
        signals = self._plan.signals
        if signals is None:
            return np.zeros(rows, np.bool_)
        from logblur.protect.signals import restricted

        columns: dict[str, pa.DictionaryArray] = {}
        for k, field in enumerate(self._form.fields):
            if wanted := signals.fields.intersection(field.columns):
                for name, starts, ends in self._parser.parts(field, data, k, rows, wanted):
                    texts, codes = Texts(field.escape), np.empty(rows, np.int32)
                    texts.codes(data, starts, ends, rows, size, codes)
                    columns[name] = pa.DictionaryArray.from_arrays(pa.array(codes), texts.array())
        return restricted(columns, signals, rows)


class _Line:
    """How the lines of a format are put together under one Plan."""

    def __init__(self, form: Format, printers: Printers) -> None:
        self._form, self._printers = form, printers
        self._clients = self._address_columns()
        layout = layout_of(form)
        fields: list[int | range] = []  # printed by a piece, or kept as they stand
        literals = [b""]
        for place, k in enumerate(layout.order):
            before = layout.literals[place]
            if (instead := self._instead(k, layout.nothing[place])) is not None:
                literals[-1] += before + instead
                continue
            kept, last = self._is_kept(k), fields[-1] if fields else None
            if kept and isinstance(last, range) and last.stop == k and literals[-1] == b"" and not form.keys:
                fields[-1] = range(last.start, k + 1)
                continue
            literals[-1] += before
            literals.append(b"")
            fields.append(range(k, k + 1) if kept else k)
        literals[-1] += layout.literals[-1] + b"\n"
        places = {k: place for place, k in enumerate(layout.order)}
        self._pieces: list[Piece] = []
        for number, of in enumerate(fields, 1):
            if isinstance(of, int):
                behind, literals[number] = literals[number], b""
                self._pieces.append(
                    self._piece(of, layout.literals[places[of] + 1], layout.nothing[places[of]], behind)
                )
        self._first: Ints = np.array([-1 if isinstance(of, int) else of.start for of in fields], np.int64)
        self._last: Ints = np.array([-1 if isinstance(of, int) else of.stop - 1 for of in fields], np.int64)
        nothing = [
            b"" if field.quoted and not form.keys else layout.nothing[places.get(k, 0)]
            for k, field in enumerate(form.fields)
        ]
        gaps = [b""] * len(form.fields) if form.keys else form.literals[1:]
        self._pool, (self._literals, self._gaps, self._nothing) = _pool(literals, gaps, nothing)
        self._longest = sum(map(len, (*literals, *gaps, *nothing)))
        self._stretches = len(fields) - len(self._pieces)

    def put(self, rows: Rows, parser: Parser) -> tuple[Bytes, Ints]:
        """Return the text of these rows, and where each line ends."""
        texts = np.empty((len(self._pieces), rows.rows), np.int64)
        for k, piece in enumerate(self._pieces):
            texts[k] = piece(rows)
        room = self._stretches * rows.size + rows.rows * self._longest + int((texts & kernels.LENGTH).sum())
        out, ends = np.empty(room + PAD, np.uint8), np.empty(rows.rows, np.int64)
        size = kernels.splice(
            rows.data, self._printers.store.arena, self._pool, self._literals, self._first, self._last, texts,
            rows.keep, parser.spans.table, self._gaps, self._nothing, out, ends,
        )  # fmt: skip
        return out[:size], ends

    def _address_columns(self) -> Sequence[AddressColumn]:
        """Return the fields that tell the client: the address alone, or with what proxies wrote."""
        client = self._printers.plan.client
        trusted = [ip_network(text) for text in client.trusted_proxies if text != _SOCKET]
        named = {field.name: (k, field) for k, field in enumerate(self._form.fields)}
        return [
            AddressColumn(*named[name], trusted, socket=_SOCKET in client.trusted_proxies, store=self._printers.store)
            for name in dict.fromkeys(("remote_addr", client.field))
            if name in named
        ]

    def _is_address(self, k: int) -> bool:
        return self._form.fields[k].name in {"remote_addr", self._printers.plan.client.field}

    def _method(self, k: int) -> str:
        return self._printers.speakers.method("remote_addr" if self._is_address(k) else self._form.fields[k].name)

    def _instead(self, k: int, nothing: bytes) -> bytes | None:
        """Return what stands in every line in the place of a field that is dropped."""
        field = self._form.fields[k]
        if field.name and field.kind in {Kind.REQUEST, Kind.URL, Kind.TIME}:
            return None
        if field.name == "query" and self._printers.plan.query:
            return None
        if self._is_address(k):
            return NOTHING if self._method(k) == "drop" else None
        return nothing if not field.name or self._method(k) == "drop" else None

    def _is_kept(self, k: int) -> bool:
        """Whether a field is copied as it stands."""
        field = self._form.fields[k]
        if field.kind in {Kind.REQUEST, Kind.URL}:
            return False
        if self._is_address(k):
            return self._is_kept_address(k) and not may_be_quoted(field)
        return self._method(k) == "keep" and (
            field.kind is Kind.TIME or self._printers.speakers.of(field.name) == "keep"
        )

    def _is_kept_address(self, k: int) -> bool:
        return self._method(k) == "keep" and self._printers.plan.client.field == "remote_addr"

    def _piece(self, k: int, literal: bytes, nothing: bytes, behind: bytes) -> Piece:
        field, printers = self._form.fields[k], self._printers
        if field.kind in {Kind.REQUEST, Kind.URL}:
            return printers.request(k, field, literal, behind)
        if field.kind is Kind.TIME:
            return printers.time(field, behind)
        if self._is_address(k):
            if self._is_kept_address(k):
                return printers.kept(k, field, literal, behind)
            return printers.client(self._clients, field, literal, behind)
        if self._method(k) == "class":
            return printers.status_class(field, nothing, behind)
        if self._method(k) == "bucket":
            return printers.bucket(field, nothing, behind)
        if self._method(k) == "pseudonym":
            return printers.pseudonym(k, field, behind)
        return printers.text(k, field, literal, behind)


def _pool(*groups: Sequence[bytes]) -> tuple[Bytes, list[Ints]]:
    """Return texts in one padded arena, and for each group the limits of its own."""
    limits, size = [], 0
    for group in groups:
        limits.append(np.cumsum([size, *map(len, group)], dtype=np.int64))
        size = int(limits[-1][-1])
    return np.frombuffer(b"".join(text for group in groups for text in group) + bytes(PAD), np.uint8), limits


def _woven(second: npt.NDArray[np.bool_], a: tuple[Bytes, Ints], b: tuple[Bytes, Ints]) -> tuple[Bytes, Ints]:
    """Return the lines of both, in the order of their rows."""
    size = len(a[0]) + len(b[0])
    out, ends = np.empty(size + PAD, np.uint8), np.empty(len(second), np.int64)
    kernels.weave(second, _padded(a[0]), a[1], _padded(b[0]), b[1], out, ends)
    return out[:size], ends


def _padded(data: Bytes) -> Bytes:
    return np.concatenate([data, np.zeros(PAD, np.uint8)])
