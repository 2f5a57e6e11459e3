"""The writers of `sample_logs/` and of benchmark logs: the same bytes for the same seed, and what they promise."""

from __future__ import annotations

import gzip
import importlib.util
import re
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LINE = re.compile(
    rb'^(?:(?P<site>\S+):443 )?(?P<client>\S+) - .*? \[(?P<time>\d\d/Nov/[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    rb'(?P<status>\d{3}) (?P<size>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?$'
)
DOCUMENTATION = [*map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))]
UNROUTED = [*map(ip_network, ("10.0.0.0/8", "100.64.0.0/10", "198.18.0.0/15", "2001:db8::/32"))]


def load(name: str) -> ModuleType:
    """A module of `benchmarks/`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"logblur_benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    """The sample logs as the script makes them."""
    return load("samples").logs()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def busy() -> list[bytes]:
    """The first 100,000 lines of a busy shop."""
    return b"".join(map(bytes, load("data").chunks(100_000, 1))).split(b"\n")[:-1]


def test_sample_logs_are_what_the_script_writes(samples: dict[str, bytes]) -> None:
    """The files in `sample_logs/` are the script's output, nothing else is there, and a clone stays small."""
    files = {path.name: path.read_bytes() for path in (ROOT / "sample_logs").iterdir()}
    # Compressors differ between builds; what they compress does not.
    assert {n: gzip.decompress(data) if n.endswith(".gz") else data for n, data in files.items()} == samples
    assert sum(map(len, files.values())) < 2_500_000


def test_sample_logs_name_nobody(samples: dict[str, bytes]) -> None:
    """Every address in the sample logs is set aside for documentation, wherever in a line it stands."""
    for text in samples.values():
        for found in set(re.findall(rb"(?<!Chrome/)(?<!Edg/)\b\d{1,3}(?:\.\d{1,3}){3}\b", text)):
            address = ip_address(found.decode())
            assert any(address in net for net in DOCUMENTATION if net.version == 4), found
        for found in set(re.findall(rb"(?m)^(?:\S+:443 )?([0-9a-fA-F]*:[0-9a-fA-F:.]*) - ", text)):
            address = ip_address(found.decode())
            address = getattr(address, "ipv4_mapped", None) or address
            assert any(address in net for net in DOCUMENTATION if net.version == address.version), found


def test_few_sample_lines_are_no_log_lines(samples: dict[str, bytes]) -> None:
    """Broken lines are there, and too few for the default limit of rejects."""
    bad = {name: sum(not LINE.match(line) for line in text.split(b"\n")[:-1]) for name, text in samples.items()}
    assert 5 < bad["combined.log"] < 20
    assert bad["common.log"] == bad["vhost_combined.log.gz"] == 0


def test_sample_logs_fill_every_table(samples: dict[str, bytes]) -> None:
    """On some day each default table has a group of at least ten clients, roughly classified."""
    clients: dict[tuple[str, object, object], set[str]] = defaultdict(set)
    for text in samples.values():
        for line in text.split(b"\n")[:-1]:
            if not (match := LINE.match(line)):
                continue
            row = {name: (value or b"").decode("latin-1") for name, value in match.groupdict().items()}
            time = datetime.strptime(row["time"], "%d/%b/%Y:%H:%M:%S %z").astimezone(timezone(timedelta(hours=2)))
            path = row["request"].split(" ")[1] if row["request"].count(" ") == 2 else ""
            client = row["client"]
            home = (
                ":".join(client.split(":")[:3]) + client.split(":")[3][:-2]
                if client.startswith("2001:db8:")
                else client
            )

            def count(table: str, key: object, time: datetime = time, home: str = home) -> None:
                clients[table, time.date(), key].add(home)

            bot = re.search("(?i)bot|facebookexternal|curl|python|ChatGPT", row["agent"])
            count("traffic", (time.hour, bool(bot)))
            if bot:
                count("bots", bot[0])
            elif row["status"] >= "400":
                count("errors", (row["status"], row["site"], path))
            elif path.startswith("/files/"):
                count("downloads", (row["site"], path, row["status"]))
                count("downloads complete" if row["status"] == "200" else "downloads part", (row["site"], path))
            elif not re.search(r"\.(css|js|svg|webp|ico)$", path):
                count("pages", (row["site"], path))
                count("networks", client.split(":")[0].split(".")[:2].__str__())
                if row["agent"]:
                    count("clients", row["agent"])
                host = re.sub(r"^https?://([^/]*).*", r"\1", row["referer"])
                if re.search("google|bing|duckduckgo|yandex", host):
                    count("search_engines", host)
                elif host not in ("-", "") and not host.endswith("example.com"):
                    count("referrers", ".".join(host.split(".")[-2:]))
    enough = {table for (table, _, _), homes in clients.items() if len(homes) >= 10}
    assert enough == {
        "traffic", "pages", "downloads", "downloads complete", "downloads part", "errors", "clients", "search_engines",
        "referrers", "networks", "bots",
    }  # fmt: skip


def test_the_busy_shop_is_the_same_for_a_seed(tmp_path: Path, busy: list[bytes]) -> None:
    """Another process with the same seed writes the same bytes, a shorter log is their beginning."""
    for seed in (1, 2):
        command = ["--lines", "1000", "--seed", str(seed), "-o", str(tmp_path / str(seed))]
        subprocess.run([sys.executable, ROOT / "benchmarks" / "data.py", *command], check=True)
    assert b"\n".join([*busy[:1000], b""]) == (tmp_path / "1").read_bytes()
    assert (tmp_path / "1").read_bytes() != (tmp_path / "2").read_bytes()


def test_the_busy_shop_is_as_varied_as_it_says(busy: list[bytes]) -> None:
    """Numbers of distinct values, shares of bots and hostile lines, and line length are within what is stated."""
    rows = [match for line in busy if (match := LINE.match(line))]
    assert len(busy) == 100_000
    assert 100 < len(busy) - len(rows) < 1000
    assert 240 < sum(map(len, busy)) / len(busy) + 1 < 260
    distinct = {name: len({row[name] for row in rows}) for name in ("client", "request", "referer", "agent")}
    assert 5000 < distinct["client"] < 9000
    assert 25_000 < distinct["request"] < 40_000
    assert 10_000 < distinct["referer"] < 15_000
    assert 2000 < distinct["agent"] < 4000
    share = {
        "bot": sum(row["client"].startswith(b"198.18.") for row in rows) / len(rows),
        "hostile": (len(busy) - len(rows) + sum(row["status"] == b"400" for row in rows)) / len(busy),
        "no referrer": sum(row["referer"] == b"-" for row in rows) / len(rows),
    }
    assert 0.2 < share["bot"] < 0.3
    assert 0.007 < share["hostile"] < 0.013
    assert 0.25 < share["no referrer"] < 0.35


def test_the_busy_shop_names_nobody(busy: list[bytes]) -> None:
    """Clients are addresses that no one has."""
    for client in {match["client"] for line in busy if (match := LINE.match(line))}:
        address = ip_address(client.decode())
        assert any(address in net for net in UNROUTED if net.version == address.version)


def test_a_million_lines_are_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times ascend at a constant rate: the second day begins with the line after the first million."""
    data = load("data")
    monkeypatch.setattr(data, "CHUNK", 100)
    times = [
        match["time"]
        for chunk in data.chunks(2000, 1, data.Profile(lines_a_day=1000))
        for line in bytes(chunk).split(b"\n")[:-1]
        if (match := LINE.match(line))
    ]
    stamps = [datetime.strptime(time.decode(), "%d/%b/%Y:%H:%M:%S %z") for time in times]
    assert stamps == sorted(stamps)
    assert {stamp.day for stamp in stamps} == {3, 4}
    assert abs(sum(stamp.day == 3 for stamp in stamps) - 1000) < 20
