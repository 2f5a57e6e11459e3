"""Carries out the Plan: addresses, tokens, pseudonyms, paths, sites, time. The only raw -> publishable door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.protect.door import protect as protect
    from logblur.protect.door import record_columns as record_columns
    from logblur.protect.paths import Templates as Templates

__all__ = ["Templates", "protect", "record_columns"]

_HOMES = {"record_columns": "door", "protect": "door", "Templates": "paths"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'logblur.protect' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"logblur.protect.{_HOMES[name]}"), name)
