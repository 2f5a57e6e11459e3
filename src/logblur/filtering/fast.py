"""Lines protected a block at a time: spans of fields, then pieces to stand in their places, then one copy of it all.

What is printed of distinct texts is remembered in one arena, the `_Store`; what belongs to rows (addresses, times,
pseudonyms) is printed into a fresh one for each block. A piece of a row is an address into either, or into the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.filtering.keys import Keyring
from logblur.filtering.layout import layout_of
from logblur.filtering.printing import NO_METHOD, NO_PROTOCOL, fitted, part_of_url, printed_number, printed_time
from logblur.formats import Escape, Field, Format, Kind
from logblur.jit import Bytes, Ints, Places, grown
from logblur.parse.parser import Found, Parser, Texts
from logblur.policy.plan import KEY_SIZE, Plan
from logblur.protect import printing_kernels as kernels
from logblur.protect.addresses import Addresses, spelled_spans
from logblur.protect.buckets import bucketed
from logblur.protect.clients import clients
from logblur.protect.door import local_times
from logblur.protect.lines import Speakers, protected_addresses, protected_text, rounded
from logblur.schema import PAD, Block

_LONGEST_ADDRESS: Final = 48  # with brackets, and to spare
_FULL: Final = 64 << 20
_QUARTER_US: Final = 900_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS: Final = frozenset({"method", "path", "query", "protocol", "host"})

Piece = tuple[Ints, Ints]
"""Where a piece of each row starts and ends."""


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
    """

    data: Bytes
    ends: Ints
    begins: Places
    refused: Ints
    why: Bytes
    directives: int

    def __repr__(self) -> str:
        return f"Lines({len(self.ends)})"


class _Store:
    """Printed texts, one behind the other; padded."""

    __slots__ = ("arena", "size")

    def __init__(self) -> None:
        self.arena: Bytes = np.zeros(1 << 16, np.uint8)
        self.size = 0

    def add(self, texts: Sequence[bytes]) -> Piece:
        """Keep these texts; return where each starts and ends."""
        joined = np.frombuffer(b"".join(texts), np.uint8)
        self.arena = grown(self.arena, self.size + len(joined) + PAD)
        self.arena[self.size : self.size + len(joined)] = joined
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64) + self.size + kernels.STORE
        self.size += len(joined)
        return np.concatenate([[ends[0] - len(texts[0])], ends[:-1]]) if texts else ends, ends


class _Column:
    """What is printed of the texts of one column, by code."""

    __slots__ = ("_ends", "_print", "_starts", "_store", "texts")

    def __init__(self, escape: Escape, store: _Store, printer: Callable[[list[str | None]], list[bytes]]) -> None:
        self.texts = Texts(escape)
        self._store, self._print = store, printer
        self._starts: Ints = np.empty(0, np.int64)
        self._ends: Ints = np.empty(0, np.int64)

    def pieces(self, data: Bytes, starts: Places, ends: Places, rows: int, size: int) -> Piece:
        """Return what is printed of each span."""
        known = self.texts.count
        codes = np.empty(rows, np.int32)
        self.texts.codes(data, starts, ends, rows, size, codes)
        if self.texts.count > known:
            first, last = self._store.add(self._print(self.texts.array(known).to_pylist()))
            self._starts = grown(self._starts, self.texts.count)
            self._ends = grown(self._ends, self.texts.count)
            self._starts[known : self.texts.count], self._ends[known : self.texts.count] = first, last
        return self._starts[codes], self._ends[codes]


class _Rows:
    """The lines of one block that fit, and what is printed of them."""

    def __init__(self, block: Block, found: Found) -> None:
        self.data, self.size, self.rows = block.data, block.size, found.rows
        self.times: Ints = found.scalars["time"]
        self.scalars = found.scalars
        self.fresh: list[Bytes] = []
        self.fresh_size = 0

    def place(self, printed: Bytes, ends: Ints) -> Piece:
        """Return where what was printed for each row now is."""
        base = kernels.FRESH + self.fresh_size
        self.fresh.append(printed)
        self.fresh_size += len(printed)
        return np.concatenate([[0], ends[:-1]]) + base if len(ends) else ends, ends + base


class Fast:
    """Protects the lines of one format, a block at a time. One thread uses it at a time.

    Args:
        form: The format; its alternatives are not looked at.
        plan: What becomes of each field.
        speakers: What is said of texts.
        keys: For pseudonyms.
        latest_us: A later time is a reject.

    Cost:
        A few passes over each block; distinct texts are looked at once, until `_FULL` bytes of them are known.
    """

    def __init__(self, form: Format, plan: Plan, speakers: Speakers, keys: Keyring, *, latest_us: int) -> None:
        self._form, self._plan, self._speakers, self._keys = form, plan, speakers, keys
        self._parser = Parser(form, (), latest_us=latest_us, local=plan.log_zone, located=form.columns)
        self._layout = layout_of(form)
        self._begin()

    def _begin(self) -> None:
        self._store = _Store()
        self._columns: dict[tuple[int, str], _Column] = {}
        self._constants: dict[bytes, tuple[int, int]] = {}
        self._classes: Piece | None = None

    def lines(self, block: Block) -> Lines:
        """Return the lines of a block, protected. Never raises, whatever the bytes."""
        if self._store.size + sum(column.texts.size for column in self._columns.values()) > _FULL:
            self._begin()
        found = self._parser.find(self._form, block.data, block.size)
        rows = _Rows(block, found)
        pieces: list[Piece] = []
        literals: list[bytes] = [b""]
        for place, k in enumerate(self._layout.order):
            literals[-1] += self._layout.literals[place]
            made = self._field(
                k, self._form.fields[k], self._layout.literals[place + 1], self._layout.nothing[place], rows
            )
            for piece in made:
                if isinstance(piece, bytes):  # the same in every line: as good as a literal
                    literals[-1] += piece
                else:
                    pieces.append(piece)
                    literals.append(b"")
        literals[-1] += self._layout.literals[-1]
        data, ends = self._spliced(rows, pieces, literals)
        begins = self._parser.spans.lines[: rows.rows].copy()
        return Lines(data, ends, begins, found.refused, found.why, found.directives)

    def _spliced(self, rows: _Rows, pieces: Sequence[Piece], literals: Sequence[bytes]) -> tuple[Bytes, Ints]:
        starts, ends = (np.stack([piece[side] for piece in pieces]) for side in (0, 1))
        pool = np.frombuffer(b"".join(literals) + bytes(PAD), np.uint8)
        limits = np.cumsum([0, *map(len, literals)])
        size = int((ends - starts).sum()) + rows.rows * (int(limits[-1]) + 1)
        out, line_ends = np.empty(size + PAD, np.uint8), np.empty(rows.rows, np.int64)
        fresh = np.concatenate([*rows.fresh, np.zeros(PAD, np.uint8)])
        kernels.splice(rows.data, self._store.arena, fresh, pool, limits, starts, ends, out, line_ends)
        return out[:size], line_ends

    def _constant(self, text: bytes, rows: int) -> Piece:
        if text not in self._constants:
            starts, ends = self._store.add([text])
            self._constants[text] = int(starts[0]), int(ends[0])
        start, end = self._constants[text]
        return np.full(rows, start), np.full(rows, end)

    def _spans(self, k: int, rows: _Rows) -> Piece:
        spans = self._parser.spans
        return spans.starts[k, : rows.rows].astype(np.int64), spans.ends[k, : rows.rows].astype(np.int64)

    def _field(self, k: int, field: Field, literal: bytes, nothing: bytes, rows: _Rows) -> list[Piece | bytes]:
        method = self._speakers.method(field.name)
        if field.kind in {Kind.REQUEST, Kind.URL} and field.name:
            return self._request(k, field, literal, rows)
        if field.kind is Kind.TIME and field.name:
            return [self._kept(k, nothing, rows) if method == "keep" else self._times(field, method, rows)]
        if not field.name or (method == "drop" and field.name != self._plan.client.field):
            return [nothing]
        if field.name in {"remote_addr", self._plan.client.field}:
            return [self._address(k, field, literal, rows)]
        if field.kind is Kind.STATUS and method == "class":
            return [self._class(field, nothing, rows)]
        if method == "bucket":
            return [self._buckets(field, nothing, rows)]
        if method == "pseudonym":
            return [self._pseudonyms(k, field, rows)]
        said = self._speakers.of(field.name)
        if said == "keep":
            return [self._kept(k, nothing, rows)]
        name = "referer_host" if field.name == "referer" and method == "domain" else field.name
        return [self._texts(k, field, name, said, literal, rows)]

    def _kept(self, k: int, nothing: bytes, rows: _Rows) -> Piece:
        """The bytes as they stand; what is missing says so."""
        starts, ends = self._spans(k, rows)
        if self._form.fields[k].quoted and not self._form.keys:
            return starts, ends
        none, end = self._constant(nothing, rows.rows)
        missing = starts == ends
        return np.where(missing, none, starts), np.where(missing, end, ends)

    def _part(self, k: int, field: Field, name: str, rows: _Rows) -> tuple[Places, Places]:
        for _, starts, ends in self._parser.parts(field, rows.data, k, rows.rows, frozenset({name})):
            return starts, ends
        raise ValueError("the field has no such part")

    def _column(self, k: int, field: Field, name: str, printer: Callable[[list[str | None]], list[bytes]]) -> _Column:
        if (k, name) not in self._columns:
            self._columns[k, name] = _Column(field.escape, self._store, printer)
        return self._columns[k, name]

    def _texts(self, k: int, field: Field, name: str, said: Any, literal: bytes, rows: _Rows) -> Piece:
        def printer(texts: list[str | None]) -> list[bytes]:
            return [fitted(text, field, literal) for text in said(texts)]

        starts, ends = self._part(k, field, name, rows)
        return self._column(k, field, name, printer).pieces(rows.data, starts, ends, rows.rows, rows.size)

    def _request(self, k: int, field: Field, literal: bytes, rows: _Rows) -> list[Piece | bytes]:
        """Method, host, path and protocol, or ``-`` for what is no request."""
        spans = {
            name: (starts, ends) for name, starts, ends in self._parser.parts(field, rows.data, k, rows.rows, _PARTS)
        }
        request = field.kind is Kind.REQUEST
        there = spans["method"][1] > spans["method"][0] if request else np.ones(rows.rows, np.bool_)
        made: list[Piece | bytes] = [b""]
        for name in ("method", "host", "path", "protocol"):
            said = self._speakers.of(name) if name in field.columns else None
            if said is None or (name == "host" and self._speakers.of("path") is None):
                instead = {"method": NO_METHOD + b" ", "path": b"-", "protocol": b" " + NO_PROTOCOL}.get(name, b"")
                instead = instead if request or name == "path" else b""
                made[-1:] = [made[-1] + instead] if isinstance(made[-1], bytes) else [made[-1], instead]
            else:
                made.append(self._part_of_request(k, field, name, said, literal, spans[name], rows))
        if not request:
            return made
        out: list[Piece | bytes] = []
        for number, part in enumerate(made):
            starts, ends = self._constant(part, rows.rows) if isinstance(part, bytes) else part
            first, last = self._constant(b"" if number else b"-", rows.rows)
            out.append((np.where(there, starts, first), np.where(there, ends, last)))
        return out

    def _part_of_request(
        self, k: int, field: Field, name: str, said: Any, literal: bytes, spans: tuple[Places, Places], rows: _Rows
    ) -> Piece:
        def printer(texts: list[str | None]) -> list[bytes]:
            behind = b" " if name == "method" else b""
            return [part_of_url(text, name, field, literal) + behind for text in said(texts)]

        return self._column(k, field, name, printer).pieces(rows.data, *spans, rows.rows, rows.size)

    def _times(self, field: Field, method: str, rows: _Rows) -> Piece:
        """The start of the second, minute, hour or day, once for each; zones change at quarters of an hour."""
        step = {"second": 1_000_000, "minute": 60_000_000}.get(method, _QUARTER_US)
        steps, codes = np.unique(rows.times // step, return_inverse=True)
        printed = []
        for begin in (steps * step).tolist():
            local = (_EPOCH + timedelta(microseconds=begin)).astimezone(self._plan.zone)
            printed.append(printed_time(rounded(local, method), field.layout, self._plan.log_zone))
        texts = np.frombuffer(b"".join(printed), np.uint8)
        ends = np.cumsum([len(text) for text in printed], dtype=np.int64)
        starts, ends = rows.place(texts, ends)
        return starts[codes], ends[codes]

    def _class(self, field: Field, nothing: bytes, rows: _Rows) -> Piece:
        if self._classes is None:
            self._classes = self._store.add([nothing if k < 100 else b"%d00" % (k // 100) for k in range(1000)])
        status = rows.scalars[field.name]
        return self._classes[0][status], self._classes[1][status]

    def _buckets(self, field: Field, nothing: bytes, rows: _Rows) -> Piece:
        values, codes = np.unique(bucketed(rows.scalars[field.name]), return_inverse=True)
        printed = [printed_number(value, field, nothing) for value in values.tolist()]
        starts, ends = rows.place(
            np.frombuffer(b"".join(printed), np.uint8), np.cumsum([len(text) for text in printed], dtype=np.int64)
        )
        return starts[codes], ends[codes]

    def _address(self, k: int, field: Field, literal: bytes, rows: _Rows) -> Piece:
        method = self._speakers.method("remote_addr")
        if method == "drop":
            return self._constant(b"-", rows.rows)
        found = self._clients(k, field, rows)
        if method == "keep" and self._plan.client.field == "remote_addr":
            return self._kept(k, b"-", rows)
        days = local_times(rows.times, self._plan.zone)
        keyed = method in KEY_SIZE
        keys = [self._keys.of(self._plan, "remote_addr", day) for day in days.dates] if keyed else []
        made = protected_addresses(found, self._plan, days.numbers, keys)
        if isinstance(made, pa.Array):
            return rows.place(*_hexadecimal(made))
        standing = kernels.BRACKETED if field.kind is Kind.ADDRESS else kernels.PLAIN
        standing = kernels.NOWHERE if literal[:1] == b":" else standing
        out, ends = np.empty(_LONGEST_ADDRESS * rows.rows + PAD, np.uint8), np.empty(rows.rows, np.int64)
        kernels.print_addresses(made.high, made.low, made.family, standing, out, ends)
        return rows.place(out[: ends[-1] if rows.rows else 0], ends)

    def _clients(self, k: int, field: Field, rows: _Rows) -> Addresses:
        """The client of each row: of the field alone, or past proxies from two."""
        client = self._plan.client
        if client.field == "remote_addr" and not client.trusted_proxies:
            starts, ends = self._part(k, field, "remote_addr", rows)
            return spelled_spans(rows.data, starts.astype(np.int64), ends.astype(np.int64))[0]
        columns: dict[str, pa.DictionaryArray] = {}
        for number, other in enumerate(self._form.fields):
            if other.name in {"remote_addr", client.field}:
                starts, ends = self._part(number, other, other.name, rows)
                texts, codes = Texts(other.escape), np.empty(rows.rows, np.int32)
                texts.codes(rows.data, starts, ends, rows.rows, rows.size, codes)
                columns[other.name] = pa.DictionaryArray.from_arrays(pa.array(codes), texts.array())
        found = clients(pa.RecordBatch.from_pydict(columns), client)
        assert found is not None
        a = found.addresses
        return Addresses(a.high[found.codes], a.low[found.codes], a.family[found.codes])

    def _pseudonyms(self, k: int, field: Field, rows: _Rows) -> Piece:
        starts, ends = self._part(k, field, field.name, rows)
        texts, codes = Texts(field.escape), np.empty(rows.rows, np.int32)
        texts.codes(rows.data, starts, ends, rows.rows, rows.size, codes)
        days = local_times(rows.times, self._plan.zone)
        keys = [self._keys.of(self._plan, field.name, day) for day in days.dates]
        numbers, printed = protected_text(texts.array().to_pylist(), codes, days.numbers, keys, field=field.name)
        said = [text.encode() for text in printed]
        first, last = rows.place(
            np.frombuffer(b"".join(said), np.uint8), np.cumsum([len(text) for text in said], dtype=np.int64)
        )
        return first[numbers], last[numbers]


def _hexadecimal(values: pa.Array) -> tuple[Bytes, Ints]:
    """Return the hex digits of each value, ``-`` for null, and where each ends."""
    width, rows = values.type.byte_width, len(values)
    raw = np.frombuffer(values.buffers()[1] or b"", np.uint8)[: rows * width].reshape(rows, width)
    digits = np.empty((rows, 2 * width), np.uint8)
    digits[:, 0::2], digits[:, 1::2] = kernels.DIGITS[raw >> 4], kernels.DIGITS[raw & 15]
    present: npt.NDArray[np.bool_] = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    digits[~present, 0] = ord("-")
    shown = np.arange(2 * width) < np.where(present, 2 * width, 1)[:, None]
    return digits[shown], np.cumsum(shown.sum(axis=1), dtype=np.int64)
