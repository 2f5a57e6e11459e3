"""Searches what a reader of OUT can get for what must not be there: decompressed pages, metadata, names, manifest.

Compressed bytes hide everything, so pages are taken out of the file and decompressed one by one, dictionaries among
them: an entry that no row uses is still read by whoever opens the file. Every test that finds nothing stands beside one
that publishes a token on purpose and finds it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

_SEARCHABLE = {"PLAIN", "RLE", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "BIT_PACKED"}


def spellings(token: str) -> Mapping[str, bytes]:
    """A token as it could be hidden, each by name; case is disregarded but where the name ends in ``*``."""
    raw = token.encode()
    found = {
        "raw": raw,
        "reversed": raw[::-1],
        "percent": quote(token, safe="").encode(),
        "all percent": b"".join(b"%%%02x" % byte for byte in raw),
        "escaped": b"".join(b"\\x%02x" % byte for byte in raw),
        "hex": raw.hex().encode(),
        "utf-16": token.encode("utf-16-le"),
    }
    for shift, begin in enumerate((0, 2, 3)):  # where it stands in groups of three bytes; the characters it fills alone
        full = (shift + len(raw)) * 8 // 6
        for name, alphabet in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            found[f"{name} {shift}*"] = alphabet(bytes(shift) + raw)[begin:full]
    return {name: text for name, text in found.items() if text != raw or name == "raw"}


def found(tokens: Iterable[str], places: Iterable[tuple[str, bytes]]) -> set[tuple[str, str, str]]:
    """Every (token, spelling, place) that is found."""
    wanted = [(token, how, text) for token in set(tokens) for how, text in spellings(token).items()]
    hits = set()
    for place, data in places:
        low = data.lower()
        for token, how, text in wanted:
            if (text in data) if how.endswith("*") else (text.lower() in low):
                hits.add((token, how, place))
    return hits


def readable(out: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (place, bytes) for all that can be got from a folder: names, whole files, and what Parquet unpacks to."""
    for path in sorted(out.rglob("*")):
        yield "name", str(path.relative_to(out)).encode()
        if path.is_file():
            data = path.read_bytes()
            yield str(path.relative_to(out)), data
            if path.suffix == ".parquet":
                for place, piece in parquet(data):
                    yield f"{path.relative_to(out)} {place}", piece


def parquet(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every decompressed page of a Parquet file, its statistics, its metadata and its values."""
    file = pq.ParquetFile(pa.BufferReader(data))
    meta = file.metadata
    for key, value in (meta.metadata or {}).items():
        yield f"metadata {key!r}", key + b"\0" + value
        if key == b"ARROW:schema":
            yield "schema", base64.b64decode(value)
    yield "metadata", repr((meta.schema, file.schema_arrow, meta.created_by)).encode()
    for group in range(meta.num_row_groups):
        for number in range(meta.num_columns):
            column = meta.row_group(group).column(number)
            assert set(column.encodings) <= _SEARCHABLE, "an encoding that spreads a value over bytes of others"
            yield f"statistics {column.path_in_schema}", repr(column.statistics).encode()
            for kind, page in _pages(data, column):
                yield f"{kind} {column.path_in_schema}", page
    for name, values in file.read().to_pydict().items():
        yield f"values {name}", "\n".join(map(str, values)).encode()


def _pages(data: bytes, column: Any) -> Iterator[tuple[str, bytes]]:
    """Yield the pages of a column chunk, decompressed (parquet-format, PageHeader)."""
    at = min(place for place in (column.dictionary_page_offset, column.data_page_offset) if place)
    end = at + column.total_compressed_size
    while at < end:
        header, at = _struct(data, at)
        size, stored = header[2], header[3]
        body = data[at : at + stored]
        at += stored
        levels = header[8].get(5, 0) + header[8].get(6, 0) if 8 in header else 0  # version 2 leaves levels as they are
        packed = column.compression != "UNCOMPRESSED" and (8 not in header or header[8].get(7, True))
        rest = body[levels:]
        if packed and rest:
            rest = pa.decompress(rest, size - levels, column.compression.lower(), asbytes=True)
        yield {0: "data page", 2: "dictionary page", 3: "data page"}[header[1]], body[:levels] + rest
        if 5 in header:
            yield "page statistics", repr(header[5]).encode()
    assert at == end


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Read a struct of Thrift's compact protocol: its fields by number, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while (head := data[at]) != 0:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        fields[number], at = _value(data, at, head & 15)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2:
            return kind == 1, at
        case 3:
            return data[at], at + 1
        case 4 | 5 | 6:
            return _zigzag(data, at)
        case 7:
            return struct.unpack_from("<d", data, at)[0], at + 8
        case 8:
            size, at = _varint(data, at)
            return data[at : at + size], at + size
        case 9 | 10:
            head = data[at]
            size, at = (head >> 4, at + 1) if head >> 4 < 15 else _varint(data, at + 1)
            items = []
            for _ in range(size):
                item, at = _value(data, at, head & 15)
                items.append(item)
            return items, at
        case 12:
            return _struct(data, at)
        case _:
            raise AssertionError(f"no page header has a field of type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
