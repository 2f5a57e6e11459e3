"""Test 1: the identifying values of raw logs, searched in all that a reader of the output, or of the state, can get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.privacy.needles import Haystack, Needle, Values, forms
from logblur.privacy.raw import read_raw
from logblur.privacy.readable import read
from logblur.privacy.report import Result, Verdict
from logblur.schema import FINDINGS, KEY_TYPES, MEANINGS, MEASURES, UNIVERSES

SHOWN: Final = 20
"""Places that are named, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Hunt:
    """What is searched for.

    Attributes:
        values: The values of the raw logs.
        needles: Each form of each.
        haystack: The forms, indexed.
        common: By needle, whether its value is of no one: lines of at least k clients hold it, or it is a word of
            logblur's own, such as a column's name.
    """

    values: Values
    needles: list[Needle]
    haystack: Haystack
    common: npt.NDArray[np.bool_]


def prepare(logs: Sequence[str], *, wanted: str, enough: int) -> Hunt:
    """Return what to search for: what identifies somebody in these logs.

    Args:
        logs: Raw logs.
        wanted: ``[input] format`` of the policy.
        enough: k: a value in lines of so many clients is listed, not failed.

    Cost:
        The logs are parsed twice; a few microseconds for each distinct value, half a kilobyte of memory for each form.
    """
    values = Values(enough)
    for batch in read_raw(logs, wanted):
        values.gather(batch)
    known, itself = values.haystack()
    for batch in read_raw(logs, wanted):
        values.count_clients(known, itself, batch)
    spoken = np.zeros(len(known), np.int64)
    itself.search(np.frombuffer(_vocabulary(), np.uint8), spoken)
    public = {known[at] for at in np.flatnonzero(spoken).tolist()}
    needles, haystack = forms(values.kinds)
    common = np.array([n.value in public or values.common(n.value) for n in needles], np.bool_)
    return Hunt(values, needles, haystack, common)


def _vocabulary() -> bytes:
    """Return the words that logblur itself writes: of schema, metadata and manifest, and of what it classifies by."""
    words = [*KEY_TYPES, *MEANINGS, *MEANINGS.values(), *MEASURES, *UNIVERSES, *FINDINGS]
    words += ["manifest.json", "parquet", "logblur.policy_digest", "logblur.schema_version", "rolled_up", "withheld"]
    rooms = [resources.files("logblur.classify")]
    rooms += [room for room in rooms[0].iterdir() if room.is_dir()]
    files = (file for room in rooms for file in room.iterdir() if file.name.endswith(".toml"))
    return "\n".join([*words, *(file.read_text(encoding="utf-8") for file in files)]).encode()


def search(name: str, place: Path, hunt: Hunt, *, skip: Callable[[Path], bool] = lambda _: False) -> Result:
    """Search a file or a folder; fail where a value is found that belongs to few.

    Privacy:
        The result says where, of which kind, in which form and how many; never what.
    """
    total = 0
    where: Counter[tuple[str, str, str]] = Counter()
    listed: Counter[tuple[str, str]] = Counter()
    lost: set[bytes] = set()
    for piece in read(place, skip=skip):
        counts = np.zeros(len(hunt.needles), np.int64)
        hunt.haystack.search(piece.text, counts)
        total += len(piece.text)
        for at in np.flatnonzero(counts).tolist():
            needle = hunt.needles[at]
            kind = hunt.values.kinds[needle.value]
            if hunt.common[at]:
                listed[kind, needle.form] += 1
            else:
                where[piece.place, kind, needle.form] += 1
                lost.add(needle.value)
    searched = f"{total / 1e6:,.1f} MB searched for {len(hunt.needles):,} forms of {len(hunt.values.kinds):,} values"
    figures = {"bytes": total, "needles": len(hunt.needles), "values": len(hunt.values.kinds), "found": len(lost)}
    details = [f"{p}: {n:,} of kind {kind}, {form}" for (p, kind, form), n in where.most_common(SHOWN)]
    if len(where) > SHOWN:
        details.append(f"and {len(where) - SHOWN:,} more places")
    details += [
        f"listed, in lines of enough clients: {n:,} of kind {kind}, {form}" for (kind, form), n in listed.most_common()
    ]
    if lost:
        return Result(name, Verdict.FAILED, f"{len(lost):,} values found; {searched}", tuple(details), figures)
    return Result(name, Verdict.PASSED, f"nothing found; {searched}", tuple(details), figures)
