"""All detectors together, over distinct texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logblur.protect.detect import numbers, patterns, words
from logblur.protect.detect.parameters import named
from logblur.protect.detect.patterns import has, replaced
from logblur.protect.detect.spelling import TOKEN, changed, spelled
from logblur.schema import FINDINGS

Rules = tuple[tuple[str, str], ...]
"""An organisation's own: name and regular expression, in the order in which they are tried."""

_TEXT: Final = pa.large_string()
_TREATMENTS: Final = 3
_MARK: Final = "\ue001"
"""Stands before the number of an address that was taken out. Private use: `spelling.spelled` leaves none in a text."""
_MARKED: Final = re.compile(f"{_MARK}([0-9]+);")
_SPELLED: Final = [re.compile(pattern) for pattern, _ in patterns.ADDRESSES[1:5]]
"""What `spelled_addresses` reads: IPv6, in brackets or not, and dotted IPv4."""


def swept(texts: pa.Array, own: Rules = (), *, whole: bool = True) -> pa.Array:
    """Return texts with a word in braces for everything that has the form of an identifier.

    Args:
        texts: large_string, distinct values without nulls, as `spelling.spelled` returns them.
        own: The organisation's rules; they come first.
        whole: Whether a text that is a number as a whole is one that varies, as part of a path is.

    Returns:
        As many values. A text is treated until it stays as it is; one that does not within a few treatments is
        ``{token}``, so that what is swept again does not change.

    Cost:
        Linear in the characters; see `logblur.protect.paths.template`.
    """
    settled = replaced(texts, [(pattern, f"{{{name}}}") for name, pattern in own])
    moving = np.flatnonzero(has(settled, patterns.SUSPECT))
    for left in reversed(range(_TREATMENTS + 1)):
        if not len(moving):
            break
        before = settled.take(pa.array(moving))
        after = _treated(before, whole)
        moved = pc.not_equal(before, after)
        moving, after = moving[moved], after.filter(moved)
        mask = np.zeros(len(settled), np.bool_)
        mask[moving] = True
        settled = pc.replace_with_mask(
            settled, pa.array(mask), after if left else pa.array([TOKEN] * len(after), _TEXT)
        )
        moving = moving[has(after, patterns.SUSPECT)]
    return settled


def kinds(texts: pa.Array) -> dict[str, pa.Array]:
    """Return which texts hold something of each kind (`schema.FINDINGS`) that has the form of an identifier.

    Args:
        texts: large_string, distinct values of any field; null holds nothing.

    Returns:
        By kind, in the order of `schema.FINDINGS`, boolean, as many values as ``texts``, without nulls.

    Privacy:
        Says that something is there, never what.
    """
    read = pc.replace_substring_regex(spelled(texts), "[{}]", "")  # words in braces are ours alone
    settled = swept(named(read))
    return {kind: pc.match_substring(settled, f"{{{kind}}}") for kind in FINDINGS}


def without_addresses(texts: pa.Array, instead: Callable[[list[str]], list[str]] | None = None) -> pa.Array:
    """Return texts (large_string) with ``{ip}`` for every IP address, in any spelling; one without is as it was.

    Args:
        texts: Distinct values.
        instead: Says of addresses as they are spelled what stands in their place; ``{ip}`` where left out, and for
            spellings that name no one address (octets between hyphens, numbers in hexadecimal).
    """
    read = spelled(texts)
    found = _without_addresses(_without_addresses(read))  # twice: two addresses may share what parts them
    held = pc.and_(texts.is_valid(), pc.match_substring(found, "{ip}"))
    found = replaced(found, patterns.RELEASE)
    if instead is not None and pc.any(held).as_py():
        found = pc.replace_with_mask(found, held, pa.array(_treated_within(read.filter(held), instead), _TEXT))
    return pc.if_else(held, found, texts)


def _treated_within(texts: pa.Array, instead: Callable[[list[str]], list[str]]) -> list[str]:
    """Return texts with what `instead` says in the place of each address; each text holds one."""
    spellings: list[str] = []

    def marked(match: re.Match[str]) -> str:
        before, after = match.groups("") if match.re.groups else ("", "")
        spellings.append(match[0][len(before) : len(match[0]) - len(after)])
        return f"{before}{_MARK}{len(spellings) - 1};{after}"

    made = replaced(texts, patterns.ADDRESSES[:1]).to_pylist()
    for pattern in _SPELLED * 2:  # twice, as above
        made = [pattern.sub(marked, text) for text in made]
    rest = _without_addresses(_without_addresses(pa.array(made, _TEXT)))
    said = instead(spellings)
    return [_MARKED.sub(lambda m: said[int(m[1])], text) for text in replaced(rest, patterns.RELEASE).to_pylist()]


def _without_addresses(texts: pa.Array) -> pa.Array:
    texts = replaced(texts, patterns.ADDRESSES)
    return changed(texts, has(texts, patterns.DASHED), numbers.without_dashed)


def _treated(texts: pa.Array, whole: bool) -> pa.Array:
    encoded = pc.and_(has(texts, patterns.CAMEL), has(texts, patterns.WORD))
    hard = _any(has(texts, patterns.COMPLEX), has(texts, numbers.MAYBE_IBAN), has(texts, patterns.MIXED), encoded)
    if pc.any(hard).as_py():
        texts = pc.replace_with_mask(texts, hard, _treated_hard(texts.filter(hard), whole))
    asset = has(texts, patterns.ASSET)
    rest = replaced(texts, [*([patterns.NUMBER] if whole else []), *patterns.DATES, patterns.LONG_NUMBER])
    return replaced(pc.if_else(asset, texts, rest), patterns.RELEASE)


def _treated_hard(texts: pa.Array, whole: bool) -> pa.Array:
    encoded = pc.and_(has(texts, patterns.CAMEL), has(texts, patterns.WORD))
    texts = changed(texts, encoded, words.without_encoded_mail)
    mail = has(texts, "@")
    if pc.any(mail).as_py():
        texts = pc.replace_with_mask(texts, mail, replaced(texts.filter(mail), patterns.EMAILS))
    texts = _without_addresses(replaced(texts, patterns.CODES))
    for maybe, without in (
        (numbers.MAYBE_IBAN, numbers.without_ibans),
        (numbers.MAYBE_CARD, numbers.without_cards),
        (numbers.MAYBE_FIRM, numbers.without_firms),
        (numbers.MAYBE_PHONE, numbers.without_phones),
        (numbers.MAYBE_CODE, numbers.without_codes),
    ):
        texts = changed(texts, has(texts, maybe), without)
    asset = has(texts, patterns.ASSET)
    rest = replaced(texts, [*([patterns.NUMBER] if whole else []), *patterns.DIGESTS])
    word = pc.and_(_any(has(rest, patterns.RUN), has(rest, patterns.MIXED), encoded), has(rest, "[0-9]"))
    return pc.if_else(asset, texts, changed(rest, word, words.without_tokens))


def _any(*masks: pa.Array) -> pa.Array:
    out = masks[0]
    for mask in masks[1:]:
        out = pc.or_(out, mask)
    return out
