"""What can be got out of a Parquet file: every decompressed page, statistics, metadata, and the values.

Compressed bytes hide everything, so pages are taken out of the file and decompressed one by one, dictionaries among
them: an entry that no row uses is still read by whoever opens the file.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

SEARCHABLE: Final = frozenset({"PLAIN", "RLE", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "BIT_PACKED"})
"""Encodings that leave a value's bytes together. Of any other the values alone can be searched."""

_CODES: Final = (2, 8)  # PLAIN_DICTIONARY, RLE_DICTIONARY: a data page holds places in the dictionary page


def pieces(data: Any, file: Any) -> Iterator[tuple[str, bytes]]:
    """Yield (place, bytes) for the metadata, the statistics and every decompressed page of a Parquet file.

    Args:
        data: The file's bytes, a buffer.
        file: The same, as a ``pyarrow.parquet.ParquetFile``.

    Raises:
        ValueError: The bytes are not what the footer says.

    Source:
        parquet-format, ``PageHeader`` in Thrift's compact protocol.
    """
    data = memoryview(data).cast("B")  # a buffer of Arrow's has signed bytes
    meta = file.metadata
    for key, value in (meta.metadata or {}).items():
        yield "metadata", key + b"\n" + value
        if key == b"ARROW:schema":
            yield "schema", base64.b64decode(value)
    yield "metadata", repr((meta.schema, file.schema_arrow, meta.created_by)).encode()
    for group in range(meta.num_row_groups):
        for number in range(meta.num_columns):
            column = meta.row_group(group).column(number)
            if column.statistics is not None:
                yield f"statistics of {column.path_in_schema}", repr(column.statistics).encode()
            for kind, page in _pages(data, column):
                yield f"{kind} of {column.path_in_schema}", page


def _pages(data: Any, column: Any) -> Iterator[tuple[str, bytes]]:
    at = min(place for place in (column.dictionary_page_offset, column.data_page_offset) if place)
    end = at + column.total_compressed_size
    while at < end:
        header, at = _struct(data, at)
        size, stored = header[2], header[3]
        body = bytes(data[at : at + stored])
        at += stored
        levels = header[8].get(5, 0) + header[8].get(6, 0) if 8 in header else 0  # version 2 leaves levels as they are
        packed = column.compression != "UNCOMPRESSED" and (8 not in header or header[8].get(7, True))
        rest = body[levels:]
        if packed and rest:
            rest = pa.decompress(rest, size - levels, column.compression.lower(), asbytes=True)
        encoding = header[8].get(4) if 8 in header else header.get(5, {}).get(2)
        kind = {0: "data page", 2: "dictionary page", 3: "data page"}.get(header[1], "page")
        if levels:
            yield "levels", body[:levels]
        yield "codes" if kind == "data page" and encoding in _CODES else kind, rest
        if 5 in header:
            yield "page statistics", repr(header[5]).encode()
    if at != end:
        raise ValueError("pages do not end where the footer says")


def _struct(data: Any, at: int) -> tuple[dict[int, Any], int]:
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


def _value(data: Any, at: int, kind: int) -> tuple[Any, int]:
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
            return bytes(data[at : at + size]), at + size
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
            raise ValueError(f"no page header has a field of type {kind}")


def _varint(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def _zigzag(data: Any, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
