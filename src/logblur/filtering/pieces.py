"""What is printed in the place of fields: a text is printed once, and a row then has the number of its text.

Texts stay in one arena, the `Store`, each with the literal that stands behind it in the line, so that a line is put
together from few pieces (`protect.printing_kernels`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from logblur.filtering.keys import Keyring
from logblur.filtering.printing import (
    NO_METHOD,
    NO_PROTOCOL,
    NOTHING,
    fitted,
    is_lost,
    part_of_url,
    printed_number,
    printed_time,
    within_quotes,
)
from logblur.formats import Escape, Field, Kind
from logblur.jit import Bytes, Codes, Ints, Places, grown
from logblur.parse.interning import Texts
from logblur.parse.parser import Found, Parser, parts_of
from logblur.parse.text import text_of
from logblur.policy.plan import KEY_SIZE, Plan
from logblur.protect import printing_kernels as kernels
from logblur.protect.addresses import Addresses, Network, joined_texts, spelled_addresses
from logblur.protect.buckets import bucketed
from logblur.protect.lines import Said, Speakers, protected_addresses, protected_texts
from logblur.protect.times import QUARTER_US, STEPS_US, rounded
from logblur.schema import PAD

_FULL: Final = 64 << 20
_DAYS: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SOCKET: Final = "unix:"
_IN_ORDER: Final = ("method", "host", "path", "query", "protocol")


class Store:
    """Printed texts, one behind the other, and what they were printed of.

    Attributes:
        arena: The texts, padded; a text is known by a number, see `printing_kernels`.
    """

    __slots__ = ("_known", "arena", "size")

    def __init__(self) -> None:
        self.arena: Bytes = np.zeros(1 << 16, np.uint8)
        self.size = 0
        self._known: list[Texts] = []

    @property
    def full(self) -> bool:
        """Whether it is time to begin anew, so that memory stays bounded."""
        return self.size + sum(texts.size for texts in self._known) > _FULL

    def texts(self, escape: Escape) -> Texts:
        """Return a table of texts, whose size counts here."""
        self._known.append(Texts(escape))
        return self._known[-1]

    def add(self, texts: Sequence[bytes], behind: bytes) -> Ints:
        """Keep these texts, each with the same bytes behind it; return their numbers."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(behind)
        return self._add(np.frombuffer(behind.join([*texts, b""]), np.uint8), lengths)

    def add_addresses(self, found: Addresses, standing: int, behind: bytes) -> Ints:
        """Keep the texts of addresses, ``-`` for none."""
        out, ends = joined_texts(found, standing, behind)
        return self._add(out[: ends[-1] if len(ends) else 0], np.diff(ends, prepend=0))

    def _add(self, joined: Bytes, lengths: Ints) -> Ints:
        self.arena = grown(self.arena, self.size + len(joined) + PAD)
        self.arena[self.size : self.size + len(joined)] = joined
        starts = np.cumsum(lengths) - lengths + self.size
        self.size += len(joined)
        return starts << kernels.WIDTH | lengths


class Rows:
    """Lines of a block that fit and are treated alike.

    Attributes:
        data, size: The block.
        keep: Which of the lines that the parser found.
        rows: How many they are.
        times: Microseconds since 1970.
        codes: Those of addresses, by what they were asked of: two fields may print one client.
        lost: Of which rows nothing could be said, by field.
    """

    def __init__(self, parser: Parser, data: Bytes, size: int, keep: Ints, found: Found) -> None:
        self._parser, self._scalars = parser, found.scalars
        self.data, self.size, self.keep, self.rows = data, size, keep, len(keep)
        self._which: slice | Ints = slice(found.rows) if len(keep) == found.rows else keep
        self.times: Ints = found.scalars["time"][self._which]
        self.codes: dict[object, Codes] = {}
        self.lost: dict[str, npt.NDArray[np.bool_]] = {}
        self._steps: dict[int, tuple[list[int], Codes]] = {}

    @property
    def nulled(self) -> Counter[str]:
        """Return in how many rows nothing could be said of a field, by field."""
        return Counter({name: int(np.count_nonzero(lost)) for name, lost in self.lost.items() if lost.any()})

    def lose(self, name: str, lost: npt.NDArray[np.bool_]) -> None:
        """Note of which rows nothing could be said where the field, or one of several that hold it, stands."""
        self.lost[name] = self.lost[name] | lost if name in self.lost else lost

    def scalar(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a field of numbers."""
        values: npt.NDArray[Any] = self._scalars[name][self._which]
        return values

    def spans(self, k: int) -> tuple[Places, Places]:
        """Return where the k-th field is."""
        return self._parser.spans.starts[k][self._which], self._parser.spans.ends[k][self._which]

    def part(self, k: int, field: Field, name: str) -> tuple[Places, Places]:
        """Return where a column of the k-th field is."""
        for _, starts, ends in parts_of(field, self.data, *self.spans(k), self.rows, frozenset({name})):
            return starts, ends
        raise ValueError("the field has no such part")

    def steps(self, step_us: int) -> tuple[list[int], Codes]:
        """Return the distinct steps of time, such as quarters of an hour, since 1970, and the number of each row's.

        Lines come in the order of their times, nearly: only where the step changes it is looked at.
        """
        if step_us not in self._steps:
            steps = self.times // step_us
            heads = np.flatnonzero(np.diff(steps, prepend=-1))
            distinct, numbers = np.unique(steps[heads], return_inverse=True)
            codes = np.repeat(numbers, np.diff(heads, append=self.rows)).astype(np.int32)
            self._steps[step_us] = distinct.tolist(), codes
        return self._steps[step_us]


Piece = Callable[[Rows], Ints]
"""Gives for each row the number of the text that stands in a field's place."""


@dataclass(frozen=True, slots=True, eq=False)
class Printers:
    """Makes pieces that print as a Plan lets fields out."""

    plan: Plan
    speakers: Speakers
    keys: Keyring
    store: Store

    def text(self, k: int, field: Field, literal: bytes, behind: bytes) -> Piece:
        """Return what prints a text field; ``literal`` ends it, and ``behind`` is printed behind it."""
        said = self.speakers.of(field.name)
        assert callable(said)
        domain = field.name == "referer" and self.speakers.method("referer") == "domain"
        column, numbers, lost = _Column(self.store.texts(field.escape)), _Numbers(), _Lost(field.name)

        def printed(first: int) -> Ints:
            there, texts = _said(said, column.texts, first)
            made = [fitted(text, field, literal) for text in texts]
            lost.add(there, texts, made)
            return self.store.add(made, behind)

        def piece(rows: Rows) -> Ints:
            codes = column.codes(rows, *rows.part(k, field, "referer_host" if domain else field.name))
            made = numbers.of(column.texts.count, printed)[codes]
            lost.tell(rows, codes)
            return made

        return piece

    def kept(self, k: int, field: Field, literal: bytes, behind: bytes) -> Piece:
        """Return what prints a text that is kept, within quotes where these are needed."""
        column, numbers = _Column(self.store.texts(field.escape)), _Numbers()

        def printed(first: int) -> Ints:
            texts = column.texts_at(np.arange(first, column.texts.count))
            return self.store.add([fitted(text, field, literal) for text in texts], behind)

        def piece(rows: Rows) -> Ints:
            codes = column.codes(rows, *rows.part(k, field, field.name))
            return numbers.of(column.texts.count, printed)[codes]

        return piece

    def request(self, k: int, field: Field, literal: bytes, behind: bytes) -> Piece:
        """Return what prints a request line or a URL."""
        column, numbers = _Column(self.store.texts(field.escape)), _Numbers()
        request = _Request(field, literal, behind, self.speakers, self.store)

        def piece(rows: Rows) -> Ints:
            spans = rows.part(k, field, "method") if request.tells_methods else rows.spans(k)
            codes = column.codes(rows, *spans)
            made = numbers.of(column.texts.count, lambda first: request.numbers(column.texts, first))[codes]
            for lost in request.lost:
                lost.tell(rows, codes)
            return made

        return piece

    def time(self, field: Field, behind: bytes) -> Piece:
        """Return what prints the start of the second, minute, hour or day; zones change at quarters of an hour."""
        method = self.speakers.method("time")
        step_us, known = STEPS_US.get(method, QUARTER_US), _Known(self.store, behind)

        def printed(step: int) -> bytes:
            local = (_EPOCH + timedelta(microseconds=step * step_us)).astimezone(self.plan.zone)
            return printed_time(rounded(local, method), field.layout, self.plan.log_zone)

        def piece(rows: Rows) -> Ints:
            steps, codes = rows.steps(step_us)
            return known.numbers(steps, printed)[codes]

        return piece

    def bucket(self, field: Field, nothing: bytes, behind: bytes) -> Piece:
        """Return what prints the bucket of a number."""
        known = _Known(self.store, behind)

        def piece(rows: Rows) -> Ints:
            values, codes = np.unique(bucketed(rows.scalar(field.name)), return_inverse=True)
            return known.numbers(values.tolist(), lambda value: printed_number(value, field, nothing))[codes]

        return piece

    def status_class(self, field: Field, nothing: bytes, behind: bytes) -> Piece:
        """Return what prints the first status of a class."""
        numbers = self.store.add([nothing if k < 100 else b"%d00" % (k // 100) for k in range(1000)], behind)
        return lambda rows: numbers[rows.scalar(field.name)]

    def client(self, columns: Sequence[AddressColumn], field: Field, literal: bytes, behind: bytes) -> Piece:
        """Return what prints the client's address: that of one field, or past trusted proxies of the second."""
        standing = kernels.BRACKETED if field.kind is Kind.ADDRESS else kernels.PLAIN
        standing = kernels.NOWHERE if literal[:1] == b":" else standing

        def printed(column: AddressColumn, codes: Ints, key: bytes) -> Ints:
            made = protected_addresses(column.addresses(codes), self.plan, key)
            if isinstance(made, Addresses):
                return self.store.add_addresses(made, standing, behind)
            return self.store.add([NOTHING if v is None else v.hex().encode() for v in made.to_pylist()], behind)

        numbers = [self._keyed("remote_addr", partial(printed, column), column.texts) for column in columns]

        def piece(rows: Rows) -> Ints:
            codes = [column.codes(rows) for column in columns]
            made = [of_column(rows, of) for of_column, of in zip(numbers, codes, strict=True)]
            texts = made[0]
            if len(columns) > 1:
                (peer, hops), (first, second) = columns, codes
                texts = np.where(peer.passed[first] & (hops.family[second] != 0), made[1], made[0])
            rows.lose("remote_addr", texts & kernels.LENGTH == len(NOTHING + behind))  # an address is longer
            return texts

        return piece

    def pseudonym(self, k: int, field: Field, behind: bytes) -> Piece:
        """Return what prints the pseudonym of a text."""
        column = _Column(self.store.texts(field.escape))

        def printed(codes: Ints, key: bytes) -> Ints:
            made = protected_texts(column.texts_at(codes), key, field=field.name)
            return self.store.add([text.encode() if text else NOTHING for text in made], behind)

        numbers = self._keyed(field.name, printed, column.texts)
        return lambda rows: numbers(rows, column.codes(rows, *rows.part(k, field, field.name)))

    def _keyed(self, name: str, printed: Callable[[Ints, bytes], Ints], texts: Texts) -> Callable[[Rows, Codes], Ints]:
        """Return what gives the number of each row's text: one a code, one a code and day, or a fresh one a row."""
        method = self.speakers.method(name)
        if method in KEY_SIZE and name not in self.plan.keys:
            return _Daily(partial(self.keys.of, self.plan, name), self.plan.zone, printed, texts).numbers
        key = self.keys.of(self.plan, name, date.min) if method in KEY_SIZE else b""
        if method in {"ipcrypt-nd", "ipcrypt-ndx"}:
            return lambda _, codes: printed(codes.astype(np.int64), key)
        known = _Numbers()
        return lambda _, codes: known.of(texts.count, lambda first: printed(np.arange(first, texts.count), key))[codes]


class _Lost:
    """Of which texts of a field nothing is printed, although something of it is kept; by code."""

    __slots__ = ("_any", "_done", "_lost", "_name")

    def __init__(self, name: str) -> None:
        self._name, self._done, self._any = name, 0, False
        self._lost = np.empty(0, np.bool_)

    def add(self, there: Sequence[bool], said: Sequence[str | None], printed: Sequence[bytes]) -> None:
        """Look at what is printed of the next codes."""
        texts = zip(there, said, printed, strict=True)
        self.extend(np.array([is_lost(self._name, text, made, there=valid) for valid, text, made in texts], np.bool_))

    def extend(self, lost: npt.NDArray[np.bool_]) -> None:
        """Take what is known of the next codes."""
        done = self._done + len(lost)
        self._lost = grown(self._lost, done)
        self._lost[self._done : done] = lost
        self._done, self._any = done, self._any or bool(lost.any())

    def of(self, codes: Codes | list[int]) -> npt.NDArray[np.bool_]:
        """Return it for each of these codes."""
        found: npt.NDArray[np.bool_] = self._lost[codes]
        return found

    def tell(self, rows: Rows, codes: Codes) -> None:
        """Tell it of these rows, where there is anything to tell."""
        if self._any:
            rows.lose(self._name, self.of(codes))


class _Known:
    """The number of what is printed of each of few values."""

    __slots__ = ("_behind", "_known", "_store")

    def __init__(self, store: Store, behind: bytes) -> None:
        self._store, self._behind = store, behind
        self._known: dict[int, int] = {}

    def numbers(self, values: Sequence[int], printed: Callable[[int], bytes]) -> Ints:
        """Return the number of each value."""
        if new := [value for value in values if value not in self._known]:
            numbers = self._store.add([printed(value) for value in new], self._behind)
            self._known.update(zip(new, numbers.tolist(), strict=True))
        return np.array([self._known[value] for value in values], np.int64)


class _Numbers:
    """The number of what is printed, by code."""

    __slots__ = ("_done", "_numbers")

    def __init__(self) -> None:
        self._done = 0
        self._numbers: Ints = np.empty(0, np.int64)

    def of(self, count: int, printed: Callable[[int], Ints]) -> Ints:
        """Return the numbers of the first ``count`` codes, after those from a first new one on were printed."""
        if count > self._done:
            self._numbers = grown(self._numbers, count)
            self._numbers[self._done : count] = printed(self._done)
            self._done = count
        return self._numbers


class _Column:
    """Texts by code."""

    __slots__ = ("texts",)

    def __init__(self, texts: Texts) -> None:
        self.texts = texts

    def codes(self, rows: Rows, starts: Places, ends: Places) -> Codes:
        """Return the codes of these spans."""
        codes = np.empty(rows.rows, np.int32)
        self.texts.codes(rows.data, starts, ends, rows.rows, rows.size, codes)
        return codes

    def texts_at(self, codes: Ints) -> list[str | None]:
        """Return some of the texts."""
        arena, limits = self.texts.arena, self.texts.limits
        spans = zip(limits[codes].tolist(), limits[codes + 1].tolist(), strict=True)
        return [text_of(arena[start:end].tobytes(), self.texts.escape) for start, end in spans]


class AddressColumn:
    """The addresses of a field, by code."""

    def __init__(self, k: int, field: Field, trusted: Sequence[Network], *, socket: bool, store: Store) -> None:
        self._k, self._field, self._trusted, self._socket = k, field, trusted, socket
        self._column = _Column(store.texts(field.escape))
        self._known = 0
        self.high, self.low = np.empty(0, np.uint64), np.empty(0, np.uint64)
        self.family, self.passed = np.empty(0, np.uint8), np.empty(0, np.bool_)

    @property
    def texts(self) -> Texts:
        """What stands in the log."""
        return self._column.texts

    def codes(self, rows: Rows) -> Codes:
        """Return the code of each row."""
        if self not in rows.codes:
            rows.codes[self] = self._column.codes(rows, *rows.part(self._k, self._field, self._field.name))
            self._read()
        return rows.codes[self]

    def _read(self) -> None:
        first, count = self._known, self.texts.count
        if count == first:
            return
        new = self.texts.array(first)
        found, passed = spelled_addresses(new, self._trusted)
        if self._socket:
            passed |= np.array([text is not None and text.startswith(_SOCKET) for text in new.to_pylist()])
        self.high, self.low = grown(self.high, count), grown(self.low, count)
        self.family, self.passed = grown(self.family, count), grown(self.passed, count)
        self.high[first:count], self.low[first:count] = found.high, found.low
        self.family[first:count], self.passed[first:count] = found.family, passed
        self._known = count

    def addresses(self, codes: Ints) -> Addresses:
        """Return some of the addresses."""
        return Addresses(self.high[codes], self.low[codes], self.family[codes])


class _Daily:
    """Numbers of what is printed by code under each day's key."""

    def __init__(
        self, key: Callable[[date], bytes], zone: ZoneInfo, printed: Callable[[Ints, bytes], Ints], texts: Texts
    ) -> None:
        self._key, self._zone, self._printed, self._texts = key, zone, printed, texts
        self._days: dict[date, Ints] = {}

    def numbers(self, rows: Rows, codes: Codes) -> Ints:
        """Return the number of each row's text."""
        quarters, numbers = rows.steps(QUARTER_US)
        times = [_EPOCH + timedelta(microseconds=quarter * QUARTER_US) for quarter in quarters]
        dates = [time.astimezone(self._zone).date() for time in times]
        out = np.empty(rows.rows, np.int64)
        for day in sorted(set(dates)):
            here = np.array([date == day for date in dates])[numbers]
            own, known = codes[here], self._of_day(day, self._texts.count)
            new = np.unique(own[known[own] == 0])
            if len(new):
                known[new] = self._printed(new.astype(np.int64), self._key(day))
            out[here] = known[own]
        return out

    def _of_day(self, day: date, count: int) -> Ints:
        """Return the numbers of a day, 0 where a text was not yet printed; old days are printed anew."""
        known = grown(self._days.pop(day, np.empty(0, np.int64)), count)
        while len(self._days) >= _DAYS:
            del self._days[next(iter(self._days))]
        self._days[day] = known
        return known


class _Request:
    """Prints request lines and URLs: method, host, path and query, protocol, or ``-`` for what is no request.

    Many are printed alike, such as those that differ in a query that is dropped: each such line is printed once.

    Attributes:
        tells_methods: Nothing else of a line is printed: it is enough to know methods.
        lost: Of which texts nothing is printed of a part.
    """

    def __init__(self, field: Field, literal: bytes, behind: bytes, speakers: Speakers, store: Store) -> None:
        self._field, self._literal, self._behind, self._store = field, literal, behind, store
        self._is_line = field.kind is Kind.REQUEST
        self._parts: dict[str, tuple[Said, Texts, list[bytes], _Lost]] = {}
        self._known: dict[tuple[int, ...], int] = {}
        for name in _IN_ORDER:
            said = speakers.of(name) if name in field.columns else None
            if callable(said) and not (name == "host" and speakers.of("path") is None):
                self._parts[name] = said, store.texts(field.escape), [], _Lost(name)
        self.lost = [_Lost(name) for name in self._parts]
        self.tells_methods = self._is_line and self._parts.keys() <= {"method"}
        instead = {"path": NOTHING if "path" in field.columns else b""}
        if self._is_line:
            instead |= {"method": NO_METHOD + b" ", "protocol": b" " + NO_PROTOCOL}
        names = list(self._parts)
        self._order = [
            (names.index(name), self._parts[name][2], b"") if name in names else (-1, [], instead.get(name, b""))
            for name in _IN_ORDER
        ]

    def numbers(self, texts: Texts, first: int) -> Ints:
        """Return the number of what is printed of each text from a first code on."""
        limits, count = texts.limits[first : texts.count + 1].astype(np.uint32), texts.count - first
        begins, ends = limits[:-1], limits[1:]
        if self.tells_methods:
            spans = {"method": (begins, ends)}
        else:
            found = parts_of(self._field, texts.arena, begins, ends, count, {"method", *self._parts})
            spans = {name: (at, end) for name, at, end in found}
        starts, ends = spans["method"]
        codes = [(ends > starts).tolist() if self._is_line else [True] * count]
        codes += [self._codes(name, texts.arena, *spans[name], int(limits[-1] - limits[0])) for name in self._parts]
        for lost, (_, _, _, of_part), part in zip(self.lost, self._parts.values(), codes[1:], strict=True):
            lost.extend(of_part.of(part))
        lines = [*zip(*codes, strict=True)]
        if new := [line for line in dict.fromkeys(lines) if line not in self._known]:
            numbers = self._store.add([self._printed(*line) for line in new], self._behind)
            self._known.update(zip(new, numbers.tolist(), strict=True))
        return np.fromiter(map(self._known.__getitem__, lines), np.int64, count)

    def _codes(self, name: str, arena: Bytes, starts: Places, ends: Places, size: int) -> list[int]:
        said, texts, known, lost = self._parts[name]
        codes = np.empty(len(starts), np.int32)
        texts.codes(arena, starts, ends, len(starts), size, codes)
        behind = b" " if name == "method" else b""
        there, new = _said(said, texts, len(known))
        made = [part_of_url(text, name, self._field, self._literal) for text in new]
        lost.add(there, new, made)
        known += [part + behind for part in made]
        return codes.tolist()

    def _printed(self, fits: int, *codes: int) -> bytes:
        made = [instead if at < 0 else printed[codes[at]] for at, printed, instead in self._order]
        return within_quotes(b"".join(made), self._field) or NOTHING if fits else NOTHING


def _said(said: Said, texts: Texts, first: int) -> tuple[list[bool], list[str | None]]:
    """Return for the texts from a first code on whether there is one, and what is said of it."""
    if texts.count == first:
        return [], []
    new = texts.array(first)
    return new.is_valid().to_pylist(), said(new).to_pylist()
