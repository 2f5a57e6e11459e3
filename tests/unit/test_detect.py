"""What has the form of an identifier: check digits as others compute them, other spellings, an organisation's own."""

from __future__ import annotations

import base64
import ipaddress
import re
import tomllib
from importlib import import_module

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logblur.errors import PolicyError
from logblur.policy.load import builtin_text, decode
from logblur.policy.resolve import resolve
from logblur.protect.detect import kinds, named, spelled, swept, without_addresses
from logblur.protect.detect.numbers import is_code, without_codes, without_firms
from logblur.protect.detect.patterns import ADDRESSES, CALLING, CHANGE, EMAILS, MIXED, NUMBER, has, replaced
from logblur.protect.paths import Templates, template
from logblur.protect.queries import LONGEST, kept_parameters


def texts(*values: str | None) -> pa.Array:
    """Return a column."""
    return pa.array(values, pa.large_string())


def of(path: str, own: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the template of one path."""
    return template(texts(path), own)[0].as_py()  # type: ignore[no-any-return]


def query(text: str | None, *names: str, own: tuple[tuple[str, str], ...] = ()) -> str:
    """Return what is kept of one query."""
    return kept_parameters(texts(text), names, own)[0].as_py()  # type: ignore[no-any-return]


@given(st.lists(st.text("aB1 -\n\u0101", max_size=12), min_size=1))
def test_a_mixed_text_changes_three_times_between_letters_and_digits(found: list[str]) -> None:
    """One search of a whole column tells what counting tells text by text."""
    counted = [len(re.findall(CHANGE, text)) >= 3 for text in found]
    assert has(pa.array(found, pa.large_string()), MIXED).to_pylist() == counted


@given(st.lists(st.text("a.@1[:]\ue000 -2", max_size=16), min_size=1))
def test_what_holds_nothing_is_as_it_was_when_the_rest_is_replaced(found: list[str]) -> None:
    """To look first changes nothing: each rule gives what replacing in all texts gives."""
    column, rules = pa.array(found, pa.large_string()), [*ADDRESSES, *EMAILS, NUMBER]
    plain = column
    for pattern, name in rules:
        plain = pc.replace_substring_regex(plain, pattern, name)
    assert replaced(column, rules).equals(plain)


@given(st.from_regex(r"[0-9]{11}", fullmatch=True), st.integers(0, 9))
@example("36805280109", 9)
@example("33309240064", 4)
@example("44051401359", 9)
@example("36574261809", 9)
@example("41092226830", 7)
def test_personal_codes_are_those_of_the_oracle(digits: str, last: int) -> None:
    """Eleven digits are a code where python-stdnum says so, but for dates that no calendar has."""
    digits = digits[:10] + str(last)
    modules = ("ee.ik", "lt.asmens", "pl.pesel", "de.idnr")
    oracle = any(import_module(f"stdnum.{name}").is_valid(digits) for name in modules)
    assert oracle <= is_code(digits)
    if is_code(digits) and not oracle:  # the thirtieth of February, or a date yet to come
        for name in modules[:3]:
            with pytest.raises(import_module("stdnum.exceptions").ValidationError):
                import_module(f"stdnum.{name}").validate(digits)


@given(st.from_regex(r"(0[1-9]|1[0-9]|2[0-8])(0[1-9]|1[0-2])[0-9]{2}-[0-2][0-9]{4}", fullmatch=True))
@example("161175-19997")
def test_a_dated_personas_kods_is_checked(code: str) -> None:
    """The old form is a code where its check digit says so, the new one by its shape; neither without a hyphen."""
    found = without_codes(code)
    assert (found == "{code}") == import_module("stdnum.lv.pvn").is_valid(code)
    assert without_codes(f"x{code}0") == f"x{code}0"
    assert without_codes("325111-12345") == "{code}"


@pytest.mark.parametrize(
    "number",
    [
        "LV40003521600",
        "lv 4000 3521 600",
        "LT119511515",
        "EE100931558",
        "DE136695976",
        "PL8567346215",
        "PL 856-734-62-15",
    ],
)
def test_vat_numbers_are_checked(number: str) -> None:
    """A number with its country is one, with another last digit it is none."""
    assert without_firms(number) == "{vat}"
    last = str((int(number[-1]) + 1) % 10)
    assert without_firms(number[:-1] + last) == number[:-1] + last


def test_calling_codes_are_those_in_use() -> None:
    """Every country's calling code is known."""
    known = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE if code not in {979}]
    assert pc.all(pc.match_substring_regex(pa.array(known), f"^(?:{CALLING})$")).as_py()


@given(st.ip_addresses(v=4), st.sampled_from(["/a/{}", "{}", "x={}&y", "http://{}/", "[{}]:80", "for={};by"]))
def test_an_address_goes_in_every_spelling(address: ipaddress.IPv4Address, place: str) -> None:
    """Dotted, with zeros, hexadecimal, mapped into IPv6, percent-encoded, in digits of another script."""
    octets = address.packed
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    for spelling in (
        str(address),
        ".".join(f"{o:03}" for o in octets),
        ".".join(hex(o) for o in octets),
        f"0x{octets.hex()}",
        f"::ffff:{address}",
        "".join(f"%{ord(c):02x}" for c in str(address)),
        str(address).replace(".", "%252E"),
        str(address).translate(arabic),
    ):
        found = without_addresses(texts(place.replace("{}", spelling)))[0].as_py()
        assert "{ip}" in found
        assert str(address) not in found


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_an_address_goes(shift: int, encode: object) -> None:
    """An e-mail address in base64, alone or behind a word, is found; other words of its kind are not."""
    word = encode(b"x" * shift + b"anna.ozola@example.org").decode()  # type: ignore[operator]
    assert query(f"to={word}", "to") == "to={email}"
    assert of(f"/unsubscribe-{word.rstrip('=')}".replace("+", "%2B")) in {"/unsubscribe-{email}", "/{email}"}
    assert of("/getElementsByTagNameAndClass") == "/getElementsByTagNameAndClass"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ""),
        ("", ""),
        ("x=1", ""),
        ("page=2&utm_source=news&email=a@b.lv", "page=2&utm_source=news"),
        ("utm_source=a%40b.lv&page=12345", "page={number}&utm_source={email}"),
        ("page=1&page=a@b.lv", "page=1"),
        ("page=;x", "page="),
        ("name=Anna+Ozola", "name={name}"),
        ("xname=Anna", ""),
        ("page=http%3A%2F%2Fx.lv%2F%3Fuser%5Bname%5D%3DAnna%26tel%3D26123456%26q%3Dx", "page=http://x.lv/?user[name]={name}%26tel={phone}%26q=x"),
        ("tel=26+12-34%2056", "tel={phone}"),
        ("tel=none", "tel=none"),
        ("page=4111+1111+1111+1111", "page={card}"),
        ("page=LV80+BANK+0000+4351+9500+1", "page={iban}"),
        ("page=%2B371+26123456", "page={phone}"),
        ("page=" + "x" * 200, "page={long}"),
        ("page=%25252540", "page={token}"),
        ("page=1%00%0A", "page=1\ufffd"),
    ],
)  # fmt: skip
def test_parameters_that_stay_are_swept(asked: str | None, expected: str) -> None:
    """Parameters come in the policy's order, each once, with what identifies replaced, also within an address."""
    assert query(asked, "page", "utm_source", "name", "tel") == expected


@given(st.text(max_size=60), st.text("abc=&;%+ @.12/", max_size=40))
def test_a_parameter_keeps_to_itself(value: str, other: str) -> None:
    """Whatever a value is, one parameter comes out, at most so long, and nothing of the parameters beside it."""
    found = query(f"{other}&page={value}", "page")
    assert found == "" or found.startswith("page=")
    assert len(found) <= LONGEST + 2 * found.count("%2")
    assert "&" not in found
    assert "#" not in found


@pytest.mark.parametrize(
    "name", ["first_name", "fname", "user[first-name]", "customer.surname", "Vards", "uzvārds", "imię"]
)
def test_names_are_found_by_the_parameter(name: str) -> None:
    """A person's name is told by the parameter alone, in whatever spelling; product_name is no person's."""
    assert named(texts(f"{name}=Anna"))[0].as_py() == f"{name}={{name}}"
    assert named(texts("product_name=Anna"))[0].as_py() == "product_name=Anna"


OWN = (("customer", "K-[0-9]{6}"), ("contract", "(?i)lig[0-9]{4}/[0-9]{2}|LIG-[A-Z]{3}"))


def test_an_organisation_adds_its_own() -> None:
    """Its rules come first, in paths and parameters, also where nothing else would look."""
    assert of("/k/K-123456.pdf", OWN) == "/k/{customer}.pdf"
    assert of("/k/K%2D123456", OWN) == "/k/{customer}"
    assert of("/k/LIG-ABC", OWN) == "/k/{contract}"
    assert query("q=K-123456", "q", own=OWN) == "q={customer}"
    remembered = Templates()
    assert remembered.of(texts("/K-123456"), OWN).to_pylist() == ["/{customer}"]
    assert remembered.of(texts("/K-123456"), ()).to_pylist() == ["/K-{number}"]


def organisation(rules: str) -> tuple[tuple[str, str], ...]:
    """Return the rules of the default policy with these."""
    return resolve(decode((builtin_text("audience") + f"\n[identifiers]\n{rules}\n").encode())).identifiers


def test_rules_of_an_organisation_are_in_the_plan() -> None:
    """They are kept in order, and change the digest."""
    assert organisation("customer = 'K-[0-9]{6}'\na = 'bc9'") == (("customer", "K-[0-9]{6}"), ("a", "bc9"))
    plain = resolve(decode(builtin_text("audience").encode()))
    assert plain.identifiers == ()
    text = builtin_text("audience") + "\n[identifiers]\na = 'bc9'\n"
    assert tomllib.loads(text)["identifiers"] == {"a": "bc9"}
    assert resolve(decode(text.encode())).digest != plain.digest


@pytest.mark.parametrize(
    "rules",
    ["a = '('", "a = '(?=b)c'", "a = '(a)\\1'", "a = ''", "a = 'x*'", "a = '[a-z]+'", "email = 'bc9'", "A = 'bc9'",
     "a = 1", "a = '" + "b" * 501 + "'"],
)  # fmt: skip
def test_rules_that_cannot_be_meant_are_refused(rules: str) -> None:
    """What is no expression in linear time, matches nothing or a word of ours, or takes a name of ours, is an error."""
    with pytest.raises(PolicyError) as refused:
        organisation(rules)
    assert refused.value.path.startswith("identifiers")  # type: ignore[union-attr]


@given(st.lists(st.text(max_size=60), max_size=5))
def test_sweeping_again_changes_nothing(values: list[str]) -> None:
    """What was swept stays as it is, as a whole or as part of a text."""
    for whole in (True, False):
        once = swept(spelled(texts(*values)), whole=whole)
        assert swept(once, whole=whole) == once


@pytest.mark.parametrize(
    "text",
    ["name=" * 400, "a@" * 1000, "K-123456" * 200, "+371" * 500, "0x" * 1000, "1-" * 1000, '"\\' * 900 + "@",
     "Aa1@" * 500, "LV40003521600" * 150, "161175-19997" * 150, "eyJ" * 600, "QWEb" * 500, "tel=+1" * 300, "%25" * 999],
)  # fmt: skip
def test_hostile_texts_are_settled(text: str) -> None:
    """Texts made to cost much are swept like any other, as a path and as a query."""
    found = of("/" + text, OWN)
    assert of(found, OWN) == found
    assert len(query(f"q={text}", "q", own=OWN)) <= 3 * LONGEST


def test_kinds_are_told_by_the_parameter_too() -> None:
    """A query with a name holds one, though no word of it looks like anything."""
    found = {kind for kind, there in kinds(texts("a=1&vards=Anna&tel=26123456")).items() if there[0].as_py()}
    assert found == {"name", "phone"}
