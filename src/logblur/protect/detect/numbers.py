"""What only a check digit can tell: cards, accounts, and the codes of people and firms of a few countries.

Each function takes a text that a pattern says may hold one, and returns it with those that hold replaced: `DIGITS`,
`MAYBE_IBAN` and the like are those patterns. The checks of personal codes are ours, since a flood of numbers must
cost little; python-stdnum is their oracle in the tests, and checks what is rare itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from importlib import import_module
from itertools import accumulate
from typing import Final

from logblur.protect.detect.patterns import BETWEEN, CALLING, DASHED, OTHER

# Country and length: the SWIFT IBAN registry.
_IBANS: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
_IBAN_LENGTH: Final = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
MAYBE_IBAN: Final = rf"(?i)(?:{'|'.join(_IBAN_LENGTH)})[ .+-]?[0-9]{{2}}(?:[ .+-]?[0-9A-Z]){{11}}"
_IBAN_START: Final = re.compile(r"(?=([A-Za-z]{2})[ .+-]?[0-9]{2})")

MAYBE_CARD: Final = r"[2-6](?:[ +-]?[0-9]){12}"
_GROUPS: Final = re.compile(r"[0-9]+(?:[ +-][0-9]+)*")
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # twice the digit, its two digits added
# First digits and lengths of the schemes in use: ISO/IEC 7812, and what the schemes publish.
_SCHEMES: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}|"
    r"3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11,16}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|"
    r"(?:5[06-8]|6)[0-9]{11,18}"
)

MAYBE_PHONE: Final = r"(?:\+|00)[ ().+/-]{0,3}[1-9]"
# Not for RE2, whose states would be too many: here each step is decided by one character, and a match is short.
_PHONE: Final = re.compile(
    rf"(?:(?<![0-9A-Za-z+])\(?\+{BETWEEN}{CALLING}(?:{BETWEEN}[0-9]){{5,13}}|(?<![0-9A-Za-z])(?<![0-9]-)\(?00{BETWEEN}"
    rf"(?:[17](?:{BETWEEN}[0-9]){{10}}|{OTHER}(?:{BETWEEN}[0-9]){{7,11}}))(?:x[0-9]{{1,6}})?(?![0-9])"
)

_BEFORE_32: Final = re.compile(r"(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}[0-2][0-9]{4}")
_DATED: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"  # month and day
MAYBE_CODE: Final = r"(?:^|[^0-9])(?:[0-9]{6}[-+][0-9]{5}|[0-9]{11})(?:$|[^0-9])"
_CODE: Final = re.compile(r"(?<![0-9])(?:([0-9]{6})[-+]([0-9]{5})|([0-9]{11}))(?![0-9])")

_THREE: Final = re.compile("[1-9][0-9]{2}")

_FIRMS: Final = {"LV": "lv.pvn", "LT": "lt.pvm", "EE": "ee.kmkr", "DE": "de.vat", "PL": "pl.nip"}
MAYBE_FIRM: Final = r"(?i)(?:LV|LT|EE|DE|PL)[ +-]?[0-9](?:[ +-]?[0-9]){7,11}(?:$|[^0-9])"
_FIRM: Final = re.compile(r"(?<![0-9A-Za-z])(LV|LT|EE|DE|PL)[ +-]?([0-9](?:[ +-]?[0-9]){7,11})(?![0-9])", re.IGNORECASE)


_DASHED: Final = re.compile(DASHED)


def without_dashed(text: str) -> str:
    """Return a text with ``{ip}`` for four octets between hyphens, one of which has three digits: fewer are a date."""
    return _DASHED.sub(lambda m: f"{m[1]}{{ip}}{m[3]}" if _THREE.search(m[2]) else m[0], text)


def without_ibans(text: str) -> str:
    """Return a text with ``{iban}`` for account numbers (ISO 13616), in groups or not."""
    out, done = "", 0
    for start in _IBAN_START.finditer(text):
        if start.start() < done:
            continue
        length = _IBAN_LENGTH.get(start[1].upper(), 0)
        found = (
            re.compile(rf"[0-9A-Za-z](?:[ .+-]?[0-9A-Za-z]){{{length - 1}}}").match(text, start.start())
            if length
            else None
        )
        if found is not None:
            compact = re.sub("[ .+-]", "", found[0])
            if compact == found[0] and text[start.start() - 1 : start.start()].isalnum():
                continue  # in the middle of a word, such as a digest: a token
            # Check digits (ISO 7064): the first four characters moved to the end, letters as 10 to 35, rest 1 by 97.
            if int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1:
                out, done = out + text[done : start.start()] + "{iban}", found.end()
    return out + text[done:]


def without_cards(text: str) -> str:
    """Return a text with ``{card}`` for card numbers: groups of digits that together are one of a scheme, with Luhn."""
    return _GROUPS.sub(_without_cards, text)


def _without_cards(digits: re.Match[str]) -> str:
    if len(digits[0]) < 13:
        return digits[0]
    parts = re.split("([ +-])", digits[0])  # a group at each even place
    compact = "".join(parts[::2])
    ends = list(accumulate(map(len, parts[::2])))  # where each group ends among the digits
    group = 0
    while group < len(ends):
        start = ends[group - 1] if group else 0
        first = bisect_left(ends, start + 13) if compact[start] in "23456" else len(ends)
        for last in range(first, bisect_right(ends, start + 19)):
            number = compact[start : ends[last]]
            if _SCHEMES.fullmatch(number) and luhn(number) and not (last == group == 0 and _glued(digits)):
                parts[2 * group : 2 * last + 1] = ["{card}"] + [""] * (2 * (last - group))
                group = last
                break
        group += 1
    return "".join(parts)


def _glued(digits: re.Match[str]) -> bool:
    """Return whether a letter stands right before: digits that are no group of four and belong to a longer word."""
    return digits.string[digits.start() - 1 : digits.start()].isalpha()


def luhn(number: str) -> bool:
    """Return whether the last digit checks the others (ISO/IEC 7812-1)."""
    text = number.encode()
    return (sum(text[-1::-2]) + sum(text[-2::-2].translate(_DOUBLED)) - 48 * len(text)) % 10 == 0  # 48 is the digit 0


def without_phones(text: str) -> str:
    """Return a text with ``{phone}`` for numbers of other countries: after ``+`` or ``00``, as E.164 has them."""
    return _PHONE.sub("{phone}", text)


def without_codes(text: str) -> str:
    """Return a text with ``{code}`` for personal codes: Latvian with its hyphen, others of eleven digits."""
    return _CODE.sub(lambda m: "{code}" if (_latvian(m[1] + m[2]) if m[1] else is_code(m[3])) else m[0], text)


def is_code(digits: str) -> bool:
    """Return whether eleven digits are an Estonian, Lithuanian, Polish or German personal number, by date and check."""
    return _baltic(digits) or _pesel(digits) or _idnr(digits)


def _weighed(digits: str, weights: tuple[int, ...]) -> int:
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False))


def _latvian(digits: str) -> bool:
    """Personas kods: a date, a century and a check digit; since 2017 32 and nine digits that say nothing."""
    if "32" <= digits[:2] <= "39":
        return True
    check = (1101 - _weighed(digits, (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11 % 10
    return _BEFORE_32.fullmatch(digits) is not None and check == int(digits[10])


_BORN: Final = re.compile(rf"[1-8][0-9]{{2}}{_DATED}[0-9]{{4}}|9[0-9]{{10}}")  # 9: without a date, in Lithuania
_BORN_POLISH: Final = re.compile(r"[0-9]{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{5}")


def _baltic(digits: str) -> bool:
    """Isikukood and asmens kodas have one form: a century and sex, a date, a serial number, a check digit."""
    if not _BORN.fullmatch(digits):
        return False
    check = _weighed(digits, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = _weighed(digits, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == int(digits[10])


def _pesel(digits: str) -> bool:
    """A date, the century in its month; a serial number, a check digit."""
    check = -_weighed(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return _BORN_POLISH.fullmatch(digits) is not None and check == int(digits[10])


def _idnr(digits: str) -> bool:
    """Of the first ten digits one comes twice or three times, also thrice in a row, in doubt; ISO 7064 mod 11, 10."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if digits[0] == "0" or counts[-1] not in {2, 3} or counts[-2] != 1:
        return False
    check = 5
    for digit in digits[:10]:
        check = ((check or 10) * 2 % 11 + int(digit)) % 10
    return ((check or 10) * 2 % 11 + int(digits[10])) % 10 == 1


def without_firms(text: str) -> str:
    """Return a text with ``{vat}`` for VAT numbers of the Baltic states, Germany and Poland, after their country."""
    return _FIRM.sub(_without_firm, text)


def _without_firm(found: re.Match[str]) -> str:
    digits = re.sub("[ +-]", "", found[2])
    is_valid: Callable[[str], bool] = import_module(f"stdnum.{_FIRMS[found[1].upper()]}").is_valid
    return "{vat}" if is_valid(digits) else found[0]
