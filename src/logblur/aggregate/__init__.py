"""Group, merge, distinct counts, thresholds: protected rows in, publishable rows out.

Three steps, each a plain function over values; imported on first use, since the kernels behind them import Numba:

* `aggregate`: one batch of protected rows to one `schema.Partial` a day.
* `merge`: partials of one day to one partial, in any order and grouping.
* `release`: a day's merged partial to the rows that may be published, no row describing fewer than k clients;
  `release_in_shares`: the same of partials that are too many to be merged at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.aggregate.partials import aggregate as aggregate
    from logblur.aggregate.partials import merge as merge
    from logblur.aggregate.shares import release_in_shares as release_in_shares
    from logblur.aggregate.thresholds import Released as Released
    from logblur.aggregate.thresholds import release as release

__all__ = ["Released", "aggregate", "merge", "release", "release_in_shares"]

_HOMES = {
    "aggregate": "partials",
    "merge": "partials",
    "release_in_shares": "shares",
    "Released": "thresholds",
    "release": "thresholds",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'logblur.aggregate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"logblur.aggregate.{_HOMES[name]}"), name)
