"""Paths: what is personal goes, in every encoding; what is not stays; a template is its own template."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logblur.protect import paths
from logblur.protect.detect import patterns
from logblur.protect.detect.numbers import luhn
from logblur.protect.paths import LONGEST, template


def templates(*texts: str | None) -> list[str]:
    """Return the templates of these paths."""
    found = template(pa.array(texts, pa.large_string()))
    assert found.type == pa.string()
    assert found.null_count == 0
    return found.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, "(none)"),
        ("", "/"),
        ("/", "/"),
        ("/a/b.html", "/a/b.html"),
        ("/a//b/", "/a//b/"),
        ("/a;jsessionid=0A1B2C/b;x=1", "/a/b"),
        ("/a%3Bjsessionid=0A1B2C", "/a"),
        ("/a%3Fmail=alice", "/a"),
        ("/u/john.doe+tag@example.com/x", "/u/{email}/x"),
        ("/u/john%2Edoe%2540example%252Ecom", "/u/{email}"),
        ("/u/j\u00f6rg@b\u00fccher.example", "/u/{email}"),
        ("/@alice", "/@alice"),
        ("/npm/vue@2.6.14/dist", "/npm/vue@2.6.14/dist"),
        ("/ip/203.0.113.7", "/ip/{ip}"),
        ("/ip-203.0.113.7-203.0.113.8.html", "/ip-{ip}-{ip}.html"),
        ("/ip/%5B2001:db8::1%5D:80", "/ip/{ip}:80"),
        ("/ip/fe80::1%25eth0", "/ip/{ip}"),
        ("/ip/fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffa", "/ip/{ip}"),
        ("/abcdefab-abcd-abcd-abcd-abcdefabcdef", "/{uuid}"),
        ("/x2001:db8:0:0:0:0:0:1y", "/x{ip}y"),
        ("/2001:db8:0:0:0:0:0:1:443", "/{ip}:443"),
        ("/react@16.v1_9_1m.14.0.min.js", "/react@16.v1_9_1m.14.0.min.js"),
        ("/1f6032c50de7428fbe3f8447178983761fc90731", "/{token}"),
        ("/ip/::ffff:203.0.113.7", "/ip/{ip}"),
        ("/Foo::Bar/12:30:45", "/Foo::Bar/12:30:45"),
        ("/v/1.3.2/lib-2.10.js", "/v/1.3.2/lib-2.10.js"),
        ("/550e8400-e29b-41d4-a716-446655440000.pdf", "/{uuid}.pdf"),
        ("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_d", "/t/{jwt}"),
        ("/iban/DE89%203704%200044%200532%200130%2000", "/iban/{iban}"),
        ("/iban/gb29nwbk60161331926819", "/iban/{iban}"),
        ("/card/4111-1111-1111-1111", "/card/{card}"),
        ("/card/4111111111111111.png", "/card/{card}.png"),
        ("/card/4111111111111112", "/card/{number}"),
        ("/pk/161175-19997", "/pk/{code}"),
        ("/pk/328673-00679.pdf", "/pk/{code}.pdf"),
        ("/tel/+371%202612%203456", "/tel/{phone}"),
        ("/tel/0037126123456", "/tel/{phone}"),
        ("/d41d8cd98f00b204e9800998ecf8427e.js", "/{token}.js"),
        ("/dGhpc2lzYXRlc3Q0NTY3ODk", "/{token}"),
        ("/my-10-best-articles-of-the-year-2015-and-more", "/my-10-best-articles-of-the-year-2015-and-more"),
        ("/averylongwordthatsomebodywrotewithoutspaces", "/averylongwordthatsomebodywrotewithoutspaces"),
        ("/item/42", "/item/{number}"),
        ("/item/42.tar.gz", "/item/{number}.tar.gz"),
        ("/item-12345-x", "/item-{number}-x"),
        ("/item-1234-x", "/item-1234-x"),
        ("/2015/05/17/title", "/2015/05/17/title"),
        ("/2015/05", "/2015/05"),
        ("/2015/13/17", "/{number}/{number}/{number}"),
        ("/2015", "/{number}"),
        ("/05/2015", "/{number}/{number}"),
        ("(none)", "%28none)"),
        ("%28other)", "%28other)"),
        ("/a\x01b%00c%0Ad\u202e", "/a\ufffdb\ufffdc\ufffdd\ufffd"),
        ("/%E9t%C3%A9/\\xC3\\xA9", "/\ufffdt\u00e9/\u00e9"),
        ("/100%25/50%", "/100%/50%"),
        ("/a%2525252541/b", "/{token}/b"),
        ("/\uff14\uff11\uff11\uff11\uff11\uff11\uff11", "/{number}"),
    ],
)
def test_what_goes_and_what_stays(path: str | None, expected: str) -> None:
    """Only what is found is replaced; words, versions, slugs and dates stay."""
    assert templates(path) == [expected]


def test_a_long_path_keeps_its_first_segments() -> None:
    """A template has at most 512 characters, ends in `{long}` where it was cut, and never within a segment."""
    for path in (
        "/a" * 400,
        "/2015/05" * 200,
        "x" * 3000,
        "/" + "y" * 600 + "/z",
        "/" * 5000,
        "/%61" * 2000,
        "/é" * 1500,
        "/2015" * 300,
    ):
        (found,) = templates(path)
        assert len(found) <= LONGEST
        assert found.endswith("/{long}")
        assert templates(found) == [found]
    (found,) = templates("/" + "a/" * 1016 + "abcdefgh@example.com")
    assert "abc" not in found


@given(st.lists(st.text(max_size=40) | st.none(), max_size=8))
def test_values_do_not_touch_each_other(texts: list[str | None]) -> None:
    """The template of a path does not depend on the paths beside it."""
    assert templates(*texts) == [found for text in texts for found in templates(text)]


PIECES = st.sampled_from(
    [
        "/",
        "/",
        ".",
        "-",
        "_",
        ";",
        "%",
        "%2",
        "%25",
        "%2F",
        "%40",
        "@",
        "a",
        "b.com",
        "x@y.lv",
        "1",
        "12",
        "2015",
        "05",
        "17",
        "12345",
        "::",
        ":",
        "1.2.3.4",
        "fe80::1",
        "0",
        "4111",
        "1111",
        " ",
        "+371",
        "00",
        "DE89",
        "3704",
        "eyJ",
        "(",
        ")",
        "{ip}",
        "{",
        "}",
        "\\x41",
        "\0",
        "\n",
        "\u200b",
        "\uff05",
        "\u00e9",
        "\uff1f",
        "e\u0301",
        "0123456789abcdef",
        "aB3xY9kL2mN8pQ5rT7vZ",
        "?",
        "#",
        "\ufdfa",
        "161175-19997",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200))
@example("a@b.com@c.com")
@example("/2015/05;x/(1)")
@example("%2528")
def test_a_template_is_its_own_template(path: str) -> None:
    """Treating a template again changes nothing, and it holds no control character."""
    (found,) = templates(path)
    assert found
    assert not found.startswith("(")
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in found)
    assert len(found) <= LONGEST
    assert templates(found) == [found]


def iban(body: str, country: str) -> str:
    """Return an account number with the right check digits."""
    check = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    return f"{country}{check:02}{body}"


def card(body: str) -> str:
    """Return a card's number with the right last digit."""
    return next(body + last for last in "0123456789" if luhn(body + last))


EMAILS = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[a-z0-9]([a-z0-9._+-]{0,12}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["com", "lv", "co.uk", "example"]),
)
IPV6 = st.ip_addresses(v=6).filter(lambda a: a != ipaddress.ip_address("::"))  # "::" is nobody's
SECRETS = (
    EMAILS
    | st.ip_addresses(v=4).map(str)
    | IPV6.map(str)
    | IPV6.map(lambda a: a.exploded)
    | st.uuids().map(str)
    | st.uuids().map(lambda u: str(u).upper())
    | st.from_regex(r"(4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12})", fullmatch=True).map(card)
    | st.from_regex(r"4[0-9]{14}", fullmatch=True).map(card).map(lambda c: "-".join(re.findall("....", c)))
    | st.from_regex(r"[0-9]{18}", fullmatch=True).map(lambda b: iban(b, "DE"))
    | st.from_regex(r"[A-Z]{4}[0-9]{14}", fullmatch=True).map(lambda b: iban(b, "GB"))
    | st.from_regex(r"[A-Z]{4}[0-9]{13}", fullmatch=True).map(lambda b: iban(b, "LV"))
    | st.from_regex(r"[0-9]{18}", fullmatch=True).map(lambda b: " ".join(re.findall(".{1,4}", iban(b, "DE"))))
)


@st.composite
def encoded(draw: st.DrawFn, secret: str) -> str:
    """Return the secret with some, all or none of its characters percent-encoded, once to three times."""
    out = []
    for char in secret:
        times = draw(st.integers(0, 3))
        text = char if not times else f"%{ord(char):02{draw(st.sampled_from('xX'))}}"
        for _ in range(times - 1):
            text = text.replace("%", "%25")
        out.append(text)
    return "".join(out)


def forms(text: str) -> set[str]:
    """Return what a reader could make of a published value."""
    once = unquote(text)
    return {t.casefold() for t in (text, once, unquote(once))}


@given(
    st.data(),
    SECRETS,
    st.sampled_from(["/{}", "/user/{}/profile", "/x-{}-y", "/file_{}.html", "/q={}", "/a/{},{}", "/{};v=1", "/({})"]),
)
def test_no_planted_secret_stays(data: st.DataObject, secret: str, place: str) -> None:
    """An e-mail, address, UUID, card or account number in any percent-encoding occurs in no form in the template."""
    written = data.draw(encoded(secret))
    (found,) = templates(place.replace("{}", written))
    compact = re.sub("[ -]", "", secret).casefold()
    for form in forms(found):
        assert secret.casefold() not in form
        assert compact not in re.sub("[ -]", "", form)


def test_the_check_above_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the treatment of segments the planted secret is found, also where it was encoded."""
    monkeypatch.setattr(paths, "swept", lambda *given: given[0])
    (found,) = templates("/u/alice%2540example.com")
    assert any("alice@example.com" in form for form in forms(found))


@given(IPV6 | st.ip_addresses(v=4), st.sampled_from(["/", "-", "_", "=", ",", " ", "(", "["]))
def test_neighbours_hide_no_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address, between: str) -> None:
    """Several addresses side by side all go."""
    (found,) = templates("/" + between.join([str(address)] * 5))
    assert str(address) not in found


@pytest.mark.parametrize(
    "path",
    [
        "/" + "a" * 1_000_000,
        "/" * 100_000,
        "/" + "%25" * 100_000,
        "/" + "@" * 100_000,
        "/" + "1-" * 100_000,
        "/" + "DE89" * 50_000,
        "/" + "a@b." * 50_000,
        "/" + "::" * 50_000,
        "/" + "4 " * 100_000,
        "/" + "eyJ." * 50_000,
        "/" + "\uff05" * 50_000,
        "/" + "\ufdfa" * 50_000,
        "/" + "1.2.3.4" * 20_000,
        "/" + "{" * 10_000,
        "/" + "DE89370400440532013" * 100,
    ],
)
def test_hostile_paths_are_settled(path: str) -> None:
    """A path made to cost much is bounded and settled."""
    (found,) = templates(path)
    assert len(found) <= LONGEST
    assert templates(found) == [found]


@given(st.lists(PIECES | SECRETS | st.text("0123456789abcXYZ-._ +", max_size=20), max_size=6).map("".join))
def test_what_looks_simple_holds_nothing_else(path: str) -> None:
    """Treating every segment as if it could hold anything changes no template: the quick way out misses nothing."""
    quick = templates(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "COMPLEX", "")
        assert quick == templates(path)


def test_no_paths_at_all() -> None:
    """No paths, no templates."""
    assert templates() == []
