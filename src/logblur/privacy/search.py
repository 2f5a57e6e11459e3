"""Test 1: the identifying values of raw logs, searched in all that a reader of the output, or of the state, can get."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Ints
from logblur.privacy.haystack import Haystack
from logblur.privacy.needles import Clients, Needles, Values, forms, trimmed
from logblur.privacy.raw import read_raw
from logblur.privacy.readable import Piece, read
from logblur.privacy.report import Result, Verdict
from logblur.protect.addresses import Addresses
from logblur.schema import FINDINGS, KEY_TYPES, MEANINGS, MEASURES, UNIVERSES

SHOWN: Final = 20
"""Places that are named, at most."""

_THREADS: Final = 4  # a piece each, at most 64 MiB


@dataclass(frozen=True, slots=True, eq=False)
class Hunt:
    """What is searched for.

    Attributes:
        kinds: By value what it is.
        needles: Each form of each.
        common: By value, whether it is of no one: lines of at least k clients hold it, or it is a word of logblur's
            own, such as a column's name.
        addresses: Those among the values, as text.
    """

    kinds: Sequence[str]
    needles: Needles
    common: npt.NDArray[np.bool_]
    addresses: Sequence[str]


def prepare(logs: Sequence[str], *, wanted: str, enough: int) -> Hunt:
    """Return what to search for: what identifies somebody in these logs.

    Args:
        logs: Raw logs.
        wanted: ``[input] format`` of the policy.
        enough: k: a value in lines of so many clients is listed, not failed.

    Cost:
        The logs are parsed twice; some microseconds and about 700 bytes for each distinct value.
    """
    values = Values()
    for batch in read_raw(logs, wanted):
        values.gather(batch)
    whole = values.spans()
    spans = trimmed(whole)
    itself = Haystack(spans)
    clients = Clients(itself, enough)
    for batch in read_raw(logs, wanted):
        clients.count(batch)
    common = clients.common()
    spoken = np.zeros(len(spans), np.bool_)
    spoken[itself.search(np.frombuffer(_vocabulary(), np.uint8))[0]] = True
    common |= spoken[itself.first] & (itself.first >= 0)
    order = np.argsort(common, kind="stable")  # of equal forms the one is found that belongs to few
    order = order[(spans.ends > spans.starts)[order]]
    kinds = list(values.kinds.values())
    all_addresses = values.addresses()
    found = Addresses(all_addresses.high[order], all_addresses.low[order], all_addresses.family[order])
    addresses = [value for value, kind in values.kinds.items() if kind == "address"]
    return Hunt([kinds[at] for at in order], forms(whole.take(order), found), common[order], addresses)


def _vocabulary() -> bytes:
    """Return the words that logblur itself writes: of schema, metadata and manifest, and of what it classifies by."""
    words = [*KEY_TYPES, *MEANINGS, *MEANINGS.values(), *MEASURES, *UNIVERSES, *FINDINGS]
    words += ["manifest.json", "parquet", "logblur.policy_digest", "logblur.schema_version", "rolled_up", "withheld"]
    rooms = [resources.files("logblur.classify")]
    rooms += [room for room in rooms[0].iterdir() if room.is_dir()]
    files = (file for room in rooms for file in room.iterdir() if file.name.endswith(".toml"))
    return "\n".join([*words, *(file.read_text(encoding="utf-8") for file in files)]).encode()


def search(name: str, place: Path, hunt: Hunt, *, skip: Callable[[Path], bool] = lambda _: False) -> Result:
    """Search a file or a folder; fail where a value is found that belongs to few, or where what is packed may hide one.

    Privacy:
        The result says where, of which kind, in which form and how many; never what.
    """
    total = 0
    where: Counter[tuple[str, str, str]] = Counter()
    listed: Counter[tuple[str, str]] = Counter()
    lost: set[int] = set()
    hidden: list[str] = []
    values = len(hunt.kinds)
    for piece, found in _found(read(place, skip=skip), hunt.needles.haystack):
        total += len(piece.text)
        hidden += [f"{piece.place}: cannot be unpacked, so it may hold anything"] if piece.hides else []
        for needle in np.unique(found).tolist():
            form, value = hunt.needles.forms[needle // values], needle % values
            if hunt.common[value]:
                listed[hunt.kinds[value], form] += 1
            else:
                where[piece.place, hunt.kinds[value], form] += 1
                lost.add(value)
    searched = f"{total / 1e6:,.1f} MB searched for {len(hunt.needles):,} forms of {values:,} values"
    figures = {
        "bytes": total,
        "needles": len(hunt.needles),
        "values": values,
        "found": len(lost),
        "hidden": len(hidden),
    }
    details = [*hidden[:SHOWN], *([f"and {len(hidden) - SHOWN:,} more files"] if len(hidden) > SHOWN else [])]
    details += [f"{p}: {n:,} of kind {kind}, {form}" for (p, kind, form), n in where.most_common(SHOWN)]
    if len(where) > SHOWN:
        details.append(f"and {len(where) - SHOWN:,} more places")
    details += [
        f"listed, in lines of enough clients: {n:,} of kind {kind}, {form}" for (kind, form), n in listed.most_common()
    ]
    if lost:
        return Result(name, Verdict.FAILED, f"{len(lost):,} values found; {searched}", tuple(details), figures)
    verdict = Verdict.FAILED if hidden else Verdict.PASSED
    return Result(name, verdict, f"nothing found; {searched}", tuple(details), figures)


def _found(pieces: Iterable[Piece], haystack: Haystack) -> Iterator[tuple[Piece, Codes]]:
    """Yield each piece with the needles that are found in it, some at a time."""
    waiting: deque[tuple[Piece, Future[tuple[Codes, Ints]]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for piece in pieces:
            waiting.append((piece, pool.submit(haystack.search, piece.text)))
            if len(waiting) > _THREADS:
                first, hits = waiting.popleft()
                yield first, hits.result()[0]
        for first, hits in waiting:
            yield first, hits.result()[0]
