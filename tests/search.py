"""Searches what a reader of OUT can get for what must not be there: decompressed pages, metadata, names, manifest.

Compressed bytes hide everything, so pages are taken out of the file and decompressed one by one, dictionaries among
them: an entry that no row uses is still read by whoever opens the file. Every test that finds nothing stands beside one
that publishes a token on purpose and finds it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from logblur.privacy.parquet import SEARCHABLE, pieces


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
    for group in range(file.metadata.num_row_groups):
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            assert set(column.encodings) <= SEARCHABLE, "an encoding that spreads a value over bytes of others"
    yield from pieces(data, file)
    for name, values in file.read().to_pydict().items():
        yield f"values {name}", "\n".join(map(str, values)).encode()
