"""Makes the path of a request publishable: what is personal in it gives way to a word in braces, the rest stays.

A path is cut into segments and each *distinct* segment is treated once, by regular expressions in linear time over
whole columns; what is encoded, and what only a check digit can tell, is treated one by one, and is rare.

A segment is treated again until nothing changes, so the template of a template is itself; a segment that will not
come to rest becomes a token. Whatever is cut, is cut at the end of a segment, so that no half of a secret stays.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.schema import NONE

if TYPE_CHECKING:
    import polars as pl

LONGEST: Final = 512
"""Characters of a template; of a longer one the first segments stay, then ``{long}``."""

_READ: Final = 2048  # characters of a raw path that are looked at; each costs up to three of them when it is encoded
_ROUNDS: Final = 3  # decodings, and treatments of one segment
_LONG: Final = "{long}"
_TOKEN: Final = "{token}"  # noqa: S105  (a placeholder)

# Not printable, or printed as nothing: controls, line and paragraph separators, formats (bidi, zero width), unassigned.
_HIDDEN: Final = r"[\p{C}\p{Zl}\p{Zp}]+"
_ENCODED: Final = r"%[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}"  # \xHH: a byte that is not UTF-8, as parsing writes it

_OCTET: Final = r"0{0,2}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEX: Final = r"[0-9A-Fa-f]{1,4}"
_IPV6: Final = (
    rf"\[?(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{6}}{_IPV4}|(?:{_HEX}(?::{_HEX}){{0,6}})?::(?:(?:{_HEX}:){{0,6}}(?:{_IPV4}|{_HEX}))|"
    rf"{_HEX}(?::{_HEX}){{0,6}}::)(?:%[0-9A-Za-z_.-]+)?\]?"
)

# Regular expressions without look-around: what stands before and after is matched and put back. Two findings that share
# a character between them are found in two treatments.
_FINDS: Final[tuple[tuple[str, str, str], ...]] = (
    # hint (a segment without it is not looked at), what is found, what it becomes
    ("@", r"[^\s@/:;,<>()\[\]\"]+(?:@[\p{L}\p{N}](?:[\p{L}\p{N}._-]*\.)?(?:\p{L}[\p{L}\p{N}-]*))+", "{email}"),
    ("eyJ", r"eyJ[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*){1,4}", "{jwt}"),
    ("-", r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", "{uuid}"),
    (":", rf"(^|[^0-9A-Za-z]){_IPV6}($|[^0-9A-Za-z:])", "${1}{ip}${2}"),
    (".", rf"(^|[^0-9]){_IPV4}($|[^0-9])", "${1}{ip}${2}"),
)
_LATE_FINDS: Final[tuple[tuple[str, str, str], ...]] = (
    # Latvian personas kods: a date, or 32 to 39 and no date, then five digits.
    ("-", r"(^|[^0-9])(?:(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}|3[2-9][0-9]{4})-[0-9]{5}($|[^0-9])", "${1}{code}${2}"),
    ("", r"(^|[^0-9A-Za-z])(?:\+|00)[1-9](?:[ ().-]?[0-9]){7,14}($|[^0-9])", "${1}{phone}${2}"),
    ("", r"^[0-9]+((?:\.[A-Za-z][0-9A-Za-z]{0,7}){0,2})$", "{number}${1}"),
)
_WORD: Final = r"[0-9A-Za-z_-]{20,}={0,2}"
_NUMBER: Final = r"[0-9]{5,}"

_IBAN: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}")
_DIGITS: Final = re.compile(r"[0-9]+(?:[ -][0-9]+)*")


def template(paths: pa.Array) -> pa.Array:
    """Return what may be published of each path.

    ``{email}``, ``{ip}``, ``{uuid}``, ``{jwt}``, ``{iban}``, ``{card}``, ``{code}`` (a Latvian personas kods), ``{phone}``, ``{token}`` and
    ``{number}`` stand for what was found; parameters after a semicolon, and a query that was encoded, are cut. Dates as
    ``/2015/05/17`` and versions as ``1.3.2`` stay. A first character ``(`` becomes ``%28``: words in parentheses are ours.

    Args:
        paths: large_string, distinct values of ``path``.

    Returns:
        string, as many values, without nulls: null is `schema.NONE`. Without control characters, at most `LONGEST` characters.

    Privacy:
        What has the form of an identifier is gone in every percent-encoding. A name or a word that only people can tell to
        be personal stays: the thresholds are what protects it.

    Cost:
        Linear in the characters; about 4 microseconds a distinct path.
    """
    import polars as pl

    raw = pl.Series("path", pl.from_arrow(paths), dtype=pl.String)
    cut = raw.str.len_bytes().fill_null(0) > _READ  # characters are at most bytes, so this takes in all that are too long
    read = raw.fill_null("").str.head(_READ)
    odd = read.str.contains(rf"{_ENCODED}|[^ -~]")
    if odd.any():
        read = read.scatter(odd.arg_true(), [_decoded(text) for text in read.filter(odd)])
    read = read.str.replace(r"[?#].*", "") if odd.any() else read.str.replace(r"[?#].*", "")

    lists = pc.split_pattern(read.to_arrow().cast(pa.large_string()), "/")
    offsets = lists.offsets.to_numpy()
    segments = lists.flatten().dictionary_encode()
    codes = segments.indices.to_numpy()
    plain = pl.Series("segment", pl.from_arrow(segments.dictionary), dtype=pl.String)
    plain = plain.str.replace(r"(?s);.*", "").str.replace_all(_HIDDEN, "\N{REPLACEMENT CHARACTER}")
    kept = _date_parts(plain, codes, offsets)
    values = pl.concat([_settled(plain), plain]).to_arrow().cast(pa.large_string())
    joined = pc.binary_join(
        pa.LargeListArray.from_arrays(pa.array(offsets.astype(np.int64)), values.take(pa.array(codes + kept * len(plain)))), "/"
    )
    result = pl.Series("path", pl.from_arrow(joined), dtype=pl.String).str.replace(r"^$", "/").str.replace(r"^\(", "%28")
    long = cut | (result.str.len_chars() > LONGEST)
    if long.any():
        result = result.scatter(
            long.arg_true(), [_shortened(t, whole=not c) for t, c in zip(result.filter(long), cut.filter(long), strict=True)]
        )
    return result.zip_with(raw.is_not_null(), pl.Series([NONE])).to_arrow().cast(pa.string())
