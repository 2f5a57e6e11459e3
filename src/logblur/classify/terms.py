"""What was searched for, from referrers of the engines that still say it. Raw text: `protect` sweeps it."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.classify.hosts import source_of

_HOST: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]+)"


def searched(referrers: pa.Array) -> pa.Array:
    """Return what was searched for in each referrer, encoded as it stands there; null where none says it.

    Args:
        referrers: large_string, distinct values; null says nothing.

    Returns:
        large_string.

    Cost:
        A look at each distinct host, and a regular expression in linear time for each parameter that holds terms.
    """
    hosts = pc.struct_field(pc.extract_regex(referrers, _HOST), "host").dictionary_encode()
    parameters: dict[tuple[str, ...], list[int]] = {}
    for number, host in enumerate(hosts.dictionary.to_pylist()):
        source = source_of(host)
        if source is not None and source.terms:
            parameters.setdefault(source.terms, []).append(number)
    found = pa.nulls(len(referrers), pa.large_string())
    for names, numbers in parameters.items():
        any_name = "|".join(map(re.escape, names))
        rows = pc.fill_null(pc.is_in(hosts.indices, pa.array(numbers, hosts.indices.type)), False)
        told = pc.struct_field(
            pc.extract_regex(referrers.filter(rows), rf"[?&#;](?:{any_name})=(?P<terms>[^&#;]+)"), "terms"
        )
        found = pc.replace_with_mask(found, rows, told.cast(pa.large_string()))
    return found
