"""The columns that follow from those of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import pyarrow as pa

from logblur.classify.agents import Agent
from logblur.classify.hosts import Host
from logblur.classify.memory import Known, Memory
from logblur.growing import Grown
from logblur.policy.plan import CONTENT_TYPE, Dimension, Pages

_PLAIN: Final = Pages()
_OF_REFERRER: Final = ("referrer_domain", *Host._fields[1:])


def classify(
    batch: pa.RecordBatch,
    *,
    site: str,
    memory: Memory,
    pages: Pages = _PLAIN,
    dimensions: Sequence[Dimension] = (),
    follow_campaigns: bool = False,
    grown: Grown | None = None,
) -> pa.RecordBatch:
    """Add the columns that follow from those of the batch.

    ``user_agent`` gives the columns of `Agent` (where it is not logged they are not added: `NOT_LOGGED` says what
    they would be), ``referer_host`` gives ``referrer_domain`` and those of `Host`, ``path`` gives ``file_kind``, with
    what content types say of it.
    ``own_domain``, the registrable domain of the row's host or else of `site`, is always added: a referrer of the
    same domain is the site itself.

    Args:
        batch: Columns of `schema.PARSED`.
        site: The site of formats that log no host; may be empty.
        memory: What this run has learnt so far.
        pages: Which paths are parts of a page or downloads, beside what extensions say.
        dimensions: Columns of the policy's own, added where the batch has what they look at.
        follow_campaigns: Whether ``query`` gives the columns of `campaigns.COLUMNS`.
        grown: What this worker has made of its dictionaries so far.

    Returns:
        The same columns, then the new ones.

    Privacy:
        ``searched``, what a whole referrer says was searched for, is raw and for `protect` alone. What else is added
        holds no address and no text of a client's making but the registrable domain of a referrer.

    Cost:
        Microseconds per distinct value: 20 for a new user agent, 10 for a new host, 0.5 for what is known.
        Per row: nothing, and a look-up where content types are logged.

    Shapes:
        New columns are dictionary<int32, string> without nulls; all but ``file_kind`` share the indices of
        the column that they follow from.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    grown = Grown() if grown is None else grown

    def told(name: str, what: object, make: Callable[[pa.Array], pa.Array]) -> pa.Array:
        return grown.of((name, what), columns[name].dictionary, make)

    def follow(name: str, values: pa.Array) -> pa.DictionaryArray:
        # as many values as before, so the indices need no check
        return pa.DictionaryArray.from_arrays(columns[name].indices, values, safe=False)

    def described(name: str, known: Known) -> list[pa.DictionaryArray]:
        said = told(name, "described", lambda texts: _described(texts, known))
        return [follow(name, values) for values in said.flatten()]

    if "user_agent" in columns:
        columns |= dict(zip(Agent._fields, described("user_agent", memory.agents), strict=True))
    if "referer_host" in columns:
        columns |= dict(zip(_OF_REFERRER, described("referer_host", memory.hosts), strict=True))
    if "referer" in columns:
        from logblur.classify.terms import searched

        columns["searched"] = follow("referer", told("referer", "searched", searched))
    if "host" in columns:
        columns["own_domain"] = described("host", memory.hosts)[0]
    else:
        codes, rows = memory.hosts.look([site or None])
        zeros = pa.repeat(pa.scalar(0, pa.int32()), batch.num_rows)
        own_domain = pa.array([rows[codes[0]][0]], pa.string())
        columns["own_domain"] = pa.DictionaryArray.from_arrays(zeros, own_domain, safe=False)
    if "path" in columns:
        from logblur.classify.files import kinds

        columns["file_kind"] = kinds(columns["path"], columns.get(CONTENT_TYPE), pages, grown)
    if follow_campaigns and "query" in columns:
        from logblur.classify import campaigns

        said = told("query", "campaigns", campaigns.told)
        columns |= dict(zip(campaigns.COLUMNS, (follow("query", values) for values in said.flatten()), strict=True))
    if own := [dimension for dimension in dimensions if dimension.column in columns]:
        from logblur.classify import dimensions as rules

        for dimension in own:
            make = functools.partial(rules.told, values=dimension.values)
            said = told(dimension.column, dimension, make)
            columns[dimension.name] = follow(dimension.column, said)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _described(texts: pa.Array, known: Known) -> pa.StructArray:
    """Return the columns of what is known of each text."""
    codes, rows = known.look(texts.to_numpy(zero_copy_only=False))
    take = pa.array(codes)
    columns = [pa.array(values, pa.string()).take(take) for values in zip(*rows, strict=True)]
    return pa.StructArray.from_arrays(columns, names=[str(place) for place in range(len(columns))])
