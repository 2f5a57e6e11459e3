"""Raw logs, read for the audit: every field, and whose line it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.parse import Parser
from logblur.parse.detect import SAMPLE_BYTES, choose
from logblur.protect.addresses import Addresses, parse_addresses, spelled_addresses
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import find_logs
from logblur.sources.open import open_log

ROWS: Final = 1 << 18
"""Rows that are looked at together."""

_HOME: Final = np.uint64(0xFFFFFFFFFFFFFF00)  # the first 56 bits of an IPv6 address: what a home gets
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class RawBatch:
    """Some rows of a raw log.

    Attributes:
        batch: The parsed columns.
        texts: By text column its distinct values, large_string; a null may be one.
        codes: By text column the rows' codes into them.
        clients: uint64, by row: equal for lines of one client, as thresholds count them.
    """

    batch: pa.RecordBatch
    texts: Mapping[str, pa.Array]
    codes: Mapping[str, npt.NDArray[np.int32]]
    clients: npt.NDArray[np.uint64]


def read_raw(logs: Sequence[str], wanted: str = "auto") -> Iterator[RawBatch]:
    """Yield the rows of raw logs, all their fields, some at a time; what does not parse is passed over.

    Args:
        logs: Files, folders, globs.
        wanted: ``[input] format`` of the policy.

    Raises:
        InputError, FormatError: A log cannot be read, or no known format fits.
    """
    for batch in parsed(logs, wanted, None):
        yield _batch(batch)


def parsed(logs: Sequence[str], wanted: str, fields: Collection[str] | None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of raw logs as parsed, some at a time: these fields, or all that the format has."""
    latest = int((datetime.now(UTC) + timedelta(days=1)).timestamp()) * 1_000_000
    for log in find_logs(logs):
        with open_log(log) as content:
            reader = BlockReader(content, segment_size=1 << 62)
            block = reader.read()
            form = choose(sample(content, block, SAMPLE_BYTES), wanted)
            parser = Parser(
                form, sorted(form.columns - {"referer_host"} if fields is None else fields), latest_us=latest
            )
            while block:
                parser.feed(block)
                if parser.rows >= ROWS or parser.full:
                    yield parser.take().batch
                block = reader.read()
            if parser.rows:
                yield parser.take().batch


def addresses_of(texts: pa.Array) -> Addresses:
    """Return the address that each text (large_string) is, or that it spells as servers and proxies write one."""
    found, (spelled, _) = parse_addresses(texts), spelled_addresses(texts)
    plain = found.family != 0
    return Addresses(
        np.where(plain, found.high, spelled.high),
        np.where(plain, found.low, spelled.low),
        np.where(plain, found.family, spelled.family),
    )


def _batch(batch: pa.RecordBatch) -> RawBatch:
    columns = {
        name: column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if pa.types.is_dictionary(column.type)
    }
    texts = {name: column.dictionary for name, column in columns.items()}
    codes = {name: np.asarray(column.indices) for name, column in columns.items()}
    return RawBatch(batch, texts, codes, _clients(texts, codes, batch.num_rows))


def _clients(
    texts: Mapping[str, pa.Array], codes: Mapping[str, npt.NDArray[np.int32]], rows: int
) -> npt.NDArray[np.uint64]:
    if "remote_addr" not in texts:
        return np.zeros(rows, np.uint64)
    found = parse_addresses(texts["remote_addr"])
    high = np.where(found.family == 6, found.high & _HOME, found.high)
    low = np.where(found.family == 6, np.uint64(0), found.low)
    names = [hash(text) & 0xFFFFFFFFFFFFFFFF for text in texts["remote_addr"].to_pylist()]
    ids = np.where(found.family == 0, np.array(names, np.uint64), (high * _MIX) ^ low)
    return ids[codes["remote_addr"]]
