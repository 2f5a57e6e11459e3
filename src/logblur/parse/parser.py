"""Drives the kernels: blocks in, columns accumulated, one `Parsed` out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.formats import Format, Kind
from logblur.jit import Bytes, Codes, Ints, Words, grown
from logblur.parse import kernels
from logblur.parse.text import texts_of
from logblur.schema import PAD, PARSED, TEXT, Block, Parsed

MAX_LINE_BYTES: Final = 64 << 10
"""A longer line is a reject."""

MAX_ROWS: Final = 1 << 20
MAX_TEXT_BYTES: Final = 64 << 20
"""A parser is full past either: take what it has, so that memory stays bounded."""

_WIDTHS: Final = {Kind.TIME_CLF: 26, Kind.STATUS: 3}
_REQUEST_PARTS: Final = ("method", "path", "query", "protocol")


class Texts:
    """Distinct byte strings and their codes: an open-addressing table with a random seed per process.

    The arrays grow between blocks, never inside a kernel.
    """

    __slots__ = ("arena", "count", "hashes", "limits", "places", "slots")

    seeds: Final[Words] = np.frombuffer(os.urandom(56), np.uint64) | np.uint64(1)

    def __init__(self) -> None:
        self.count = 0
        self.slots: Words = np.zeros(2, np.uint64)
        self.hashes: Words = np.zeros(0, np.uint64)
        self.limits: Ints = np.zeros(1, np.int64)
        self.arena: Bytes = np.zeros(PAD, np.uint8)
        self.places: Words = np.empty(0, np.uint64)

    def codes(self, buffer: Bytes, starts: Codes, ends: Codes, rows: int, room: int, codes: Codes) -> None:
        """Write the code of each span into ``codes``; the spans have at most ``room`` bytes in all."""
        if self.count + rows > len(self.hashes):
            self.hashes = grown(self.hashes, self.count + rows)
            self.limits = grown(self.limits, len(self.hashes) + 1)
            self.slots = np.zeros(2 * len(self.hashes), np.uint64)
            kernels.rehash(self.slots, self.hashes, self.count)
        self.arena = grown(self.arena, int(self.limits[self.count]) + room + PAD)
        self.places = grown(self.places, rows)
        self.count = kernels.intern(
            buffer, starts, ends, rows, codes, self.places,
            self.slots, self.hashes, self.limits, self.arena, self.seeds, self.count,
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Bytes of distinct text."""
        return int(self.limits[self.count])

    def array(self, first: int = 0) -> pa.Array:
        """Return the texts from code ``first`` on as large_string, see `texts_of`."""
        return texts_of(self.arena, self.limits[first:], self.count - first)


class Parser:
    """Accumulates the rows of blocks until they are taken.

    Args:
        form: A compiled format.
        columns: Names in `schema.PARSED` that the format yields; others are not looked at. ``time`` is always read.
        latest_us: A later time is a reject (`Reason.FUTURE_TIME`); microseconds since 1970.
        max_line_bytes: A longer line is a reject.

    Cost:
        One pass over each block and one over each column asked for; no Python object per line. Scratch of about
        9 bytes per byte of block at the worst, then `MAX_ROWS` rows and `MAX_TEXT_BYTES` of texts plus one block.
    """

    def __init__(
        self, form: Format, columns: Sequence[str], *, latest_us: int, max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        self.format = form
        self.columns = tuple(name for name in PARSED.names if name in columns and name in form.columns)
        self._latest_us, self._max_line = latest_us, max_line_bytes
        literals = form.literals
        self._pool: Bytes = np.frombuffer(b"".join(literals) + bytes(PAD), np.uint8)
        self._limits: Ints = np.cumsum([0, *map(len, literals)])
        self._heads: Words = np.array([int.from_bytes(x[:8], "little") for x in literals], np.uint64)
        self._masks: Words = np.array([(1 << 8 * min(len(x), 8)) - 1 for x in literals], np.uint64)
        self._stops: Bytes = np.array([(x or b"\n")[0] for x in literals[1:]], np.uint8)
        self._quoted = np.array([f.quoted for f in form.fields])
        # %l and %u are "-" in nearly every log
        self._widths: Ints = np.array(
            [
                _WIDTHS.get(f.kind, int(f.kind is Kind.TEXT and f.name in {"", "remote_user"} and not f.quoted))
                for f in form.fields
            ]
        )
        self._shortest = 1 + sum(map(len, literals))
        self._scratch(0)
        self._restart()

    def _scratch(self, size: int) -> None:
        rows = size // self._shortest + 1
        self._starts: Codes = np.empty((len(self._stops), rows), np.int32)
        self._ends: Codes = np.empty_like(self._starts)
        self._lines: Codes = np.empty(rows, np.int32)
        self._bad_at: Codes = np.empty(size // 2 + 1, np.int32)
        self._bad: Bytes = np.empty(size // 2 + 1, np.uint8)
        self._scratch_size = size

    def _restart(self) -> None:
        self.rows = self.rejects = self.directives = 0
        self.texts = {name: Texts() for name in self.columns if PARSED.field(name).type == TEXT}
        # memory that is asked for but not written to costs nothing: no column grows before the parser is full
        self._values: dict[str, npt.NDArray[Any]] = {
            name: np.empty(MAX_ROWS + len(self._lines), _numpy_type(name)) for name in self.columns
        }
        self._rejects: list[tuple[Ints, Bytes]] = []

    @property
    def full(self) -> bool:
        """Whether it is time to `take`."""
        return self.rows >= MAX_ROWS or sum(t.size for t in self.texts.values()) >= MAX_TEXT_BYTES

    def distinct(self, name: str) -> int:
        """Return how many distinct values of a text column there are so far; 0 for a column that is not read."""
        return self.texts[name].count if name in self.texts else 0

    def feed(self, block: Block) -> None:
        """Add the lines of a block. Never raises, whatever the bytes."""
        if block.size > self._scratch_size:
            self._scratch(block.size)
        data = block.data
        found, rejects, directives = kernels.find_fields(
            data, 0, block.size, self._pool, self._limits, self._heads, self._masks, self._stops, self._quoted,
            self._widths, self._max_line, self._starts, self._ends, self._lines, self._bad_at, self._bad,
        )  # fmt: skip
        reasons = np.zeros(found, np.uint8)
        scalars = self._scalars(data, found, reasons)
        reject_at, reject_reasons = self._bad_at[:rejects].astype(np.int64), self._bad[:rejects].copy()
        lines = self._lines[:found]
        keep: Any
        if reasons.any():
            keep, drop = np.flatnonzero(reasons == 0), np.flatnonzero(reasons)
            reject_at = np.concatenate([reject_at, lines[drop]])
            reject_reasons = np.concatenate([reject_reasons, reasons[drop]])
            order = np.argsort(reject_at)
            reject_at, reject_reasons = reject_at[order], reject_reasons[order]
        else:
            keep = slice(found)
        self._rejects.append((reject_at + block.offset, reject_reasons))
        self.rejects += len(reject_at)
        self.directives += directives
        self._append(data, block.size, found - np.count_nonzero(reasons), keep, scalars)

    def _scalars(self, data: Bytes, rows: int, reasons: Bytes) -> dict[str, npt.NDArray[Any]]:
        """Values of the fields that can refuse a line, wanted or not: times, then statuses, then sizes."""
        values: dict[str, npt.NDArray[Any]] = {}
        for wanted in (Kind.TIME_CLF, Kind.STATUS, Kind.BYTES):
            for k, field in enumerate(self.format.fields):
                if field.kind is not wanted or not field.name:
                    continue
                out = values[field.name] = np.empty(rows, _numpy_type(field.name))
                starts, ends = self._starts[k], self._ends[k]
                if wanted is Kind.TIME_CLF:
                    kernels.clf_times(data, starts, ends, rows, self._latest_us, out, reasons)
                elif wanted is Kind.STATUS:
                    kernels.statuses(data, starts, ends, rows, out, reasons)
                else:
                    kernels.sizes(data, starts, ends, rows, out, reasons)
        return values

    def _append(self, data: Bytes, size: int, rows: int, keep: Any, scalars: dict[str, npt.NDArray[Any]]) -> None:
        """Add the lines ``keep`` of those last found."""
        first, after = self.rows, self.rows + rows
        self._values = {name: grown(values, after) for name, values in self._values.items()}
        for name in scalars.keys() & self._values.keys():
            self._values[name][first:after] = scalars[name][keep]
        for k, field in enumerate(self.format.fields):
            spans: dict[str, tuple[Codes, Codes]] = {}
            if field.kind is Kind.REQUEST and field.name and self.texts.keys() & set(_REQUEST_PARTS):
                parts = np.empty((8, rows), np.int32)
                kernels.request_parts(data, self._starts[k][keep], self._ends[k][keep], rows, parts)
                spans = {name: (parts[2 * i], parts[2 * i + 1]) for i, name in enumerate(_REQUEST_PARTS)}
            elif field.kind is Kind.TEXT and self.texts.keys() & {field.name, f"{field.name}_host"}:
                spans[field.name] = self._starts[k][keep], self._ends[k][keep]
                if field.name == "referer" and "referer_host" in self.texts:
                    hosts = np.empty((2, rows), np.int32)
                    kernels.referrer_hosts(data, *spans[field.name], rows, hosts)
                    spans["referer_host"] = hosts[0], hosts[1]
            for name in spans.keys() & self.texts.keys():
                self.texts[name].codes(data, *spans[name], rows, size, self._values[name][first:after])
        self.rows = after

    def take(self) -> Parsed:
        """Return all since the last take, and start anew: dictionaries too."""
        columns, rows = [], self.rows
        for name in self.columns:
            values = self._values[name][:rows]
            if name in self.texts:
                columns.append(pa.DictionaryArray.from_arrays(pa.array(values), self.texts[name].array(), safe=False))
            elif name == "bytes_sent":
                columns.append(pa.array(values, pa.int64(), mask=values < 0))
            else:
                columns.append(pa.array(values).cast(PARSED.field(name).type))
        batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema([PARSED.field(name) for name in self.columns]))
        offsets = np.concatenate([np.empty(0, np.int64), *(at for at, _ in self._rejects)])
        reasons = np.concatenate([np.empty(0, np.uint8), *(why for _, why in self._rejects)])
        parsed = Parsed(batch, offsets, reasons, self.directives, rows)
        self._restart()
        return parsed


def parse(
    blocks: Iterable[Block],
    form: Format,
    columns: Sequence[str],
    *,
    latest_us: int,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Parsed:
    """Split whole log lines into typed columns, refusing every line that does not fit.

    Args:
        blocks: Whole lines, in any cut: it changes nothing but the order.
        form: A compiled log format.
        columns: Names in `schema.PARSED`; those that the format does not yield are left out.
        latest_us: Microseconds since 1970; a later time is a reject.
        max_line_bytes: A longer line is a reject.

    Returns:
        `Parsed`: n lines give a rows, r rejects and n - a - r directives.

    Raises:
        Nothing, for any bytes.

    Source:
        Apache httpd 2.4 ``ap_escape_logitem`` (server/util.c), nginx ``log_format escape=default``, RFC 9112.
    """
    parser = Parser(form, columns, latest_us=latest_us, max_line_bytes=max_line_bytes)
    for block in blocks:
        parser.feed(block)
    return parser.take()


def _numpy_type(name: str) -> npt.DTypeLike:
    return {"time": np.int64, "status": np.int16, "bytes_sent": np.int64}.get(name, np.int32)
