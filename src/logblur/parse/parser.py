"""Drives the kernels: blocks in, columns accumulated, one `Parsed` out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.formats import CLF, UNITS, Escape, Field, Format, Kind, w3c
from logblur.formats.times import ANY, minute_of, program
from logblur.formats.wrapping import unwrapped
from logblur.jit import Bytes, Ints, Places, grown
from logblur.parse import json_kernels, scan_kernels, span_kernels, url_kernels, value_kernels
from logblur.parse.interning import Texts
from logblur.parse.objects import Objects
from logblur.parse.program import Delimited, Spans
from logblur.parse.refused import Refused, gathered, is_final
from logblur.schema import PAD, PARSED, TEXT, Block, Parsed, column

MAX_LINE_BYTES: Final = 64 << 10
"""A longer line is a reject."""

MAX_ROWS: Final = 1 << 20
MAX_TEXT_BYTES: Final = 64 << 20
MAX_DISTINCT: Final = 1 << 17
"""A parser is full past any of them: take what it has, so that memory stays bounded.

Distinct texts that were not there at the last take cost most: each is looked at by every later stage. A million lines
of a real log have some ten thousand.
"""

KEPT_TEXT_BYTES: Final = 32 << 20
KEPT_DISTINCT: Final = 1 << 17
"""Lasting dictionaries that at a take are together beyond one of them: the largest begin anew, the others go on."""

_ANOTHER: Final = 0.1
"""A guessed format is guessed again for a block in which more than this share of the lines is refused."""

_LOOKED_AT: Final = 16
"""How many lines of each block are looked at for whether a guessed format still fits."""

_PIECE: Final = 4 << 10
"""Bytes in which one of them is looked for."""

_MOST_LINES: Final = 1 << 16
"""Lines that are found together: of usual ones a block holds fewer."""

_LOOKED_FOR: Final = 64 << 10
"""Bytes in which the first line of a block is looked for first."""

_TRIED: Final = 100
"""How many of those lines are looked at."""

_PARTS: Final = ("method", "path", "query", "protocol", "host")
"""What the kernels take a request line or a URL apart into, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one pass over lines found.

    Attributes:
        size: Where the last of the lines ends.
        rows: How many lines fit.
        scalars: Of each of them: ``time`` in microseconds since 1970, statuses, sizes, durations.
        refused: Where the other lines start, in order.
        why: `Reason` of each, by number.
        directives: Lines that are neither.
    """

    size: int
    rows: int
    scalars: Mapping[str, npt.NDArray[Any]]
    refused: Ints
    why: Bytes
    directives: int


class Parser:
    """Accumulates the rows of blocks until they are taken.

    Args:
        form: A compiled format.
        columns: Names (`schema.column`) wanted; one that the format does not yield is not there, ``time`` always is
            read. A format that follows the log's own directives yields what its lines tell.
        latest_us: A later time is a reject (`Reason.FUTURE_TIME`); microseconds since 1970.
        max_line_bytes: A longer line is a reject.
        local: Where the clocks of times without a zone stand.
        located: Columns whose fields `find` is to tell the place of, besides texts that are wanted.
        lasting: Whether dictionaries go on after a take, while they are small: for those who make something of each
            text and keep it.

    Cost:
        One pass over each block and one over each column asked for; no Python object per line. Scratch of 13 bytes a
        byte of block at the worst and 0.7 MB a field, then `MAX_ROWS` rows, `MAX_DISTINCT` texts beside the
        `KEPT_DISTINCT` of earlier takes, of `MAX_TEXT_BYTES` in all, and one block.
        Lines that the format refuses are copied and read again for each alternative it has.
    """

    def __init__(
        self,
        form: Format,
        columns: Sequence[str],
        *,
        latest_us: int,
        max_line_bytes: int = MAX_LINE_BYTES,
        local: tzinfo = UTC,
        located: Collection[str] = (),
        lasting: bool = False,
    ) -> None:
        self.format = form
        self._wanted = frozenset(columns)
        self._located = frozenset(located).union(name for name in columns if column(name).type == TEXT)
        self._lasting = lasting
        self._latest_us, self._max_line, self._local = latest_us, max_line_bytes, local
        self.spans = Spans()
        self._finders: dict[Format, Delimited | Objects] = {}
        self.texts: dict[str, Texts] = {}
        self._foreign: dict[tuple[str, Escape], Texts] = {}
        self._restart()

    def _restart(self) -> None:
        self.rows = self.directives = 0
        kept = _small([*self.texts.values(), *self._foreign.values()]) if self._lasting else ()
        self.texts = {name: texts for name, texts in self.texts.items() if texts in kept}
        self._foreign = {key: texts for key, texts in self._foreign.items() if texts in kept}
        _, self._known = self._of_texts()
        self._elsewhere: list[tuple[str, int, int, Texts]] = []
        self._values: dict[str, npt.NDArray[Any]] = {}
        self._rejects: list[tuple[Ints, Bytes]] = []
        self._later: dict[Format, Refused] = {}
        for form in (self.format, *self.format.alternatives):
            for field in form.fields:
                self._begin(field)

    def _begin(self, field: Field) -> None:
        """Have the columns of a field that are wanted; of rows so far they say nothing."""
        for name in self._wanted.intersection(field.columns) - self._values.keys():
            # memory that is asked for but not written to costs nothing: no column grows before the parser is full
            self._values[name] = np.empty(MAX_ROWS + self.rows + (1 << 16), _numpy_type(name))
            if column(name).type == TEXT and name not in self.texts:
                self.texts[name] = Texts(field.escape)
            self._fill(name, 0, self.rows)

    def _fill(self, name: str, first: int, after: int) -> None:
        """Say nothing of a column in these rows."""
        if name in self.texts and after > first:
            nowhere = np.zeros(after - first, np.uint32)
            padding = np.zeros(PAD, np.uint8)
            self.texts[name].codes(padding, nowhere, nowhere, after - first, 0, self._values[name][first:after])
        else:
            self._values[name][first:after] = 0 if name == "status" else -1

    @property
    def full(self) -> bool:
        """Whether it is time to `take`."""
        size, distinct = self._of_texts()
        return self.rows >= MAX_ROWS or size >= MAX_TEXT_BYTES or distinct >= self._known + MAX_DISTINCT

    def _of_texts(self) -> tuple[int, int]:
        """Return how many bytes of distinct text there are, and how many distinct texts."""
        texts = (*self.texts.values(), *self._foreign.values())
        return sum(text.size for text in texts), sum(text.count for text in texts)

    def distinct(self, name: str) -> int:
        """Return how many distinct values of a text column there are so far; 0 for a column that is not read."""
        return self.texts[name].count if name in self.texts else 0

    def feed(self, block: Block) -> None:
        """Add the lines of a block. Never raises, whatever the bytes."""
        if self.format.wrapping:
            self._feed_unwrapped(block)
            return
        if not self.format.follows_fields:
            self._feed(block, self.format)
            return
        if not span_kernels.has_directives(block.data, block.size):
            self._feed(block, w3c.in_force(self.format, block.directives, _first_line(block)))
            return
        data = block.data[: block.size].tobytes()
        for begin, end, directives in w3c.runs(data, block.directives):
            lines = data[begin:end]
            part = block if len(lines) == block.size else Block.of(lines, block.offset + begin)
            self._feed(part, w3c.in_force(self.format, directives, lines))

    def _feed_unwrapped(self, block: Block) -> None:
        """Add the lines that stand within those of a block; one that does not fit is where that begins."""
        data = block.data[: block.size].tobytes()
        lines, counts = unwrapped(data, self.format)
        first = len(self._rejects)
        self._feed(Block.of(lines), self.format)
        self._catch_up()
        inner, outer = _begins(lines), _begins(data).repeat(counts)
        self._rejects[first:] = [
            (outer[np.searchsorted(inner, at)] + block.offset, why) for at, why in self._rejects[first:]
        ]

    def _feed(self, block: Block, form: Format) -> None:
        """Add the lines of a block, which are of this format or of one of its alternatives."""
        if self.format.guessed:
            form = self._retold(block, form)
        lines = -self.rows - self.directives
        refused, why = self._read(form, block.data, block.size)
        lines += self.rows + self.directives + len(refused)
        if form.header and len(refused):
            named = np.array([self._begins(block, at, form.header) for at in refused.tolist()])
            self.directives += int(np.count_nonzero(named))
            refused, why = refused[~named], why[~named]
        if len(refused) <= _ANOTHER * lines and form.alternatives:
            self._put_off(form, block, refused, why)
            return
        refused, why = self._read_again(form.alternatives, block, refused, why)
        if self.format.guessed and len(refused) > _ANOTHER * lines and (told := self._guessed(block, refused)):
            refused, why = self._read_again((told, *told.alternatives), block, refused, why)
        self._rejects.append((refused + block.offset, why))

    def _put_off(self, form: Format, block: Block, refused: Ints, why: Bytes) -> None:
        """Keep the lines of a block that a format refused, until they and others are worth reading again."""
        final = is_final(why)
        self._rejects.append((refused[final] + block.offset, why[final]))
        if len(refused := refused[~final]):
            later = self._later.setdefault(form, Refused())
            later.add(block, refused, why[~final])
            if later.enough:
                self._catch_up()

    def _catch_up(self) -> None:
        """Read what was put off."""
        later, self._later = self._later, {}
        for form, lines in later.items():
            block, begins, why, offsets = lines.block()
            refused, why = self._read_again(form.alternatives, block, begins, why)
            self._rejects.append((offsets[np.searchsorted(begins, refused)], why))

    def _read_again(self, forms: Sequence[Format], block: Block, refused: Ints, why: Bytes) -> tuple[Ints, Bytes]:
        """Add those of the refused lines that fit another of these formats, tried in order; return the others."""
        for form in forms:
            final = is_final(why)
            again = np.flatnonzero(~final)
            if not len(again):
                break
            lines, begins = gathered(block, refused[again])
            at, _ = self._read(form, Block.of(lines).data, len(lines))
            left = np.sort(np.concatenate([again[np.searchsorted(begins, at)], np.flatnonzero(final)]))
            refused, why = refused[left], why[left]
        return refused, why

    def _retold(self, block: Block, form: Format) -> Format:
        """Return the format of a block: another one, where the guessed one would take a site's name for the client."""
        from logblur.formats.infer import is_misread

        if form.fields[0].name != "remote_addr":
            return form
        places = range(0, block.size, block.size // _LOOKED_AT + 1)
        pieces = [block.data[max(at - 1, 0) : at + _PIECE].tobytes() for at in places]
        lines = [pieces[0], *(piece.partition(b"\n")[2] for piece in pieces[1:])]
        if not any(is_misread(line.partition(b"\n")[0], form) for line in lines):
            return form
        from logblur.parse.detect import guess

        lines = block.data[: block.size].tobytes().split(b"\n")[:-1]
        return guess(lines[:: max(len(lines) // _TRIED, 1)][:_TRIED]) or form

    def _guessed(self, block: Block, refused: Ints) -> Format | None:
        """Return the format of lines that are in none that the log began with: it may have changed."""
        from logblur.parse.detect import guess

        some = refused[:: max(len(refused) // _TRIED, 1)][:_TRIED]
        lines, _ = gathered(block, some)
        return guess(lines.rstrip(b"\n").split(b"\n"))

    @staticmethod
    def _begins(block: Block, at: int, header: bytes) -> bool:
        return block.data[at : at + len(header)].tobytes() == header

    def _read(self, form: Format, data: Bytes, size: int) -> tuple[Ints, Bytes]:
        """Add the lines that fit one format; return where the others start and why they do not fit, in order."""
        begin, refused, why = 0, [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
        while begin < size:
            lines = data[begin:]
            found = self.find(form, lines, size - begin, most=_MOST_LINES)
            self.directives += found.directives
            self._append(form, lines, found.size, found.rows, found.scalars)
            refused.append(found.refused + begin)
            why.append(found.why)
            begin += found.size
        return np.concatenate(refused), np.concatenate(why)

    def find(self, form: Format, data: Bytes, size: int, *, most: int | None = None) -> Found:
        """Return the lines that fit one format, whose `spans` stay until the next call, and the others.

        Args:
            form: Its alternatives are not looked at.
            data: Lines, padded.
            size: How many bytes of it are lines.
            most: Stop soon behind so many lines: those that fit nothing may be short, and take as much memory.
        """
        if form not in self._finders:
            self._finders[form] = (Objects if form.keys else Delimited)(form, self._max_line)
        lines, directives, end = self._finders[form].find(data, size, most or size, self.spans)
        reasons = self.spans.reasons[:lines]
        scalars = self._scalars(form, data, lines, reasons)
        kept, gone = self.spans.sift(lines)
        if not len(gone):
            return Found(end, lines, scalars, np.empty(0, np.int64), np.empty(0, np.uint8), directives)
        refused, why = self.spans.lines[gone].astype(np.int64), reasons[gone]
        refused, why = refused[why < scan_kernels.DIRECTIVE], why[why < scan_kernels.DIRECTIVE]
        self.spans.close_up(lines, gone, self._kept(form))
        scalars = {name: _picked(values, kept) for name, values in scalars.items()}
        return Found(end, len(kept), scalars, refused, why, directives + len(gone) - len(refused))

    def _kept(self, form: Format) -> Ints:
        """Return the fields of which `find` tells where they are."""
        return np.flatnonzero([not self._located.isdisjoint(field.columns) for field in form.fields])

    def _scalars(self, form: Format, data: Bytes, rows: int, reasons: Bytes) -> dict[str, npt.NDArray[Any]]:
        """Values of the fields that can refuse a line, wanted or not: times, statuses, sizes, durations."""
        values = {"time": self._times(form, data, rows, reasons)}
        for wanted in (Kind.STATUS, Kind.SIZE, Kind.DURATION):
            for k, field in enumerate(form.fields):
                if field.kind is not wanted or not field.name:
                    continue
                out = values[field.name] = np.empty(rows, _numpy_type(field.name))
                starts, ends = self.spans.starts[k, :rows], self.spans.ends[k, :rows]
                if wanted is Kind.STATUS:
                    value_kernels.statuses(data, starts, ends, rows, out, reasons)
                elif wanted is Kind.SIZE:
                    value_kernels.sizes(data, starts, ends, rows, out, reasons)
                else:
                    value_kernels.durations(data, starts, ends, rows, UNITS[field.layout], out, reasons)
        return values

    def _times(self, form: Format, data: Bytes, rows: int, reasons: Bytes) -> Ints:
        """Microseconds since 1970, UTC."""
        fields = [(k, field) for k, field in enumerate(form.fields) if field.kind is Kind.TIME and field.name]
        times = np.full(rows, form.day_us, np.int64) if form.day_us else np.zeros(rows, np.int64)
        for k, field in fields:
            starts, ends, unit = self.spans.starts[k], self.spans.ends[k], field.layout.removeprefix("+")
            if field.layout == CLF:
                value_kernels.add_clf_times(data, starts, ends, rows, times, reasons)
            elif unit == ANY:
                zoneless = np.empty(rows, np.bool_)
                json_kernels.any_times(data, starts, ends, rows, times, zoneless, reasons)
                times[zoneless] = _utc(times[zoneless], self._local)
            elif unit in UNITS:
                value_kernels.add_numbers(data, starts, ends, rows, UNITS[unit], times, reasons)
            else:
                tokens = np.array(program(field.layout))
                value_kernels.add_times(data, starts, ends, rows, tokens, *minute_of(field.layout), times, reasons)
        if form.local_time:
            times = _utc(times, self._local)
        value_kernels.check_times(times, self._latest_us, reasons)
        return times

    def _append(self, form: Format, data: Bytes, size: int, rows: int, scalars: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add the lines last found."""
        for field in form.fields:
            self._begin(field)
        first, after = self.rows, self.rows + rows
        self._values = {name: grown(values, after) for name, values in self._values.items()}
        left = set(self._values)
        for name in scalars.keys() & self._values.keys():
            span_kernels.put(scalars[name], self._values[name][first:after])
            left.discard(name)
        for k, field in enumerate(form.fields):
            if names := self.texts.keys() & set(field.columns):
                for name, starts, ends in self.parts(field, data, k, rows, names):
                    texts = self.texts[name]
                    if field.escape is not texts.escape:  # a log in which formats are mixed
                        texts = self._foreign.setdefault((name, field.escape), Texts(field.escape))
                        self._elsewhere.append((name, first, after, texts))
                    texts.codes(data, starts, ends, rows, size, self._values[name][first:after])
                    left.discard(name)
        for name in left:
            self._fill(name, first, after)
        self.rows = after

    def parts(
        self, field: Field, data: Bytes, k: int, rows: int, names: Set[str]
    ) -> Iterable[tuple[str, Places, Places]]:
        """Yield the spans of each column of a text field, the k-th, that is wanted, in the lines last found."""
        return parts_of(field, data, self.spans.starts[k, :rows], self.spans.ends[k, :rows], rows, names)

    def _dictionary(self, name: str) -> pa.Array:
        """Return the values of a text column; codes of differently escaped ones are moved behind the others."""
        texts = [self.texts[name], *(t for (of, _), t in self._foreign.items() if of == name)]
        places = dict(zip(map(id, texts), np.cumsum([0, *(t.count for t in texts)]).tolist(), strict=False))
        for of, first, after, own in self._elsewhere:
            if of == name:
                self._values[name][first:after] += places[id(own)]
        arrays = [t.whole() for t in texts]
        return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)

    def take(self) -> Parsed:
        """Return all rows since the last take.

        Lasting dictionaries hold the texts of earlier rows, too: a code stands for the same text until they begin anew.
        """
        self._catch_up()
        columns, rows = [], self.rows
        places = {name: k for k, name in enumerate(PARSED.names)}
        names = sorted(self._values, key=lambda name: (places.get(name, len(places)), name))
        for name in names:
            values = self._values[name][:rows]
            if name in self.texts:
                texts = self._dictionary(name)
                columns.append(pa.DictionaryArray.from_arrays(pa.array(values), texts, safe=False))
            elif name == "time":
                columns.append(pa.array(values).cast(column(name).type))
            else:
                columns.append(pa.array(values, column(name).type, mask=values < (name == "status")))
        batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema([column(name) for name in names]))
        offsets = np.concatenate([np.empty(0, np.int64), *(at for at, _ in self._rejects)])
        reasons = np.concatenate([np.empty(0, np.uint8), *(why for _, why in self._rejects)])
        order = offsets.argsort(kind="stable")
        parsed = Parsed(batch, offsets[order], reasons[order], self.directives, rows)
        self._restart()
        return parsed


def parse(
    blocks: Iterable[Block],
    form: Format,
    columns: Sequence[str],
    *,
    latest_us: int,
    max_line_bytes: int = MAX_LINE_BYTES,
    local: tzinfo = UTC,
) -> Parsed:
    """Split whole log lines into typed columns, refusing every line that does not fit.

    Args:
        blocks: Whole lines, in any cut: it changes nothing but the order.
        form: A compiled log format.
        columns: Names (`schema.column`); those that the format does not yield are left out.
        latest_us: Microseconds since 1970; a later time is a reject.
        max_line_bytes: A longer line is a reject.
        local: Where the clocks of times without a zone stand.

    Returns:
        `Parsed`: n lines give a rows, r rejects and n - a - r directives.

    Raises:
        Nothing, for any bytes.

    Source:
        Apache httpd 2.4 ``ap_escape_logitem`` (server/util.c), nginx ``log_format escape=default``, RFC 9112.
    """
    parser = Parser(form, columns, latest_us=latest_us, max_line_bytes=max_line_bytes, local=local)
    for block in blocks:
        parser.feed(block)
    return parser.take()


def parts_of(
    field: Field, data: Bytes, starts: Places, ends: Places, rows: int, names: Set[str]
) -> Iterable[tuple[str, Places, Places]]:
    """Yield the spans of each column of a text field that is wanted; the field itself stands in these spans."""
    if field.kind in {Kind.REQUEST, Kind.URL}:
        parts = np.empty((2 * len(_PARTS), rows), np.uint32)
        if field.kind is Kind.REQUEST:
            url_kernels.request_parts(data, starts, ends, rows, parts)
        else:
            url_kernels.url_parts(data, starts, ends, rows, parts)
        for i, name in enumerate(_PARTS):
            if name in names:
                yield name, parts[2 * i], parts[2 * i + 1]
        return
    if field.kind is Kind.ADDRESS:
        spans = np.empty((2, rows), np.uint32)
        url_kernels.addresses(data, starts, ends, rows, field.layout == "port", spans)
        starts, ends = spans
    if field.name in names:
        yield field.name, starts, ends
    if field.name == "referer" and "referer_host" in names:
        hosts = np.empty((2, rows), np.uint32)
        url_kernels.referrer_hosts(data, starts, ends, rows, hosts)
        yield "referer_host", hosts[0], hosts[1]


def _small(dictionaries: Sequence[Texts]) -> set[Texts]:
    """Return those that are small enough to go on: as many as may, the smallest first."""
    kept: set[Texts] = set()
    size = count = 0
    for texts in sorted(dictionaries, key=lambda texts: texts.count / KEPT_DISTINCT + texts.size / KEPT_TEXT_BYTES):
        size, count = size + texts.size, count + texts.count
        if size > KEPT_TEXT_BYTES or count > KEPT_DISTINCT:
            break
        kept.add(texts)
    return kept


def _picked(values: npt.NDArray[Any], rows: Ints) -> npt.NDArray[Any]:
    """Return ``values[rows]``, for which NumPy would let others have the interpreter, and wait to have it back."""
    out = np.empty(len(rows), values.dtype)
    span_kernels.pick(values, rows, out)
    return out


def _numpy_type(name: str) -> npt.DTypeLike:
    kind = column(name).type
    return np.int32 if kind == TEXT else np.int64 if name == "time" else kind.to_pandas_dtype()


def _first_line(block: Block) -> bytes:
    """Return the start of a block, with a line that is not blank in it if there is one."""
    some = block.data[: min(block.size, _LOOKED_FOR)].tobytes()
    return some if b"\n" in some.lstrip(b"\r\n") else block.data[: block.size].tobytes()


def _begins(lines: bytes) -> Ints:
    """Return where each line begins."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == 10)
    return np.append(0, ends[:-1] + 1) if len(ends) else ends


def _utc(times: Ints, zone: tzinfo) -> Ints:
    """Return the UTC of clocks in a zone; of an hour that comes twice, the first."""
    if not len(times):
        return times
    quarters = times // 900_000_000
    begins = np.flatnonzero(np.append(True, quarters[1:] != quarters[:-1]))  # most lines are of the quarter before
    quarters, which = np.unique(quarters[begins], return_inverse=True)
    which = which.repeat(np.diff(begins, append=len(times)))
    shifts = np.zeros(len(quarters), np.int64)
    for k, value in enumerate(quarters.tolist()):
        seconds = min(max(value * 900, 0), 253_000_000_000)
        shift = (datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=seconds)).utcoffset()
        shifts[k] = (shift or timedelta()) // timedelta(microseconds=1)
    return times - shifts[which]
