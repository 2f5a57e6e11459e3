"""Where a link stood, by what it says itself: ``utm_source``, which reaches the server where no referrer does.

A value is whatever a client writes. What comes of it is a name of our table or nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc

from logblur.classify.hosts import KINDS, Source, abbreviations, source_of, sources
from logblur.placeholders import NONE
from logblur.policy.plan import CAMPAIGN

COLUMNS: Final = tuple(f"{CAMPAIGN}_{column}" for column in KINDS.values())
"""The columns that tell it: search engine, social network, answering service; at most one of them a name."""

LONGEST: Final = 64
"""Characters of a value that are read."""

_LONG: Final = 6
"""Letters of a name that is known by itself when more words follow it: ``facebook_ads`` and no ``line_item``."""

_PATTERN: Final = rf"(?:^|[&;]){CAMPAIGN}=(?P<value>[^&;#]*)"


def told(queries: pa.Array) -> pa.StructArray:
    """Return for each query what its ``utm_source`` names, a field for each of `COLUMNS`.

    Args:
        queries: large_string, distinct values; null and a query without the parameter name nothing.

    Returns:
        Fields of string, without nulls: `placeholders.NONE` where it names none of this kind.

    Cost:
        One regular expression in linear time, and a look-up for each distinct value.
    """
    values = pc.struct_field(pc.extract_regex(queries, _PATTERN), "value").dictionary_encode()
    found = [named(value) for value in values.dictionary.to_pylist()]
    columns = [
        pc.fill_null(
            pa.array([s.name if s and s.kind == kind else NONE for s in found], pa.string()).take(values.indices), NONE
        )
        for kind in KINDS
    ]
    return pa.StructArray.from_arrays(columns, names=list(COLUMNS))


def named(value: str) -> Source | None:
    """Return the source that a value of ``utm_source`` names: by a host of its, its name, or what it is called."""
    if len(value) > LONGEST:
        return None
    plain = unquote_plus(value).strip().lower()
    first = re.split(r"[^a-z0-9]+", plain, maxsplit=1)[0]
    return source_of(plain) or _names().get(_letters(plain)) or (_names().get(first) if len(first) >= _LONG else None)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text)


@functools.cache
def _names() -> Mapping[str, Source]:
    """Return the sources by name, and by what links call them; of two of one name the first counts."""
    by_name = {source.name: source for source in reversed(sources())}
    known = {_letters(name.lower()): source for name, source in by_name.items() if name.isascii()}
    return known | {short: by_name[name] for name, many in abbreviations().items() for short in many}
