"""Carries out the Plan: addresses, tokens, pseudonyms, paths, sites, time. The only raw -> publishable door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.protect.door import RECORD_COLUMNS as RECORD_COLUMNS
    from logblur.protect.door import protect as protect

__all__ = ["RECORD_COLUMNS", "protect"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'logblur.protect' has no attribute {name!r}")
    from logblur.protect import door

    return getattr(door, name)
