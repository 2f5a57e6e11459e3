"""What a policy says of paths and of columns of its own: patterns, checked when the policy is read.

Patterns are regular expressions of RE2: linear time whatever a client writes, so no look-around and no back-references.
They are searched for anywhere in a value; ``^`` and ``$`` tie them to its ends.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from logblur.policy.rules import Line, Model, pattern

MOST: Final = 32
"""Values of one dimension, patterns and names in a list, at most: each is a pass over the distinct values."""


def _name(value: str) -> str:
    if value.startswith("("):
        raise ValueError("should not begin with (: words in parentheses are logblur's own")
    return value


def _bounded(values: dict[str, str]) -> dict[str, str]:
    if not 1 <= len(values) <= MOST:
        raise ValueError(f"should name one to {MOST} values, each with its pattern")
    return values


Pattern = Annotated[str, AfterValidator(pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False, max_length=MOST)]
FileName = Annotated[str, Field(pattern=r"\A[^/\s]{1,64}\z")]


class Pages(Model):
    """How paths are told apart and written: ``[pages]``.

    Attributes:
        index: File names that stand for their folder: ``/a/index.html`` is ``/a/``.
        trailing_slash: ``drop`` makes ``/a/`` and ``/a`` one page, ``/a``.
        assets, downloads: Patterns of paths that are parts of a page, or files that people take away, whatever their
            extension; assets decide first.
    """

    index: Annotated[tuple[FileName, ...], Field(strict=False, max_length=MOST)] = ()
    trailing_slash: Literal["keep", "drop"] = "keep"
    assets: Patterns = ()
    downloads: Patterns = ()


class Dimension(Model):
    """A column of the policy's own: ``[dimensions.section]``.

    Attributes:
        field: What the patterns look at: the path without its query, the host, the referrer's host, the user agent.
        values: What the column says, each with the pattern that tells it; the first that fits decides. Where none
            does, the column is ``(none)``.
    """

    field: Literal["path", "host", "referer", "user_agent"]
    values: Annotated[
        dict[Annotated[Line, Field(max_length=64), AfterValidator(_name)], Pattern], AfterValidator(_bounded)
    ]
