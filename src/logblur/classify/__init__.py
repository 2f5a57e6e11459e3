"""Adds to parsed lines what they say: browser, system, bot, where visits come from, kind of file.

Work is done once per distinct value of a column and remembered in a `Memory` that all workers share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.classify.agents import NOT_LOGGED as NOT_LOGGED
    from logblur.classify.agents import Agent as Agent
    from logblur.classify.apart import Apart as Apart
    from logblur.classify.columns import classify as classify
    from logblur.classify.memory import Memory as Memory

__all__ = ["NOT_LOGGED", "Agent", "Apart", "Memory", "classify"]

_HOMES = {"NOT_LOGGED": "agents", "Agent": "agents", "Apart": "apart", "Memory": "memory", "classify": "columns"}


def __getattr__(name: str) -> Any:  # so that a process of its own (`apart`) loads what it needs and no more
    if name not in _HOMES:
        raise AttributeError(f"module 'logblur.classify' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"logblur.classify.{_HOMES[name]}"), name)
