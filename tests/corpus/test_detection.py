"""How well identifiers are found: precision and recall by kind, on data that no pattern of ours made.

``pytest tests/corpus/test_detection.py -s`` prints the table of docs/detection.md. Counted is whether a text gives way
to the word of its kind, and whether a word stands where there is nothing of its kind. ``{number}`` is no claim: what
varies in a path is a number.
"""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import json
import os
import random
import re
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import phonenumbers
import pyarrow as pa
import pytest

from logblur.protect.detect import named, spelled, swept
from logblur.protect.paths import template

CORPUS = Path(os.environ.get("LOGBLUR_CORPUS", ""))
pytestmark = pytest.mark.usefixtures("corpus")

BARS = dict.fromkeys(("email", "card", "iban", "code", "jwt", "uuid", "ip"), 0.98) | {"phone": 0.90}
PRECISION = 0.97

Sample = tuple[str, str, frozenset[str]]
"""A path, a query, and the kinds that they hold; ``token?`` may be there as well."""

PII = CORPUS / "groundtruth" / "pii"
PLACES = (
    "/a/{}",
    "/a/{}.html",
    "/file-{}",
    "/u/{}/edit",
    "?q={}",
    "?a=b&x={}",
    "?u=https%3A%2F%2Fexample.com%2F%3Fx%3D{}",
)


def samples(values: list[tuple[str, str]], places: tuple[str, ...] = PLACES, *, seed: int = 1) -> Iterator[Sample]:
    """Yield each (kind, value) somewhere in a URL, percent-encoded or as it is."""
    chance = random.Random(seed)
    for kind, value in values:
        place = chance.choice(places)
        written = quote(value, safe="" if chance.random() < 0.5 or place.startswith("?") else "@:+,=")
        path, _, query = place.replace("{}", quote(written, safe="") if "%3D" in place else written).partition("?")
        yield path, query, frozenset({kind} if kind else ())


def mail() -> Iterator[Sample]:
    """E-mail addresses of isemail that its author calls valid, with a domain that may exist."""
    values = []
    for test in ET.parse(PII / "isemail_tests.xml").getroot().findall("test"):
        if test.findtext("category") == "ISEMAIL_VALID_CATEGORY" or test.findtext("diagnosis") in {
            "ISEMAIL_DNSWARN_NO_MX_RECORD",
            "ISEMAIL_RFC5321_QUOTEDSTRING",
            "ISEMAIL_RFC5321_ADDRESSLITERAL",
        }:
            values.append(("email", str(test.findtext("address"))))
    for place in ("/a/{}", "?q={}", "?a=b&to={}"):
        yield from samples(values, (place,))


def listed_codes() -> Iterator[Sample]:
    """Account numbers and personal codes of python-stdnum's own tests, and what it calls invalid."""
    values = []
    for row in (PII / "national_ids_s.tsv").read_text("utf-8").splitlines()[1:]:
        kind, value, status = row.split("\t")
        if kind == "iban":  # the list calls a few valid whose check digits are wrong
            values.append(("iban" if import_module("stdnum.iban").is_valid(value) else "token?", value))
        elif len(re.sub("[^0-9]", "", value)) == 11:
            values.append(("code" if status == "valid" else "", value))
    yield from samples(values)
    for row in (PII / "latvian_codes.tsv").read_text("utf-8").splitlines()[1:]:
        _, value, status, detail = row.split("\t")
        kind = "vat" if value.startswith("LV") else "code" if "-" in value else ""
        # the new form goes by its shape alone
        known = status == "valid" or (detail == "checksum" and value.startswith("32"))
        yield from samples([(kind if known else "", value)])


def sentences() -> Iterator[Sample]:
    """Spans of presidio-research: cards, addresses, phones that say their country; phones as parameters that say so."""
    kinds = {"CREDIT_CARD": "card", "IP_ADDRESS": "ip", "EMAIL_ADDRESS": "email"}
    for entry in json.loads((PII / "presidio_generated_small.json").read_text("utf-8")):
        text, inside = entry["full_text"], set()
        for span in sorted(entry["spans"], key=lambda s: -s["start_position"]):
            kind, value = span["entity_type"], span["entity_value"]
            if kind in kinds:
                inside.add(kinds[kind])
            elif kind == "PHONE_NUMBER":
                yield "/", "tel=" + quote(value), frozenset({"phone"})
                if value.startswith(("+", "00")):
                    inside.add("phone")
        yield "/", "q=" + quote(text[:600]), frozenset(inside)


def numbers_of_the_world() -> Iterator[Sample]:
    """An example number of every country and kind, as the library of phone numbers writes it."""
    formats = (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    chance, values = random.Random(2), []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                text = phonenumbers.format_number(number, chance.choice(formats))
                values.append(("phone", text if chance.random() < 0.7 else "00" + text[1:]))
                national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
                yield "/", "phone=" + quote(national), frozenset({"phone"})
    yield from samples(values)


def made() -> Iterator[Sample]:
    """Identifiers by their definitions, and hard negatives beside them."""
    chance = random.Random(3)

    def pick(alphabet: str, count: int) -> str:
        return "".join(chance.choices(alphabet, k=count))

    digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyz"
    luhn, pvn = import_module("stdnum.luhn"), import_module("stdnum.lv.pvn")
    iban, ik = import_module("stdnum.iban"), import_module("stdnum.ee.ik")
    pesel, idnr = import_module("stdnum.pl.pesel"), import_module("stdnum.iso7064.mod_11_10")

    def day(start: int, end: int) -> datetime.date:
        return datetime.date(start, 1, 1) + datetime.timedelta(days=chance.randrange(365 * (end - start)))

    def card() -> str:
        head = chance.choice(
            ["4" + pick(digits, 14), "5" + pick("12345", 1) + pick(digits, 13), "37" + pick(digits, 12)]
        )
        number = head + luhn.calc_check_digit(head)
        return chance.choice([number, " ".join(re.findall(".{1,4}", number)), "-".join(re.findall(".{1,4}", number))])

    def account() -> str:
        country, bank = chance.choice(
            [
                ("LV", pick(letters.upper(), 4) + pick(digits, 13)),
                ("DE", pick(digits, 18)),
                ("EE", pick(digits, 16)),
                ("LT", pick(digits, 16)),
                ("PL", pick(digits, 24)),
            ]
        )
        number = f"{country}{iban.calc_check_digits(country + '00' + bank)}{bank}"
        return chance.choice([number, " ".join(re.findall(".{1,4}", number)), number.lower()])

    def latvian() -> str:
        if chance.random() < 0.4:
            return f"3{pick('23456789', 1)}{pick(digits, 4)}-{pick(digits, 5)}"
        born = day(1920, 2010)
        body = f"{born:%d%m%y}{1 if born.year < 2000 else 2}{pick(digits, 3)}"
        return f"{body[:6]}-{body[6:]}{pvn.calc_check_digit_pers(body)}"

    def other_code() -> str:
        born = day(1920, 2010)
        if chance.random() < 0.5:
            body = f"{(3 if born.year < 2000 else 5) + chance.randrange(2)}{born:%y%m%d}{pick(digits, 3)}"
            return body + ik.calc_check_digit(body + "0")
        body = f"{born:%y}{born.month + (20 if born.year >= 2000 else 0):02}{born:%d}{pick(digits, 4)}"
        return body + pesel.calc_check_digit(body)

    def german() -> str:
        ten = list("1234567890")
        chance.shuffle(ten)
        ten[chance.randrange(1, 10)] = ten[0] if ten[0] != "0" else ten[1]
        body = "".join(ten).lstrip("0").ljust(10, "7")
        return (
            body + idnr.calc_check_digit(body)
            if import_module("stdnum.de.idnr").is_valid(body + idnr.calc_check_digit(body))
            else latvian()
        )

    def jwt() -> str:
        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        head = chance.choice(
            [{"alg": "HS256", "typ": "JWT"}, {"alg": "RS256", "kid": pick(letters, 8)}, {"typ": "JWT", "alg": "none"}]
        )
        signature = base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode()
        return f"{part(head)}.{part({'sub': pick(digits, 8), 'exp': chance.randrange(10**9)})}.{signature}"

    def address() -> str:
        four = ".".join(str(chance.randrange(256)) for _ in range(4))
        groups = [f"{chance.randrange(65536):x}" for _ in range(8)]
        return chance.choice(
            [
                four,
                four,
                ":".join(groups),
                f"2001:db8::{groups[0]}:{groups[1]}",
                f"::ffff:{four}",
                f"[{':'.join(groups)}]",
            ]
        )

    def email() -> str:
        person = f"{pick(letters, 5)}{chance.choice(['.', '_', '', '+', '-'])}{pick(letters + digits, 6)}"
        return f"{person}@{pick(letters, 7)}.{chance.choice(['lv', 'com', 'co.uk', 'example', 'de', 'info'])}"

    token: list[Callable[[], str]] = [
        lambda: chance.randbytes(chance.choice([16, 20, 32])).hex(),
        lambda: base64.urlsafe_b64encode(chance.randbytes(chance.choice([18, 24, 32]))).decode().rstrip("="),
        lambda: pick(letters + digits, 26),
    ]

    def random_token() -> str:
        return chance.choice(token)()

    kinds: dict[str, Callable[[], str]] = {
        "email": email, "card": card, "iban": account, "code": latvian, "jwt": jwt, "ip": address,
        "uuid": lambda: str(uuid.UUID(bytes=chance.randbytes(16), version=4)),
        "token": random_token,
    }  # fmt: skip
    values = [(kind, make()) for kind, make in kinds.items() for _ in range(400)]
    values += [("code", make()) for make in (other_code, german) for _ in range(200)]
    values += [("email", base64.b64encode(email().encode()).decode()) for _ in range(100)]
    yield from samples(values)

    words = (
        "red blue garden winter report summer shoe phone news spring table light house data open guide best new".split()
    )

    built = "js css woff2 chunk.js js.map".split()

    def slug(count: int) -> str:
        return "-".join(chance.choices(words, k=count))

    negatives: list[Callable[[], str]] = [
        lambda: f"{chance.randrange(30)}.{chance.randrange(30)}.{chance.randrange(200)}",
        lambda: f"v{chance.randrange(9)}.{chance.randrange(30)}.{chance.randrange(20)}.{chance.randrange(99)}",
        lambda: f"{slug(2)}-{chance.randrange(20)}.{chance.randrange(20)}.{chance.randrange(20)}.min.js",
        lambda: f"{chance.choice(words)}@{chance.randrange(20)}.{chance.randrange(20)}.{chance.randrange(20)}",
        lambda: f"icon-{chance.choice(words)}@{chance.randrange(2, 4)}x.png",
        lambda: f"{slug(4)}-{chance.randrange(100)}",
        lambda: f"order-{chance.randrange(10**4, 10**8)}",
        lambda: f"{chance.choice('AB SKU ART LV DE PL'.split())}-{chance.randrange(1000, 99999)}-{pick('ABCX', 1)}",
        lambda: f"{day(1995, 2026):%Y-%m-%d}",
        lambda: f"{slug(1)}-{day(1995, 2026):%Y%m%d}",
        lambda: f"{day(1995, 2026):%d.%m.%Y}",
        lambda: f"{day(1995, 2026):%Y-%m-%d}T{chance.randrange(24):02}:{chance.randrange(60):02}:00",
        lambda: f"{slug(1)}.{chance.randbytes(chance.choice([4, 8, 10, 16])).hex()}.{chance.choice(built)}",
        lambda: f"{chance.choice(words)}-{pick(letters + letters.upper() + digits, 8)}.js",
        lambda: chance.randbytes(4).hex()[:7],
        lambda: f"{slug(2)}-p{chance.randrange(10**6, 10**8)}",
        lambda: str(chance.randrange(10**5, 10**10)),
        lambda: f"978-3-{chance.randrange(100, 999)}-{chance.randrange(10000, 99999)}-{chance.randrange(10)}",
        lambda: f"10.{chance.randrange(1000, 9999)}/j.{pick(letters, 4)}.{chance.randrange(2000, 2020)}.01.003",
        lambda: f"{chance.choice(words)}{chance.randrange(2, 20)}{pick(letters, 3)}{chance.randrange(64, 512)}gb",
        lambda: f"{chance.randrange(1600, 4000)}x{chance.randrange(900, 2200)}",
        lambda: f"get{chance.choice(words).title()}{chance.choice(words).title()}ById",
        lambda: f"{slug(1)}_{chance.randrange(100)}_{chance.randrange(100)}_{chance.randrange(50)}",
        lambda: f"#{pick('0123456789abcdef', 6)}",
    ]  # fmt: skip
    yield from samples(
        [("", make()) for make in negatives for _ in range(60)], ("/a/{}", "/u/{}/edit", "?q={}", "?a=b&x={}"), seed=5
    )


def real() -> Iterator[Sample]:
    """URLs of real logs whose kinds were told by eye; kept as digests, looked up in the logs."""
    table = Path(__file__).with_name("urls.tsv").read_text("utf-8")
    labels = {digest: frozenset(kinds.split()) for digest, kinds in (row.split("\t") for row in table.splitlines())}
    for path in sorted((CORPUS / "logs").rglob("*")):
        if not path.is_file():
            continue
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line in file.read(30_000_000).split(b"\n"):
                found = re.findall(rb'"(?:GET|POST|HEAD|PUT) (\S+)', line) + re.findall(rb'"(https?://[^" ]+)"', line)
                for url in found:
                    kinds = labels.pop(hashlib.sha256(url).hexdigest()[:16], None)
                    if kinds is not None:
                        text = url.decode("latin-1").partition("?")
                        yield text[0], text[2], kinds
    assert len(labels) < 40, "the logs of the corpus have changed"


SETS = {
    "isemail": mail, "python-stdnum": listed_codes, "presidio-research": sentences,
    "phone numbers of the world": numbers_of_the_world, "URLs of real logs": real, "made, with hard negatives": made,
}  # fmt: skip


def parameters(queries: list[str]) -> list[str]:
    """Return queries with each parameter swept by itself, as the product does."""
    parts = [query.split("&") for query in queries]
    plain = spelled(pa.array([part for query in parts for part in query], pa.large_string()))
    made = iter(swept(named(plain), whole=False).to_pylist())
    return ["&".join(next(made) for _ in query) for query in parts]


def measured() -> dict[str, Counter[tuple[str, str]]]:
    """Return by set how often each kind was right, missed, or claimed without ground."""
    out = {}
    for name, make in SETS.items():
        rows = list(make())
        paths = template(pa.array([path for path, _, _ in rows], pa.large_string())).to_pylist()
        queries = parameters([query for _, query, _ in rows])
        counts: Counter[tuple[str, str]] = Counter()
        for path, query, (_, _, held) in zip(paths, queries, rows, strict=True):
            found = set(re.findall(r"{([a-z]+)}", path + query)) - {"number", "long"}
            found -= {"token"} if "token?" in held else set()
            kinds = held - {"token?"}
            counts.update((kind, "found") for kind in kinds & found)
            counts.update((kind, "missed") for kind in kinds - found)
            counts.update((kind, "false") for kind in found - kinds)
            counts["", "texts"] += 1
        out[name] = counts
    return out


def test_what_identifies_is_found_and_little_else() -> None:
    """Recall and precision hold their bars over all sets together; the table says how each does in each."""
    sets = measured()
    total = sum(sets.values(), Counter())
    print("\n| set | texts | kind | recall | precision |\n| --- | --- | --- | --- | --- |")
    for name, counts in [*sets.items(), ("all", total)]:
        for kind in sorted({kind for kind, _ in counts} - {""}):
            right, missed, false = (counts[kind, what] for what in ("found", "missed", "false"))
            recall = f"{right / (right + missed):.3f} ({right} of {right + missed})" if right + missed else ""
            precision = f"{right / (right + false):.3f}" if right + false else ""
            print(f"| {name} | {counts['', 'texts']} | {kind} | {recall} | {precision} |")
    right = sum(n for (_, what), n in total.items() if what == "found")
    false = sum(n for (_, what), n in total.items() if what == "false")
    print(f"| all | {total['', 'texts']} | every kind | | {right / (right + false):.3f} |")
    for kind, bar in BARS.items():
        recall = total[kind, "found"] / (total[kind, "found"] + total[kind, "missed"])
        assert recall >= bar, kind
    assert right / (right + false) >= PRECISION
