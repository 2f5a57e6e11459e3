"""Which requests are restricted: what they, or the cookies they came with, say of how they may be used."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.policy.plan import Conditions, Signals


def restricted(columns: Mapping[str, pa.DictionaryArray], signals: Signals, rows: int) -> npt.NDArray[np.bool_]:
    """Return which rows go through the rules of ``[signals]``.

    Args:
        columns: Text columns as parsed; one that is not there says nothing.
        signals: What consents, and what objects. An objection outweighs consent.
        rows: How many there are.

    Privacy:
        Fails closed: where consent is asked for, a log that cannot show it has none. An objection that is not logged
        cannot be honoured.

    Cost:
        A regular expression in linear time over the distinct values of each field named, and a take.
    """
    objects = _said(columns, signals.objection, rows)
    return objects | ~_said(columns, signals.consent, rows) if signals.consent else objects


def _said(columns: Mapping[str, pa.DictionaryArray], conditions: Conditions, rows: int) -> npt.NDArray[np.bool_]:
    """Return in which rows any of the fields holds one of its values."""
    found = np.zeros(rows, np.bool_)
    for name, values in conditions:
        wanted = "|".join(".*".join(map(re.escape, value.split("*"))) for value in values)
        if name in columns:
            column, pattern = columns[name], rf"(?is)\A\s*(?:{wanted})\s*\z"
        elif name.startswith("cookie_") and "cookies" in columns:
            cookie = re.escape(name.removeprefix("cookie_"))
            column, pattern = columns["cookies"], rf"(?is)(?:\A|;)\s*{cookie}=\s*(?:{wanted})\s*(?:;|\z)"
        else:
            continue
        holds = pc.fill_null(pc.match_substring_regex(column.dictionary, pattern), False)
        found |= holds.to_numpy(zero_copy_only=False)[np.asarray(column.indices)]
    return found
