"""Country and network owner are what MaxMind's test databases say of whole addresses, and nothing finer."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import logblur
from logblur.errors import PolicyError
from logblur.pipeline import seal
from logblur.policy.load import builtin_text, decode
from logblur.policy.plan import Database
from logblur.policy.resolve import resolve
from logblur.protect.addresses import parse_addresses
from logblur.protect.geo import located


def geo(corpus: Path, name: str) -> Path:
    """Return a test database or its source."""
    return corpus / "groundtruth" / "geo" / name


def source(corpus: Path, name: str) -> dict[Any, Any]:
    """Return what a database was made of, by network; of networks within one another the inner one holds."""
    entries: dict[Any, Any] = {}
    for entry in json.loads(geo(corpus, name).read_text("utf-8")):
        entries |= {ipaddress.ip_network(network): value for network, value in entry.items()}
    return entries


@pytest.mark.parametrize("column, name", [("country", "Country"), ("asn", "ASN")])
def test_every_network_of_the_source_is_told(corpus: Path, column: str, name: str) -> None:
    """The first and last address of each network gives what the database's source says."""
    entries = source(corpus, f"GeoLite2-{name}-Test.json")
    wanted = {}
    for network in sorted(entries, key=lambda n: n.prefixlen):
        for address in (network[0], network[-1]):
            inner = max(
                (n for n in entries if n.version == address.version and address in n), key=lambda n: n.prefixlen
            )
            value = entries[inner]
            number = value.get("autonomous_system_number")
            told = value.get("country", {}).get("iso_code") if column == "country" else number and f"AS{number}"
            wanted[str(address)] = told or "(none)"
    database = Database(column, str(geo(corpus, f"GeoLite2-{name}-Test.mmdb")), "test")
    found = located(parse_addresses(pa.array(list(wanted), pa.large_string())), database).to_pylist()
    differ = {address for address, told in zip(wanted, found, strict=True) if told != wanted[address]}
    # the database aliases what lies inside IPv6 (mapped, 6to4, Teredo) to IPv4, its source does not say so
    aliased = {a for a in wanted if a.startswith(("::", "2001:0:", "2002:"))}
    assert differ <= aliased
    assert len(set(found)) > 5


def policy(corpus: Path, rule: str, by: str, more: str = "") -> Any:
    """Return a policy with one table."""
    text = builtin_text("audience")
    text = text[: text.index("[[table]]")]
    start = text.index("\nremote_addr ") + 1
    text = f"{text[:start]}remote_addr = {rule}{text[text.index(chr(10), start) :]}"
    for name in ("Country", "ASN"):
        text = text.replace(f"<{name}>", str(geo(corpus, f"GeoLite2-{name}-Test.mmdb")))
    table = f'[[table]]\nname = "t"\nwhere = "all"\nby = [{by}]\nmeasures = ["requests"]\nmin_clients = 2\n'
    return decode((text + table + more).encode())


RULES = {
    '{ method = "country", country_database = "<Country>" }': '"country"',
    '{ method = "asn", asn_database = "<ASN>", country_database = "<Country>" }': '"country", "asn"',
    '{ method = "truncate", ipv4_prefix = 8, ipv6_prefix = 32, country_database = "<Country>" }': '"country"',
}


@pytest.mark.parametrize("rule", RULES)
def test_addresses_are_looked_up_whole(corpus: Path, rule: str, tmp_path: Path) -> None:
    """A table counts by country or owner of the whole address, also where its last bits are cut."""
    lines = "".join(
        f'{client}.{n} - - [17/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0"\n'
        for client in ("81.2.69", "1.128.0", "198.51.100")
        for n in range(144, 150)
    )
    (tmp_path / "log").write_text(lines)
    said = policy(corpus, rule, RULES[rule])
    logblur.run(tmp_path / "log", tmp_path / "out", policy=said, state=tmp_path / "state")
    (made,) = (tmp_path / "out").glob("t/*/*.parquet")
    rows = pq.ParquetFile(made).read().to_pylist()
    builds = {database.column: [database.build] for database in resolve(said).databases}
    assert json.loads(pq.read_schema(made).metadata[b"logblur.databases"]) == builds
    (entry,) = json.loads((tmp_path / "out" / "_logblur" / "manifest.json").read_text())["days"].values()
    assert entry["databases"] == builds
    assert sum(row["requests"] for row in rows) == 18
    assert "GB" in {row["country"] for row in rows}
    if "asn" in RULES[rule]:
        assert "AS1221" in {row["asn"] for row in rows}


OBJECTION = """
[signals]
objection = { http_dnt = ["1"] }
[signals.fields]
remote_addr = { method = "drop" }
"""


@pytest.mark.parametrize(("more", "without_country", "without_owner"), [("", 7, 5), (OBJECTION, 5, 3)])
def test_clients_that_a_database_does_not_hold_are_counted(
    corpus: Path, tmp_path: Path, more: str, without_country: int, without_owner: int
) -> None:
    """By column, apart from clients that are no address; a request that objects is not looked up by the policy."""
    said = policy(corpus, list(RULES)[1], RULES[list(RULES)[1]], more)
    line = '%s - - [17/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0" "%s"\n'
    clients = {"81.2.69.144": "-1", "198.51.100.7": "--1", "1.128.0.7": "---1", "host.example.com": "-"}
    log = "".join(line % (client, sign) for client, signs in clients.items() for sign in signs)
    (tmp_path / "log").write_text(log)
    form = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{DNT}i"'
    done = logblur.run(tmp_path / "log", tmp_path / "out", policy=said, state=tmp_path / "state", format=form)
    assert done.nulled == {"asn": without_owner, "country": without_country, "remote_addr": 1}


def test_a_day_says_every_build_that_it_was_looked_up_in(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is renewed while a day is open leaves both builds in what the day publishes when it is sealed."""
    rule = next(iter(RULES))
    said, log = policy(corpus, rule, '"country"'), tmp_path / "log"
    noon = datetime(2026, 5, 17, 12, tzinfo=UTC)
    line = '81.2.69.%d - - [17/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/140.0"\n'
    for build in ("GeoLite2-Country 1", "GeoLite2-Country 2"):
        monkeypatch.setattr("logblur.policy.resolve._build", lambda *_, build=build: build)
        with log.open("a") as more:
            more.write("".join(line % (int(build[-1]) * 10 + n) for n in range(5)))
        logblur.run(log, tmp_path / "out", policy=said, state=tmp_path / "state", clock=lambda: noon)
    monkeypatch.setattr("logblur.policy.resolve._build", lambda *_: "GeoLite2-Country 3")
    seal(tmp_path / "out", state=tmp_path / "state", day=noon.date(), clock=lambda: noon)
    (made,) = (tmp_path / "out").glob("t/*/*.parquet")
    builds = json.loads(pq.read_schema(made).metadata[b"logblur.databases"])
    assert builds == {"country": ["GeoLite2-Country 1", "GeoLite2-Country 2"]}


def test_the_build_is_part_of_the_plan(corpus: Path) -> None:
    """Which database, and which build of it, is in the Plan and its digest."""
    plan = resolve(policy(corpus, next(iter(RULES)), '"country"'))
    (database,) = plan.databases
    assert database.build.startswith("GeoLite2-Country ")
    assert "asn" not in plan.columns


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ('{ method = "country" }', "fields.remote_addr.country_database"),
        ('{ method = "country", country_database = "/nowhere.mmdb" }', "fields.remote_addr.country_database"),
        ('{ method = "country", country_database = "pyproject.toml" }', "fields.remote_addr.country_database"),
        ('{ method = "truncate", ipv4_prefix = 8, ipv6_prefix = 32 }', "table[0].by"),
    ],
)
def test_a_database_that_cannot_be_read_is_refused(corpus: Path, rule: str, path: str) -> None:
    """A missing database, or a file that is none, is a policy error before a line is read."""
    with pytest.raises(PolicyError) as refused:
        resolve(policy(corpus, rule, '"country"'))
    assert refused.value.path == path
