"""What may be published of a query: the parameters that the policy lists, and what was searched for, swept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.placeholders import NONE
from logblur.protect.detect import Rules, named, spelled, swept

_TEXT: Final = pa.large_string()

LONGEST: Final = 128
"""Characters of a parameter with its name; a longer value is ``{long}``."""


def kept_parameters(queries: pa.Array, names: Sequence[str], own: Rules = ()) -> pa.Array:
    """Return of each query the parameters of these names, in this order: ``page=2&utm_source=news``.

    Args:
        queries: large_string, distinct values of ``query``.
        names: Parameters, as requests spell them; of one that comes twice the first counts.
        own: The organisation's rules.

    Returns:
        large_string, without nulls; empty where none is there. In a value ``&`` and ``#`` are encoded.

    Privacy:
        Nothing of any other parameter; in values, words in braces for what has the form of an identifier, or a name
        that says it is one.

    Cost:
        Linear: one regular expression a name over the distinct queries, then what each distinct value costs.
    """
    kept = pa.array([""] * len(queries), _TEXT)
    for name in names:
        made = _parameter(queries, name, own)
        both = pc.binary_join_element_wise(kept, made, pa.scalar("&", _TEXT))
        kept = pc.coalesce(pc.if_else(pc.equal(kept, ""), made, both), kept)
    return kept


def search_terms(texts: pa.Array, own: Rules = ()) -> pa.Array:
    """Return what was searched for as it may be published: decoded, in small letters, swept.

    Args:
        texts: large_string, as referrers encode them; null is nothing.
        own: The organisation's rules.

    Returns:
        string, without nulls: `placeholders.NONE` for nothing, ``{long}`` for more than `LONGEST` characters.

    Privacy:
        Words in braces for what has the form of an identifier. A name that only people can tell to be one stays: there
        the thresholds protect.
    """
    distinct = texts.dictionary_encode()
    plain = swept(named(spelled(pc.replace_substring(distinct.dictionary.cast(_TEXT), "+", " "))), own)
    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(plain), r"\s+", " "))
    plain = pc.replace_substring_regex(plain, r"^\(", "%28")
    plain = pc.if_else(pc.greater(pc.utf8_length(plain), LONGEST), "{long}", plain)
    said = pc.if_else(pc.equal(plain, ""), NONE, plain).cast(pa.string())
    return pc.fill_null(said.take(distinct.indices), NONE)


def _parameter(queries: pa.Array, name: str, own: Rules) -> pa.Array:
    """Return ``name=value``, null where a query does not have it."""
    found = pc.extract_regex(queries, rf"(?:^|[&;]){re.escape(name)}=(?P<value>[^&;#]*)")
    values = pc.struct_field(found, "value").dictionary_encode()
    distinct = pc.binary_join_element_wise(
        pa.scalar(name, _TEXT), spelled(values.dictionary.cast(_TEXT)), pa.scalar("=", _TEXT)
    )
    plain = swept(named(distinct), own, whole=False)
    plain = pc.replace_substring(pc.replace_substring(plain, "&", "%26"), "#", "%23")
    long = pc.greater(pc.utf8_length(plain), LONGEST)
    return pc.if_else(long, f"{name}={{long}}", plain).cast(_TEXT).take(values.indices)
