"""Raw web access logs in, statistics that may be kept out: blur who, keep what.

The public API is three names; each is imported on first use, so that ``import logblur`` costs nothing:

* `run`: logs to Parquet tables, the main job.
* `scan`: logs to a Polars `LazyFrame` of *protected* rows.
* `load_policy`: a policy file or built-in name to a frozen `Policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.pipeline import run as run
    from logblur.policy import load_policy as load_policy
    from logblur.records import scan as scan

__version__ = "0.1.0"
__all__ = ["__version__", "load_policy", "run", "scan"]

_HOMES = {"run": "logblur.pipeline", "scan": "logblur.records", "load_policy": "logblur.policy"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'logblur' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
