"""Parameters whose name tells what their value is, whatever it looks like: ``name=Anna``, ``tel=26123456``, ``sid=42``.

A name of a person cannot be told from any other word, so this is the only place where ``{name}`` comes from.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.protect.detect.patterns import Rule, replaced

# In English and in the languages of the Baltic states, Germany and Poland; spelled with any of - _ . or with none.
_NAMES: Final = """
    full-name your-name first-name fname given-name forename middle-name last-name lname surname family-name
    maiden-name user-name user usr username login nick nickname addressee
    vards vārds uzvards uzvārds vards-uzvards vārds-uzvārds lietotajs lietotājs
    vorname nachname familienname benutzername benutzer vardas pavarde pavardė vartotojas
    eesnimi perenimi perekonnanimi kasutaja imie imię nazwisko imie-nazwisko uzytkownik
"""
_VAGUE: Final = "name names author contact recipient nimi nom nombre"  # of a person, a file, a host, a product
_PHONES: Final = """
    phone phone-number tel telephone mobile mobile-phone mobile-number cell cell-phone cellphone gsm msisdn
    whatsapp viber fax
    talrunis tālrunis telefons mobilais telefon telefonnummer rufnummer handy handynummer telefonas mobilus
    telefoninumber telefonu numer-telefonu komorka
"""
_CODES: Final = """
    personas-kods perskods pers-kods pk personal-code personal-id personal-number national-id nationalid nin ssn tin
    asmens-kodas ak isikukood ik pesel steuer-id steuerid steuer-idnr steueridnr idnr steuernummer
    social-security-number
"""
_FIRMS: Final = "vat vat-id vat-number pvn pvn-numurs pvn-nr pvm pvm-kodas kmkr nip ust-id ustid ust-idnr ustidnr"
_SECRETS: Final = """
    token access-token id-token refresh-token auth-token csrf csrf-token xsrf-token authenticity-token nonce
    session session-id sid sess sessid phpsessid jsessionid aspsessionid sessionkey ticket
    auth authorization api-key apikey key secret client-secret password passwd passwort parole pwd pass pin otp
    code-verifier
    sig signature hmac x-amz-signature x-amz-credential x-amz-security-token
    gclid gbraid wbraid dclid fbclid msclkid yclid ttclid twclid li-fat-id igshid mc-eid mc-cid _ga _gl _hsenc
"""
_WHOSE: Final = (
    "user|usr|customer|cust|client|klients|klienta|kunde|kunden|person|persona|contact|contacts|billing|shipping|delivery|"
    "member|account|profile|guest|patient|student|employee|owner|sender|receiver|recipient|buyer|payer|author|my|your|from|to"
)


def _named(names: str, value: str, kind: str) -> Rule:
    known = "|".join(name.replace("-", "[._-]?") for name in names.split())
    pattern = rf"(?i)(^|[?&;#])((?:(?:{_WHOSE})[\[._-]{{1,2}})?(?:{known})\]?=){value}($|[&;#])"
    return pattern, rf"\1\2{{{kind}}}\3"


_DIGITS: Final = r"[^0-9&;#]{0,4}[0-9](?:[ ().+/xX-]{0,3}[0-9])"  # few other characters around and between

_RULES: Final = (
    _named(_PHONES, rf"{_DIGITS}{{4,16}}[^&;#0-9]{{0,4}}", "phone"),
    _named(_CODES, rf"{_DIGITS}{{6,13}}", "code"),
    _named(_FIRMS, r"(?:[A-Z]{2})?" + rf"{_DIGITS}{{6,13}}", "vat"),
    _named(_SECRETS, "[^&;#{]+", "token"),
    _named(_NAMES, "[^&;#{@]+", "name"),
    _named(_VAGUE, r"[\p{L}\p{M}'’ +-]{2,60}", "name"),
)
"""A value that does not look like its kind stays for the other detectors; a name and a secret can be anything."""

_ANY: Final = (
    "(?i)(?:"
    + "|".join(
        name.replace("-", "[._-]?")
        for names in (_NAMES, _VAGUE, _PHONES, _CODES, _FIRMS, _SECRETS)
        for name in names.split()
    )
    + r")\]?="
)


def named(texts: pa.Array) -> pa.Array:
    """Return texts (large_string, decoded) with a word in braces for the value of each parameter that tells its kind.

    Parameters are found at the start of a text and after ``?``, ``&``, ``;`` and ``#``: in an address within a value
    too.
    """
    some = pc.match_substring_regex(texts, _ANY)
    if not pc.any(some).as_py():
        return texts
    # twice: what ends one parameter begins the next
    return pc.replace_with_mask(texts, some, replaced(replaced(texts.filter(some), _RULES), _RULES))
