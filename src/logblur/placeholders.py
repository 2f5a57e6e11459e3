"""Words that stand in a table in the place of a value. In parentheses, so that none is taken for one."""

from __future__ import annotations

from typing import Final

OTHER: Final = "(other)"
NONE: Final = "(none)"
UNUSUAL: Final = "(unusual)"
