"""Group, merge, distinct counts, thresholds: protected rows in, publishable rows out.

Three steps, each a plain function over values; imported on first use, since the kernels behind them import Numba:

* `aggregate`: one batch of protected rows to one `schema.Partial` a day.
* `merge`: partials of one day to one partial, in any order and grouping; `merge_in_ranges` where they are many.
* `release`: a day's merged partial to the rows that may be published, no row describing fewer than k clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.aggregate.condense import merge_in_ranges as merge_in_ranges
    from logblur.aggregate.partials import aggregate as aggregate
    from logblur.aggregate.partials import merge as merge
    from logblur.aggregate.thresholds import Released as Released
    from logblur.aggregate.thresholds import release as release

__all__ = ["Released", "aggregate", "merge", "merge_in_ranges", "release"]

_HOMES = {
    "aggregate": "partials",
    "merge": "partials",
    "merge_in_ranges": "condense",
    "Released": "thresholds",
    "release": "thresholds",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'logblur.aggregate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"logblur.aggregate.{_HOMES[name]}"), name)
