"""The hot core: `Block` x `Format` -> `Parsed`. `reference` is clear and slow, the kernels fast; they always agree.

Use `Parser` for a stream of blocks, `parse` for a few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logblur.parse.parser import Parser as Parser
    from logblur.parse.parser import parse as parse

__all__ = ["Parser", "parse"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'logblur.parse' has no attribute {name!r}")
    from logblur.parse import parser

    return getattr(parser, name)
