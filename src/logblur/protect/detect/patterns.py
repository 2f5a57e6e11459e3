"""The regular expressions, for RE2: without look-around, so what stands before and after is matched and put back.

Two findings that share a character between them are found in two treatments. The order of each list matters: what is
more certain comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

Rule = tuple[str, str]
"""What is searched for, and what takes its place."""

_HELD: Final = "\ue000"
"""Stands for what a later pattern must not see. Private use: `spelling.spelled` leaves none in a text."""

_OCTET: Final = r"0{0,2}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEX: Final = r"[0-9A-Fa-f]{1,4}"
_IPV6: Final = (
    rf"(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{6}}{_IPV4}|"
    rf"(?:{_HEX}(?::{_HEX}){{0,6}})?::(?:{_HEX}:){{0,6}}(?:{_IPV4}|{_HEX})|{_HEX}(?::{_HEX}){{0,6}}::)(?:%[0-9A-Za-z_.-]+)?"
)
_CLEARLY_IPV6: Final = rf"(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{2,6}}(?::{_HEX}){{1,5}}"  # also where letters adjoin

# A version of four small numbers after a v is no address: v1.2.3.4, but v203.0.113.7 is.
_VERSION: Final = r"(^|[^0-9A-Za-z])([vV][0-9]{1,2})\.([0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2})($|[^0-9.]|\.[^0-9])"

ADDRESSES: Final[tuple[Rule, ...]] = (
    (_VERSION, rf"\1\2.{_HELD}\3\4"),
    (rf"\[{_IPV6}\]", "{ip}"),
    (rf"(^|[^0-9A-Za-z]){_IPV6}($|[^0-9A-Za-z])", "\\1{ip}\\2"),
    (_CLEARLY_IPV6, "{ip}"),
    (rf"(^|[^0-9.]|[^0-9]\.){_IPV4}($|[^0-9.]|\.(?:$|[^0-9]))", "\\1{ip}\\2"),
    (r"(^|[^0-9A-Za-z])0[xX][0-9A-Fa-f]{1,2}(?:\.0[xX][0-9A-Fa-f]{1,2}){3}($|[^0-9A-Za-z])", "\\1{ip}\\2"),
    (r"(^|[^0-9A-Za-z])0[xX][0-9A-Fa-f]{8}($|[^0-9A-Za-z])", "\\1{ip}\\2"),
)
"""IP addresses: RFC 4291 section 2.2 with zone, dotted decimal with zeros before, hexadecimal. See also `DASHED`."""

DASHED: Final = (
    rf"(^|[^0-9A-Za-z_.-]|[A-Za-z][0-9]{{0,2}}[._-])({_OCTET}(?:[-_]{_OCTET}){{3}})($|[^0-9A-Za-z_-]|[._-][A-Za-z])"
)
"""Four octets as host names spell them: ``ec2-203-0-113-7.example``; an address where one has three digits."""

# Names of files that hold an at sign: icon@2x.png, vue@next.js, react@16.14.0.min.js. No extension here is a top-level
# domain, and what stands before it is one word or a version.
_EXTENSION: Final = (
    r"(?:\.(?:png|jpe?g|gif|webp|avif|svg|ico|bmp|css|js|mjs|cjs|jsx|tsx?|json|map|html?|xml|txt|pdf|woff2?|ttf|tgz|gz|"
    "less|scss|wasm|min|prod|umd|esm))+"
)
_LOCAL: Final = r"[^\s@/:;,<>()\[\]\"=&?\x{e000}]+"
EMAILS: Final[tuple[Rule, ...]] = (
    (
        rf"(?i)@([\p{{L}}\p{{N}}_-]+(?:\.[0-9][0-9A-Za-z_-]*)*{_EXTENSION})($|[^\p{{L}}\p{{N}}._-]|[._-]$)",
        rf"{_HELD}\1\2",
    ),
    (rf"(?:\"(?:[^\"\\]|\\.)*\"|{_LOCAL})@(?:\[(?:IPv6:)?[0-9A-Fa-f:.]+\]|{_IPV4}($|[^0-9.]))", "{email}\\1"),
    (r"\"(?:[^\"\\]|\\.)*\"@[\p{L}\p{N}][\p{L}\p{N}.-]*\.(?:\p{L}{2,}|xn--[0-9A-Za-z-]+)", "{email}"),
    (rf"{_LOCAL}(?:@[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}.-]*\.(?:\p{{L}}{{2,}}|xn--[0-9A-Za-z-]+))+", "{email}"),
    (rf"(^|=){_LOCAL}@[A-Za-z]{{2}}$", "\\1{email}"),  # a country can have mail
    (_HELD, "@"),
)

CODES: Final[tuple[Rule, ...]] = (
    (r"eyJ[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*){1,4}", "{jwt}"),
    (r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", "{uuid}"),
)

BETWEEN: Final = "[ ().+/-]{0,3}"
# Country calling codes: ITU-T E.164, list of assigned codes.
OTHER: Final = (
    "(?:2(?:0|1[1-36-8]|[2-4][0-9]|5[0-8]|6[0-9]|7|9[0-17-9])|3(?:[0-469]|5[0-9]|7[0-9]|8[0-35-79])|"
    "4(?:[013-9]|2[013])|5(?:0[0-9]|[1-8]|9[0-9])|6(?:[0-6]|7[02-9]|8[0-35-9]|9[0-2])|"
    "8(?:[1246]|0[08]|5[02356]|7[08]|8[0-36-8])|9(?:[0-58]|6[0-8]|7[0-79]|9[2-689]))"
)
CALLING: Final = f"(?:[17]|{OTHER})"
_YEAR: Final = "(?:19|20)[0-9]{2}"
_DAY: Final = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
DATES: Final[tuple[Rule, ...]] = ((rf"(^|[^0-9])({_YEAR})({_DAY})($|[^0-9])", rf"\1\2{_HELD}\3\4"),)
"""A date without hyphens, held apart so that it is no number of eight digits."""

NUMBER: Final[Rule] = (r"^[0-9]+((?:\.[A-Za-z][0-9A-Za-z]{0,7}){0,2})$", "{number}\\1")
"""A number, whole or as the name of a file: what a path varies in."""

LONG_NUMBER: Final[Rule] = ("[0-9]{5,}", "{number}")
DIGESTS: Final[tuple[Rule, ...]] = (
    (r"(^|[^0-9A-Za-z])[0-9]{16,}($|[^0-9A-Za-z])", "\\1{number}\\2"),
    (r"(^|[^0-9A-Za-z])[0-9A-Fa-f]{16,}($|[^0-9A-Za-z])", "\\1{token}\\2"),
)
RELEASE: Final[tuple[Rule, ...]] = ((_HELD, ""),)
"""What was held apart goes together again."""

ASSET: Final = (
    r"^(?:[0-9A-Za-z_.-]+=)?[A-Za-z][0-9A-Za-z_]*(?:[.~-][A-Za-z][0-9A-Za-z_]*)*[.-][0-9]*[A-Za-z][0-9A-Za-z]*"
    r"(?:\.(?:min|chunk|bundle|module|legacy|prod|esm|umd|cjs|async))*\.(?:js|mjs|cjs|css|map|woff2?|ttf|otf|eot|wasm)"
    r"(?:\.(?:map|gz|br))?$"
)
"""A part of a page as build tools name it, with a digest of its content: ``app.8f3c01ab.js``. It tells of no one."""

SUSPECT: Final = r"[0-9@:+]|eyJ|-[A-Fa-f]{4}-[A-Fa-f]{4}-|[a-z][A-Z]"
"""Without one of these a text holds nothing that is looked for."""

COMPLEX: Final = (
    r"[@:+]|eyJ|[0-9A-Za-z]{16}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-|[0-9]\.[0-9]{1,5}\.[0-9]{1,5}\.[0-9]|0[xX]|"
    r"[0-9][-_][0-9]{1,3}[-_][0-9]{1,3}[-_][0-9]|(?:[0-9][^0-9]*){8}"
)
"""Without one of these, fewer than three changes between letters and digits, and `CAMEL`, it holds at most a number."""

CAMEL: Final = r"[a-z0-9][A-Z]"
WORD: Final = r"[0-9A-Za-z+/_-]{12}"
"""Base64 of an e-mail address has both."""

RUN: Final = r"[0-9A-Za-z]{20,}"
CHANGE: Final = "(?:[0-9][A-Za-z]|[A-Za-z][0-9])"
MIXED: Final = f"(?s){CHANGE}.*{CHANGE}.*{CHANGE}"


def has(texts: pa.Array, pattern: str) -> pa.Array:
    """Return which texts hold a pattern."""
    return pc.match_substring_regex(texts, pattern)


def replaced(texts: pa.Array, rules: Iterable[Rule]) -> pa.Array:
    """Return the texts with what each rule finds replaced, one rule after the other."""
    for pattern, name in rules:
        found = has(texts, pattern)  # to look takes half as long as to replace, and most texts hold nothing
        if found.true_count:
            texts = pc.replace_with_mask(texts, found, pc.replace_substring_regex(texts.filter(found), pattern, name))
    return texts
