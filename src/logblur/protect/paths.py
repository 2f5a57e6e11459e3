"""Makes the path of a request publishable: what is personal in it gives way to a word in braces, the rest stays.

A path is cut into segments and each *distinct* segment is treated once, by regular expressions in linear time over
whole columns; what is encoded, and what only a check digit can tell, is treated one by one, and is rare.

A segment is treated again until nothing changes, so the template of a template is itself; a segment that will not
come to rest becomes a token. Whatever is cut, is cut at the end of a segment, so that no half of a secret stays.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.schema import FINDINGS, NONE

LONGEST: Final = 512
"""Characters of a template; of a longer one the first segments stay, then ``{long}``."""

_REMEMBERED: Final = 1 << 16

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
    rf"(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{6}}{_IPV4}|"
    rf"(?:{_HEX}(?::{_HEX}){{0,6}})?::(?:{_HEX}:){{0,6}}(?:{_IPV4}|{_HEX})|{_HEX}(?::{_HEX}){{0,6}}::)(?:%[0-9A-Za-z_.-]+)?"
)
_CLEARLY_IPV6: Final = rf"(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{2,6}}(?::{_HEX}){{1,5}}"  # also where letters adjoin

# Regular expressions without look-around: what stands before and after is matched and put back. Two findings that share
# a character between them are found in two treatments. The order matters: what is more certain comes first.
_EARLY: Final = (
    (r"[^\s@/:;,<>()\[\]\"]+(?:@[\p{L}\p{N}][\p{L}\p{N}.-]*\.(?:\p{L}{2,}|xn--[0-9A-Za-z-]+))+", "{email}"),
    (r"eyJ[0-9A-Za-z_-]{5,}(?:\.[0-9A-Za-z_-]*){1,4}", "{jwt}"),
    (r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", "{uuid}"),
    (rf"\[{_IPV6}\]", "{ip}"),
    (rf"(^|[^0-9A-Za-z]){_IPV6}($|[^0-9A-Za-z])", "\\1{ip}\\2"),
    (_CLEARLY_IPV6, "{ip}"),
    (rf"(^|[^0-9]){_IPV4}($|[^0-9])", "\\1{ip}\\2"),
)
_NUMBER: Final = (r"^[0-9]+((?:\.[A-Za-z][0-9A-Za-z]{0,7}){0,2})$", "{number}\\1")
_LATE: Final = (
    # Latvian personas kods: a date, or 32 to 39 and no date, then five digits.
    (
        r"(^|[^0-9])(?:(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}|3[2-9][0-9]{4})-[0-9]{5}($|[^0-9])",
        "\\1{code}\\2",
    ),
    (r"(^|[^0-9A-Za-z])(?:\+|00)[1-9](?:[ ().-]?[0-9]){7,14}($|[^0-9])", "\\1{phone}\\2"),
    _NUMBER,
    (r"(^|[^0-9A-Za-z])[0-9A-Fa-f]{16,}($|[^0-9A-Za-z])", "\\1{token}\\2"),
)
_SUSPECT: Final = (
    r"[0-9@:]|eyJ|-[A-Fa-f]{4}-[A-Fa-f]{4}-"  # without one of these a segment holds nothing that is looked for
)
# Without one of these, and with fewer than three changes between letters and digits, a segment holds at most a number.
_COMPLEX: Final = (
    r"[@:]|eyJ|[0-9A-Za-z]{16}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-|[0-9]\.[0-9]{1,5}\.[0-9]{1,5}\.[0-9]|(?:[0-9][^0-9]*){8}"
)
_RUN: Final = r"[0-9A-Za-z]{20,}"
_MIXED: Final = r"[0-9][A-Za-z]|[A-Za-z][0-9]"

# Country and length: the SWIFT IBAN registry.
_IBANS: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
_IBAN_LENGTH: Final = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_COUNTRY: Final = "|".join(_IBAN_LENGTH)
_IBAN: Final = rf"(?i)(?:{_COUNTRY})[0-9]{{2}}(?:[ -]?[0-9A-Z]){{11}}"
_IBAN_START: Final = re.compile(r"(?=([A-Za-z]{2})[0-9]{2})")
_DIGITS: Final = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # twice the digit, its two digits added
_WORD: Final = re.compile(r"[0-9A-Za-z_-]{20,}={0,2}")


class Templates:
    """Templates that were made before, so that each distinct path is treated once, whichever worker meets it.

    Bounded: past `_REMEMBERED` paths it begins anew. Threads may share it; they wait for one another.
    """

    def __init__(self) -> None:
        self._known: dict[str | None, str] = {}
        self._lock = threading.Lock()

    def learn(self, paths: Iterable[str | None]) -> None:
        """Make the templates of these paths, but for those that are known."""
        with self._lock:
            self._learn(paths)

    def of(self, paths: pa.Array) -> pa.Array:
        """Return `template` of these paths (large_string)."""
        texts = paths.to_pylist()
        with self._lock:
            self._learn(texts)
            return pa.array([self._known[text] for text in texts], pa.string())

    def _learn(self, paths: Iterable[str | None]) -> None:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        if new := [path for path in dict.fromkeys(paths) if path not in self._known]:
            made = template(pa.array(new, pa.large_string())).to_pylist()
            self._known.update(zip(new, made, strict=True))


def template(paths: pa.Array) -> pa.Array:
    """Return what may be published of each path.

    ``{email}``, ``{ip}``, ``{uuid}``, ``{jwt}``, ``{iban}``, ``{card}``, ``{code}`` (a Latvian personas kods),
    ``{phone}``, ``{token}`` and ``{number}`` stand for what was found; parameters after a semicolon, and a query that
    was encoded, are cut. Dates such as ``/2015/05/17`` and versions such as ``1.3.2`` stay. A first character ``(``
    becomes ``%28``: words in parentheses are ours.

    Args:
        paths: large_string, distinct values of ``path``.

    Returns:
        string, as many values, without nulls: null is `schema.NONE`. No control characters, at most `LONGEST`
        characters. The template of a template is itself.

    Privacy:
        What has the form of an identifier is gone, in every percent-encoding of it. A name or a word that only a
        person can tell to be personal stays: there the thresholds protect.

    Cost:
        Linear in the characters; about 3 microseconds a distinct path, up to 20 where
        each holds long numbers and digests.
    """
    cut = pc.fill_null(pc.greater(pc.utf8_length(paths), _READ), False)
    read = pc.utf8_slice_codeunits(pc.fill_null(paths, ""), 0, _READ)
    read = _changed(read, pc.match_substring_regex(read, rf"{_ENCODED}|[^ -~]"), _decoded)
    read = pc.replace_substring_regex(read, r"(?s)[?#].*", "")

    lists = pc.split_pattern(read, "/")
    offsets = lists.offsets.to_numpy()
    segments = lists.flatten().dictionary_encode()
    codes = segments.indices.to_numpy().astype(np.int64)
    plain = pc.replace_substring_regex(segments.dictionary, r"(?s);.*", "")
    plain = pc.replace_substring_regex(plain, _HIDDEN, "\N{REPLACEMENT CHARACTER}")
    values = pa.concat_arrays([_settled(plain), plain])
    codes += len(plain) * _date_parts(plain, codes, offsets)
    chosen = pa.ListArray.from_arrays(lists.offsets, values.take(pa.array(codes)))
    result = pc.replace_substring_regex(pc.binary_join(chosen, pa.scalar("/", pa.large_string())), r"^\(", "%28")
    result = pc.if_else(pc.equal(result, ""), "/", result)
    long = pc.or_(cut, pc.greater(pc.utf8_length(result), LONGEST))
    if pc.any(long).as_py():
        pairs = zip(result.filter(long).to_pylist(), cut.filter(long).to_pylist(), strict=True)
        short = pa.array([_shortened(text, half=half) for text, half in pairs], pa.large_string())
        result = pc.replace_with_mask(result, long, short)
    return pc.if_else(paths.is_valid(), result, NONE).cast(pa.string())


def kinds(texts: pa.Array) -> dict[str, pa.Array]:
    """Return which texts hold something of each kind (`schema.FINDINGS`) that has the form of an identifier.

    Args:
        texts: large_string, distinct values of any field; null holds nothing.

    Returns:
        By kind, in the order of `schema.FINDINGS`, boolean, as many values as ``texts``, without nulls.

    Privacy:
        Says that something is there, never what.
    """
    read = pc.utf8_slice_codeunits(pc.fill_null(texts, ""), 0, _READ)
    read = _changed(read, pc.match_substring_regex(read, rf"{_ENCODED}|[^ -~]"), _decoded)
    read = pc.replace_substring_regex(read, "[{}]", "")  # words in braces are ours alone
    settled = _settled(read)
    return {kind: pc.match_substring(settled, f"{{{kind}}}") for kind in FINDINGS}


def _changed(texts: pa.Array, which: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Return the texts with some of them changed one by one."""
    some = texts.filter(which).to_pylist()
    return pc.replace_with_mask(texts, which, pa.array(map(change, some), pa.large_string())) if some else texts


def _decoded(text: str) -> str:
    """Return a path with its percent-encoding undone; a segment encoded more often than `_ROUNDS` is a token."""
    for _ in range(_ROUNDS):
        before = text
        text = unicodedata.normalize("NFKC", unquote(text.replace("\\x", "%")))
        if text == before:
            break
    if re.search(_ENCODED, text):
        return "/".join(_TOKEN if re.search(_ENCODED, segment) else segment for segment in text.split("/"))
    return text


def _shortened(text: str, *, half: bool) -> str:
    """Return the first segments of a long path; `half` says that its last segment may be a part of one."""
    segments = text.split("/")
    ends = np.cumsum([len(segment) + 1 for segment in segments])  # each with its slash
    kept = segments[: int(np.searchsorted(ends, LONGEST - len(_LONG), side="right"))][: len(segments) - half]
    while kept and kept[-1].isdigit():  # a part of a date, which is one only together with the next
        kept.pop()
    return "/".join([*(kept or [""]), _LONG])


def _date_parts(
    segments: pa.Array, codes: npt.NDArray[np.int64], offsets: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Return which of the segments, in the order of the paths, are a year, month or day of a plausible date."""
    year, month, day = (
        pc.match_substring_regex(segments, rf"^(?:{part})$").to_numpy(zero_copy_only=False)[codes]
        for part in ("(?:19|20)[0-9]{2}", "0[1-9]|1[0-2]", "0[1-9]|[12][0-9]|3[01]")
    )
    last = np.zeros(len(codes), np.bool_)
    last[offsets[1:] - 1] = True
    found = np.zeros(len(codes), np.bool_)
    pair = year[:-1] & month[1:] & ~last[:-1]
    found[:-1] |= pair
    found[1:] |= pair
    found[2:] |= pair[:-1] & day[2:] & ~last[1:-1]
    return found


def _settled(segments: pa.Array) -> pa.Array:
    """Return segments treated until they stay as they are; what does not within a few treatments is a token."""
    settled = segments
    moving = np.flatnonzero(pc.match_substring_regex(segments, _SUSPECT))
    for left in reversed(range(_ROUNDS + 1)):
        if not len(moving):
            break
        before = settled.take(pa.array(moving))
        after = _treated(before)
        moved = pc.not_equal(before, after)
        moving, after = moving[moved], after.filter(moved)
        mask = np.zeros(len(settled), np.bool_)
        mask[moving] = True
        settled = pc.replace_with_mask(settled, pa.array(mask), after if left else pa.array([_TOKEN] * len(after)))
        moving = moving[pc.match_substring_regex(after, _SUSPECT)]
    return settled


def _treated(segments: pa.Array) -> pa.Array:
    hard = pc.or_(_has(segments, _COMPLEX), pc.or_(_has(segments, _IBAN), _is_mixed(segments)))
    if pc.any(hard).as_py():
        segments = pc.replace_with_mask(segments, hard, _treated_hard(segments.filter(hard)))
    return _replaced(segments, (_NUMBER, ("[0-9]{5,}", "{number}")))


def _treated_hard(segments: pa.Array) -> pa.Array:
    segments = _replaced(segments, _EARLY)
    iban, card = _has(segments, _IBAN), _has(segments, r"[2-6](?:[ -]?[0-9]){12}")
    segments = _changed(segments, iban, _without_ibans)
    segments = _changed(segments, card, lambda text: _DIGITS.sub(_without_cards, text))
    segments = _replaced(segments, _LATE)
    word = pc.and_(pc.or_(_has(segments, _RUN), _is_mixed(segments)), _has(segments, "[0-9]"))
    return _changed(segments, word, lambda text: _WORD.sub(_without_tokens, text))


def _replaced(segments: pa.Array, rules: Iterable[tuple[str, str]]) -> pa.Array:
    for pattern, name in rules:
        segments = pc.replace_substring_regex(segments, pattern, name)
    return segments


def _has(segments: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(segments, pattern)


def _is_mixed(segments: pa.Array) -> pa.Array:
    return pc.greater_equal(pc.count_substring_regex(segments, _MIXED), 3)


def _without_ibans(text: str) -> str:
    out, done = "", 0
    for start in _IBAN_START.finditer(text):
        if start.start() < done:
            continue
        length = _IBAN_LENGTH.get(start[1].upper(), 0)
        found = (
            re.compile(rf"[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){{{length - 1}}}").match(text, start.start())
            if length
            else None
        )
        if found is not None:
            compact = re.sub("[ -]", "", found[0])
            if compact == found[0] and text[start.start() - 1 : start.start()].isalnum():
                continue  # in the middle of a word, such as a digest: a token
            # Check digits (ISO 7064): the first four characters moved to the end, letters as 10 to 35, rest 1 by 97.
            if int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1:
                out, done = out + text[done : start.start()] + "{iban}", found.end()
    return out + text[done:]


def _without_cards(digits: re.Match[str]) -> str:
    """Return groups of digits with those that together are a card's number replaced (ISO 7812: 2 to 6 first, Luhn)."""
    if len(digits[0]) < 13:
        return digits[0]
    parts = re.split("([ -])", digits[0])  # a group at each even place
    for at in range(0, len(parts), 2):
        for end in range(at, min(at + 38, len(parts)), 2):
            number = "".join(parts[at : end + 1 : 2])
            if 13 <= len(number) <= 19 and number[0] in "23456" and _luhn(number):
                parts[at : end + 1] = ["{card}"] + [""] * (end - at)
                break
    return "".join(parts)


def _luhn(number: str) -> bool:
    text = number.encode()
    return (sum(text[-1::-2]) + sum(text[-2::-2].translate(_DOUBLED)) - 48 * len(text)) % 10 == 0  # 48 is the digit 0


def _without_tokens(word: re.Match[str]) -> str:
    """Return `{token}` for what looks random: letters and digits in one long run, or changing often."""
    text = word[0]
    runs = re.findall(_RUN, text)
    random = len(re.findall(_MIXED, text)) >= 3 or any(not run.isdigit() and not run.isalpha() for run in runs)
    return _TOKEN if random else text
