"""What a reader can get out of files: names, bytes, decompressed pages, and the cells of tables.

For the audit, which must see what an attacker sees. Files of any tool: Parquet, CSV, JSON, logs, databases; what is
packed with gzip, zstd, bzip2 or xz is unpacked.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logblur.errors import InputError
from logblur.jit import Bytes
from logblur.privacy.haystack import joined
from logblur.privacy.parquet import pieces
from logblur.privacy.search_kernels import separate
from logblur.schema import MEASURES
from logblur.sources.find import Log
from logblur.sources.open import open_log

CHUNK: Final = 32 << 20
"""Bytes of a file that are searched at once."""

NOT_MEASURED: Final = frozenset({*MEASURES, "hits", "count", "size", "bytes_sent", "bytes_received", "duration"})
"""Columns whose whole numbers are counts and sums: an address written as a number is not looked for in them."""

_MAGIC: Final = {
    b"PAR1": "parquet", b"PARE": "packed", b"ARROW1": "arrow", b"PK\x03\x04": "packed", b"7z\xbc\xaf": "packed",
    b"Rar!": "packed", b"ORC": "packed", b"Obj\x01": "packed",
}  # fmt: skip
_NAMED: Final = {
    ".parquet": "parquet", ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "json", ".ndjson": "json"
}  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,63}")
_NUMBERS: Final = re.compile(r"[0-9]{4}|[0-9][._-][0-9]")
_BLOCK: Final = 8 << 20
_OVERLAP: Final = 1 << 10
_LARGEST_DOCUMENT: Final = 256 << 20
_BROKEN: Final = (pa.ArrowException, ValueError, IndexError, KeyError, TypeError, struct.error, RecursionError, OSError)
"""What a damaged or hostile file can raise while it is decoded; its bytes are searched all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some text that a reader can get.

    Attributes:
        place: Where it is: the file, and what of it.
        text: uint8; of a table's cells one a line.
        hides: Whether the place holds what cannot be unpacked, so that nothing can be said of it.
    """

    place: str
    text: Bytes
    hides: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a table, or a part of it.

    Attributes:
        place: The file.
        name: Its name.
        values: An Arrow array.
    """

    place: str
    name: str
    values: pa.Array


def told(name: str) -> str:
    """Return a column's name as a report may say it: a tool can make names of what a line holds."""
    return name if _NAME.fullmatch(name) and not _NUMBERS.search(name) else "(a name that may be a value)"


def files_of(path: Path) -> list[Path]:
    """Return the regular files of a folder and below, sorted, or the file itself; links are not followed."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def read(path: Path, *, skip: Callable[[Path], bool] = lambda _: False) -> Iterator[Piece]:
    """Yield all that can be got from a file or a folder, but for files that are skipped.

    Raises:
        InputError: A file cannot be opened, or what is packed is damaged.
    """
    for file in files_of(path):
        if skip(file):
            continue
        place = _place(file, path)
        yield _piece(f"name of {place}", place.encode("utf-8", "surrogateescape"))
        yield from _raw(file, place)
        shown = yield from _decoded(file, place)
        verbatim = kind_of(file) in {"csv", "tsv"}
        for table in guarded(tables(file, but=NOT_MEASURED | shown)):
            for column in _columns(table, place):
                if (cells := _cells(column, verbatim=verbatim)) is not None:
                    yield Piece(f"{place}, column {told(column.name)}", cells)


def tables(file: Path, *, but: frozenset[str] = frozenset()) -> Iterator[pa.Table]:
    """Yield the table of a file of Parquet, CSV or JSON, part by part, but for these columns; nothing for other files.

    Cells of CSV are text, whatever they hold.
    """
    match kind_of(file):
        case "parquet":
            import pyarrow.parquet as pq

            schema = pq.read_schema(file)
            texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_binary(f.type)]
            wanted = [name for name in schema.names if name not in but]
            if not wanted:
                return
            with pq.ParquetFile(file, read_dictionary=texts) as opened:
                for batch in opened.iter_batches(1 << 20, columns=wanted):
                    yield pa.Table.from_batches([batch])
        case "csv" | "tsv" as kind:
            from pyarrow import csv

            options = csv.ParseOptions(delimiter="\t" if kind == "tsv" else ",")
            reading = csv.ReadOptions(block_size=_BLOCK)
            with csv.open_csv(file, parse_options=options) as stream:
                names = stream.schema.names
            texts = csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[name for name in names if name not in but],
            )
            with csv.open_csv(file, reading, parse_options=options, convert_options=texts) as stream:
                for batch in stream:
                    yield pa.Table.from_batches([batch])
        case "arrow":
            with pa.memory_map(str(file)) as mapped, pa.ipc.open_file(mapped) as opened:
                for number in range(opened.num_record_batches):
                    yield pa.Table.from_batches([opened.get_batch(number)])
        case "json" if file.stat().st_size <= _LARGEST_DOCUMENT:
            yield from _json(file)


def kind_of(file: Path) -> str:
    """Return what a file is, by how it begins, then by its name: parquet, arrow, json, csv, tsv, packed, or nothing.

    ``packed`` are archives, whose files are not unpacked.
    """
    try:
        with open_log(Log(file)) as content:
            head = content.stream(0).read(64)
    except InputError:
        return ""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    suffixes = [suffix for suffix in file.suffixes if suffix not in {".gz", ".zst", ".bz2", ".xz"}]
    named = _NAMED.get(suffixes[-1].lower(), "") if suffixes else ""
    return named or ("json" if head.lstrip()[:1] in {b"{", b"["} else "")


def _json(file: Path) -> Iterator[pa.Table]:
    """Yield the leaves of JSON, by the key that holds them: a line each, or one document."""
    with open_log(Log(file)) as content:
        text = content.stream(0).read(_LARGEST_DOCUMENT).decode("utf-8", "replace")
    leaves: dict[str, list[str]] = {}
    try:
        _gather("", json.loads(text), leaves)
    except ValueError:
        rows = [_row("", json.loads(line)) for line in text.splitlines() if line.strip()]
        names = dict.fromkeys(name for row in rows for name in row)
        yield pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    for name, values in leaves.items():
        yield pa.table({name: values})


def _row(name: str, value: Any) -> dict[str, str]:
    """Return the leaves of a line of JSON, by the path of keys that leads to each."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            key: text
            for part, leaf in inner
            for key, text in _row(f"{name}.{part}" if name else str(part), leaf).items()
        }
    return {} if value is None else {name: str(value)}


def _gather(name: str, value: Any, leaves: dict[str, list[str]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _gather(key, inner, leaves)
    elif isinstance(value, list):
        for inner in value:
            _gather(name, inner, leaves)
    elif value is not None:
        leaves.setdefault(name, []).append(str(value))


def _place(file: Path, path: Path) -> str:
    return file.name if file == path else str(file.relative_to(path))


def _piece(place: str, text: bytes) -> Piece:
    return Piece(place, np.frombuffer(text, np.uint8))


def _raw(file: Path, place: str) -> Iterator[Piece]:
    """Yield a file's bytes, unpacked, cut where no word is cut."""
    with open_log(Log(file)) as content:
        stream = content.stream(0)
        rest = b""
        while data := stream.read(CHUNK):
            text = rest + data
            end = text.rfind(b"\n") + 1
            if end:
                yield _piece(place, text[:end])
                rest = text[end:]
            elif len(text) > 2 * CHUNK:  # no lines: what may be the first part of a needle is read again
                yield _piece(place, text)
                rest = text[-_OVERLAP:]
            else:
                rest = text
        if rest:
            yield _piece(place, rest)


def _hidden(place: str) -> Piece:
    return Piece(place, np.empty(0, np.uint8), hides=True)


def _decoded(file: Path, place: str) -> Generator[Piece, None, frozenset[str]]:
    """Yield what a Parquet file unpacks to; return the columns of text whose every value stood on a line of its own."""
    kind = kind_of(file)
    if kind == "packed":
        yield _hidden(place)
    if kind != "parquet":
        return frozenset()
    import pyarrow.parquet as pq

    shown, other = set[str](), set[str]()
    with pa.memory_map(str(file)) as mapped:
        data = mapped.read_buffer()
        try:
            opened = pq.ParquetFile(pa.BufferReader(data))
            for name, piece in pieces(data, opened):
                part, _, column = name.partition(" of ")
                values = _separated(piece) if part.endswith("page") else None
                said = f"{part} of {told(column)}" if column else part
                yield _piece(f"{place}, {said}", piece if values is None else values)
                if part not in {"codes", "levels"} and not part.endswith("statistics"):
                    (other if values is None else shown).add(column)
            texts = {f.name for f in opened.schema_arrow if pa.types.is_string(f.type) or pa.types.is_binary(f.type)}
        except _BROKEN:
            yield _hidden(place)
            return frozenset()
    return frozenset(shown & texts - other)


def _separated(page: bytes) -> bytes | None:
    """Return a page with newlines between its values, where they are PLAIN text."""
    levels = 4 + int.from_bytes(page[:4], "little")  # a data page may begin with levels, their length first
    for start in (0, levels):
        copy = np.frombuffer(bytearray(page), np.uint8)
        if start < len(page) and separate(copy, np.int64(start)) == len(page):
            return copy.tobytes()
    return None


def guarded(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the parts of a table up to where the file is damaged."""
    try:
        yield from parts
    except (*_BROKEN, InputError):
        return


def _columns(table: pa.Table, place: str) -> Iterator[Column]:
    for name, chunked in zip(table.column_names, table.columns, strict=True):
        for values in chunked.chunks:
            yield Column(place, name, _flat(values))


def _flat(values: pa.Array) -> pa.Array:
    """Return the innermost values of lists; a struct as text."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return _flat(values.flatten())
    return pa.array(map(str, values.to_pylist()), pa.string()) if pa.types.is_nested(values.type) else values


def _cells(column: Column, *, verbatim: bool) -> Bytes | None:
    """Return the cells as lines of text: those of a dictionary whether a row uses them or not.

    Where the file's text shows them verbatim, those alone that need a line of their own, or are quoted in it.
    """
    values = column.values.dictionary if pa.types.is_dictionary(column.values.type) else column.values
    if column.name in NOT_MEASURED:  # as text its bytes are searched all the same
        return None
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return np.frombuffer(b"\n".join(value for value in values.to_pylist() if value is not None), np.uint8)
    if verbatim:
        values = values.filter(pc.or_(pc.ascii_is_decimal(values), pc.match_substring(values, '"')))
    return joined(values.cast(pa.large_string()).drop_null())
