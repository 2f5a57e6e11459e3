"""Columns that may stand for people: addresses, masked or whole, hashes, pseudonyms; by day, where a day is told.

Of Parquet, CSV and JSON by column; of any other text by the first words of its lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.dataset.manifest import PRIVATE
from logblur.privacy.raw import addresses_of
from logblur.privacy.readable import NOT_MEASURED, files_of, guarded, kind_of, tables, told
from logblur.sources.find import Log
from logblur.sources.open import open_log

MOST: Final = 1 << 20
"""Distinct values of a column that are looked at."""

_WORDS: Final = 4
_HEAD: Final = 64 << 20  # bytes of a log's beginning
_DAY: Final = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}/[A-Z][a-z]{2}/\d{4})")
_HEX: Final = re.compile(r"[0-9a-fA-F]{6,128}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}")
_TAGGED: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,16}[:$_=])?([0-9A-Za-z]+)")  # what stands behind the name of a hash
_BASE64: Final = re.compile(r"[0-9A-Za-z+/_-]{8,88}={0,2}")
_MASKED: Final = 8  # bits at the end of IPv4 that are zero
_BITS: Final = {4: 32, 6: 128}


@dataclass(slots=True)
class Identifier:
    """A column that may stand for people.

    Attributes:
        place, name: The file, and the column in it, as a report may say it.
        days: Its distinct values, by day; under no day where none is told.
    """

    place: str
    name: str
    days: dict[str, set[str]] = field(default_factory=dict)

    @property
    def values(self) -> set[str]:
        """Its distinct values."""
        return set().union(*self.days.values())


def identifiers(path: Path) -> list[Identifier]:
    """Return every column of text or whole numbers of every file, but for measures."""
    found: dict[str, Identifier] = {}
    for file in files_of(path):
        if file.parent.name == PRIVATE:  # digests and ids of logblur's own
            continue
        place = file.name if file == path else str(file.relative_to(path))
        # partitions of one table are one column
        table_place = re.sub(r"/?(?:date|week)=[^/]*/?", "/*/", place)
        folder = next((part[5:] for part in file.parts if part.startswith(("date=", "week="))), "")
        for table in guarded(tables(file, but=NOT_MEASURED)) if kind_of(file) else _lines(file):
            days = _days(table)
            for name in table.column_names:
                kind = table.schema.field(name).type
                if pa.types.is_dictionary(kind):
                    kind = kind.value_type
                texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
                if name in NOT_MEASURED or not (texts or pa.types.is_integer(kind)):
                    continue
                column = found.setdefault(f"{table_place}, {name}", Identifier(table_place, told(name)))
                _add(column, table[name], days, folder)
    return list(found.values())


def _lines(file: Path) -> Iterator[pa.Table]:
    """Yield the first words of a log's lines as columns, and its days."""
    with open_log(Log(file)) as content:
        head = content.stream(0).read(_HEAD)
    if b"\0" in head[:4096]:
        return
    lines = head.decode("utf-8", "replace").splitlines()
    words = [line.split(maxsplit=_WORDS)[:_WORDS] for line in lines]
    columns = {f"word {k + 1}": [w[k] if len(w) > k else None for w in words] for k in range(_WORDS)}
    days = [found[0] if (found := _DAY.search(line)) else None for line in lines]
    yield pa.table({"day": pa.array(days, pa.string())} | {n: pa.array(c, pa.string()) for n, c in columns.items()})


def _days(table: pa.Table) -> pa.Array | None:
    """Return each row's day as text, where some column tells it."""
    for name in table.column_names:
        column = table[name].combine_chunks() if table.num_rows else table[name]
        kind = column.type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return column.cast(pa.date32()).cast(pa.string())
        texts = column.slice(0, 100).drop_null().to_pylist() if pa.types.is_string(kind) else []
        if texts and all(_DAY.match(text) for text in texts):
            return pc.utf8_slice_codeunits(column, 0, 11)
        if name.rpartition(".")[2] in {"ts", "time", "timestamp"} and len(column):
            try:
                seconds = column.cast(pa.float64())
                return pc.floor(pc.divide(seconds, 86400)).cast(pa.string())
            except pa.ArrowException:
                continue
    return None


def _add(column: Identifier, values: pa.ChunkedArray, days: pa.Array | None, folder: str) -> None:
    full = {day for day, known in column.days.items() if len(known) >= MOST}
    if full and (days is None or folder) and folder in full:
        return
    texts = values.cast(pa.string())
    if days is None or folder:
        rows = pa.table({"value": texts}).group_by("value").aggregate([])
        told = [folder] * rows.num_rows
    else:
        rows = pa.table({"day": days, "value": texts}).group_by(["day", "value"]).aggregate([])
        told = rows["day"].to_pylist()
    if full:
        rows = rows.filter(pa.array([(day or "") not in full for day in told]))
        told = [day for day in told if (day or "") not in full]
    for day, text in zip(told, rows["value"].to_pylist(), strict=True):
        known = column.days.setdefault(day or "", set())
        if text and len(known) < MOST:
            known.add(text)


@dataclass(frozen=True, slots=True, eq=False)
class Digests:
    """Values that look like digests.

    Attributes:
        bits: How much of a digest each is.
        first: uint64, their first 64 bits; zeros behind where there are fewer. Distinct, ascending.
        text: What they look like.
    """

    bits: int
    first: npt.NDArray[np.uint64]
    text: str


def digests(column: Identifier) -> Digests | None:
    """Return a column's values as digests, where most of them look like some: of one length, or numbers."""
    values = column.values - {"", "-", "(none)", "(other)"}
    written = [tagged[1] for value in values if (tagged := _TAGGED.fullmatch(value))]
    least = max(2, len(values) / 2)

    def of_one_length(texts: list[str]) -> list[str]:
        lengths = Counter(map(len, texts))
        length = max(lengths, key=lambda n: lengths[n], default=0)
        return [text for text in texts if len(text) == length]

    found = of_one_length([text for text in written if _HEX.fullmatch(text)])
    if len(found) >= least and not all(text.isdigit() for text in found):
        length = len(found[0])
        return _digests([bytes.fromhex(v[: length // 2 * 2][:16]) for v in found], length * 4, f"{length} hex digits")
    numbers = [int(value) for value in values if _NUMBER.fullmatch(value)]
    if len(numbers) >= least:
        low, high = min(numbers), max(numbers)
        size = 4 if high < 1 << 32 and low >= -(1 << 31) else 8
        if (low >= 0 and high < 1 << 31) or high >= 1 << 64 or low < -(1 << 63):
            return None
        packed = [(number % (1 << 8 * size)).to_bytes(size, "big") for number in numbers]
        return _digests(packed, size * 8, f"numbers of {size * 8} bits")
    found = of_one_length([value for value in values if _BASE64.fullmatch(value)])
    mixed = sum(value != value.lower() and value != value.upper() for value in found)
    if len(found) >= least and mixed > len(found) / 2:
        try:
            plain = [base64.b64decode(v.replace("-", "+").replace("_", "/").rstrip("=") + "===") for v in found]
        except binascii.Error:
            return None
        return _digests(plain, len(plain[0]) * 8, f"{len(found[0])} characters of base64")
    return None


def _digests(values: list[bytes], bits: int, text: str) -> Digests:
    kept = min(bits, 64)
    words = np.array([int.from_bytes(value[:8].ljust(8, b"\0"), "big") for value in values], np.uint64)
    mask = np.uint64(((1 << kept) - 1) << (64 - kept))
    return Digests(bits, np.unique(words & mask), text)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """Values that are addresses of one family.

    Attributes:
        family: 4 or 6.
        values: The 32 bits of IPv4, the first 64 of IPv6; uint64, distinct.
        masked: By value, whether its last eight bits, of IPv6 its last 64, are zero.
        prefix: The bits that the masked ones keep; all of them where few are masked.
    """

    family: int
    values: npt.NDArray[np.uint64]
    masked: npt.NDArray[np.bool_]
    prefix: int

    @property
    def whole(self) -> bool:
        """Whether addresses stand as they are."""
        return self.prefix == _BITS[self.family]


def masks(column: Identifier) -> list[Masks]:
    """Return a column's values as addresses, however spelled, by family, where most of them are some."""
    found = addresses_of(pa.array(sorted(column.values), pa.large_string()))
    if np.count_nonzero(found.family) < max(2, 0.5 * len(found.family)):
        return []
    four, six = found.family == 4, found.family == 6
    v4 = found.low[four] & np.uint64(0xFFFFFFFF)
    families = []
    if len(v4):
        families.append(_masks(4, v4, v4 & np.uint64((1 << _MASKED) - 1) == 0))
    if six.any():
        families.append(_masks(6, found.high[six], found.low[six] == 0))
    return families


def _masks(family: int, values: npt.NDArray[np.uint64], masked: npt.NDArray[np.bool_]) -> Masks:
    if np.count_nonzero(masked) < 0.5 * len(values):
        return Masks(family, values, np.zeros(len(values), np.bool_), _BITS[family])
    union = int(np.bitwise_or.reduce(values[masked]))
    bits = min(64, _BITS[family])
    zeros = (union & -union).bit_length() - 1 if union else bits
    return Masks(family, values, masked, bits - zeros)
