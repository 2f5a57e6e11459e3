"""The audit's attacks on what other tools make: hashes, masks, constant keys; some by the tools themselves."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

import logblur
from logblur.policy import load_policy
from logblur.privacy.audit import audit
from logblur.privacy.figures import singled_out
from logblur.privacy.identifiers import digests, identifiers, masks
from logblur.privacy.report import Report, Verdict
from logblur.privacy.reversal import constant_keys, masked_addresses, reversal

ADDRESSES = [str(ipaddress.ip_address(int(a))) for a in np.random.default_rng(7).integers(1 << 24, 0xDFFFFFFF, 400)]
PRIVATE = [f"10.{k % 16}.{k % 7}.{k % 250}" for k in range(400)]
LINE = '%s - - [%02d/May/2026:10:05:03 +0000] "GET /%d HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw log of 400 clients on two days."""
    log = tmp_path / "raw.log"
    log.write_text("".join(LINE % (a, 17 + k % 2, k % 9) for k, a in enumerate(ADDRESSES)))
    return log


def audited(path: Path, *raw: Path) -> Report:
    """Audit a file, without trying all of IPv4."""
    return audit(path, policy=load_policy("audience"), raw=[str(log) for log in raw], seconds=0)


def verdicts(report: Report) -> dict[str, Verdict]:
    """Each test's verdict."""
    return {result.name: result.verdict for result in report.results}


def details(report: Report, name: str) -> str:
    """What a test said."""
    (result,) = (result for result in report.results if result.name == name)
    return " ".join((result.summary, *result.details))


# Reversal


HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256, Fluent Bit": lambda a: hashlib.sha256(a).hexdigest(),
    "SHA-256, Caddy": lambda a: hashlib.sha256(a).hexdigest()[:8],
    "SHA-1": lambda a: hashlib.sha1(a).hexdigest(),
    "SHA-1, cut": lambda a: hashlib.sha1(a).hexdigest()[:20],
    "MD5": lambda a: hashlib.md5(a).hexdigest(),
    "MD5, base64": lambda a: base64.b64encode(hashlib.md5(a).digest()).decode(),
    "CRC-32": lambda a: f"{zlib.crc32(a):08x}",
    "CRC-32, number": lambda a: str(zlib.crc32(a)),
    "XXH64": xxhash.xxh64_hexdigest,
    "XXH64, number": lambda a: str(xxhash.xxh64_intdigest(a)),
    "XXH32": xxhash.xxh32_hexdigest,
}


CADDY = [HASHES["SHA-256, Caddy"](a.encode()) for a in ADDRESSES]


def column(folder: Path, values: list[str]) -> Path:
    """A CSV with a column of these values, and one of numbers."""
    (folder / "out.csv").write_text("client,path\n" + "".join(f"{v},/{k}\n" for k, v in enumerate(values)))
    return folder / "out.csv"


@pytest.mark.parametrize("name", HASHES)
def test_hashes_of_the_raw_log_are_turned_back(name: str, tmp_path: Path) -> None:
    """An unkeyed hash, whole or cut short, in hex, base64 or as a number, is that of the raw log's addresses."""
    out = column(tmp_path, [HASHES[name](a.encode()) for a in ADDRESSES])
    found = reversal(identifiers(out), ADDRESSES, seconds=0)
    assert found.verdict is Verdict.FAILED
    assert any(f"400 of 400 values are {name.split(',', maxsplit=1)[0]} of addresses" in line for line in found.details)
    tool = {"SHA-256, Fluent Bit": "as Fluent Bit", "SHA-256, Caddy": "as Caddy"}.get(name, "")
    assert tool in found.details[0]


@pytest.mark.parametrize("name", ["SHA-256, Fluent Bit", "SHA-256, Caddy", "XXH64"])
def test_hashes_of_private_addresses_are_turned_back_without_a_raw_log(name: str, tmp_path: Path) -> None:
    """Who has the output alone tries the private ranges; for short hashes more is found than chance gives."""
    out = column(tmp_path, [HASHES[name](a.encode()) for a in PRIVATE])
    assert reversal(identifiers(out), [], seconds=0).verdict is Verdict.PASSED
    assert reversal(identifiers(out), [], seconds=60).verdict is Verdict.FAILED


def test_keyed_hashes_stand(tmp_path: Path) -> None:
    """Random values of 32, 64 and 256 bits are not turned back, and chance hits of short ones are no finding."""
    rng = np.random.default_rng(3)
    for size in (4, 8, 32):
        out = column(tmp_path, [rng.bytes(size).hex() for _ in range(3000)])
        found = reversal(identifiers(out), ADDRESSES, seconds=0.01)
        assert (found.verdict, found.figures["columns"]) == (Verdict.PASSED, 1)
        assert found.figures["covered"] > 0
        assert "of IPv4 tried" in found.summary


@pytest.mark.parametrize(
    "written",
    [
        lambda a, k: "unknown" if k % 9 == 0 else hashlib.sha256(a).hexdigest(),
        lambda a, _: f"sha256:{hashlib.sha256(a).hexdigest()}",
        lambda a, k: "-1" if k == 0 else str(int.from_bytes(hashlib.md5(a).digest()[:8], "big", signed=True)),
        lambda a, _: str(zlib.crc32(a) - (1 << 32 if zlib.crc32(a) >> 31 else 0)),
    ],
    ids=["some unknown", "behind a name", "signed 64 bits", "signed 32 bits"],
)
def test_digests_in_other_clothes(written: Callable[[bytes, int], str], tmp_path: Path) -> None:
    """Digests are told among other values, behind the name of their hash, and as signed numbers."""
    out = column(tmp_path, [written(a.encode(), k) for k, a in enumerate(ADDRESSES)])
    assert reversal(identifiers(out), ADDRESSES, seconds=0).verdict is Verdict.FAILED


def test_json_in_a_log_is_read_as_json(tmp_path: Path) -> None:
    """A server that writes JSON to access.log hides no hash in it."""
    file = tmp_path / "access.log"
    file.write_text("".join(json.dumps({"request": {"remote_ip": h}, "status": 200}) + "\n" for h in CADDY))
    assert reversal(identifiers(file), ADDRESSES, seconds=0).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "values",
    [["/index.html", "/about.html"], ["deadbeef"], ["1", "2", "3000"], ["2026-05-17", "2026-05-18"],
     ["abcdefgh", "abcdefg"]],
)  # fmt: skip
def test_what_is_no_digest(values: list[str], tmp_path: Path) -> None:
    """Paths, one value, small numbers, dates and words of many lengths are not attacked."""
    (client, *_) = identifiers(column(tmp_path, values))
    assert digests(client) is None


# Tools: what Caddy and Fluent Bit write, and the real Anonip and GoAccess


def test_caddy_hashes_are_caught(raw: Path, tmp_path: Path) -> None:
    """Caddy's JSON log with its `hash` filter: the first four bytes of SHA-256, in hex."""
    out = tmp_path / "caddy.jsonl"
    rows = [{"ts": 1779000000.5 + 86400 * (k % 2), "request": {"remote_ip": a}} for k, a in enumerate(CADDY)]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = audited(out, raw)
    assert verdicts(report)["reversal"] is Verdict.FAILED
    assert "request.remote_ip" in details(report, "reversal")
    assert "(as Caddy's hash)" in details(report, "reversal")


def test_fluent_bit_hashes_are_caught(raw: Path, tmp_path: Path) -> None:
    """Fluent Bit's `hash` action: SHA-256 in hex, the same on every day."""
    out = tmp_path / "fluent.jsonl"
    out.write_text(
        "".join(
            json.dumps({"date": f"2026-05-{17 + day}", "host": HASHES["SHA-256, Fluent Bit"](a.encode())}) + "\n"
            for day in range(2)
            for a in ADDRESSES
        )
    )
    report = audited(out, raw)
    assert "(as Fluent Bit's hash)" in details(report, "reversal")
    assert verdicts(report)["linked days"] is Verdict.FAILED


def test_the_real_anonip_is_caught(tmp_path: Path) -> None:
    """Anonip masks addresses to /20, which few share, and lets pass what it does not know: ports, lists, names."""
    log = tmp_path / "raw.log"
    odd = ["192.0.2.77:46824", "198.51.100.9,203.0.113.5"]
    log.write_text("".join(LINE % (a, 17, k) for k, a in enumerate([*ADDRESSES, *odd])))
    code = "import anonip, sys; sys.argv = ['anonip']; anonip.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], input=log.read_bytes(), capture_output=True, timeout=60, check=True
    )
    out = tmp_path / "anonip.log"
    out.write_bytes(done.stdout)
    report = audited(out, log)
    said = details(report, "masked addresses")
    assert verdicts(report)["masked addresses"] is Verdict.FAILED
    assert "masked to /20 (as Anonip does)" in said
    assert "stand for fewer than 10 clients" in said
    assert verdicts(report)["search of the output"] is Verdict.FAILED  # what passed unmasked


def test_masks_as_matomo_makes_them(raw: Path, tmp_path: Path) -> None:
    """The last two bytes cleared: named, and caught where the raw log has few clients in a network."""
    out = column(tmp_path, [".".join([*a.split(".")[:2], "0", "0"]) for a in ADDRESSES])
    report = audited(out, raw)
    assert "masked to /16 (as Matomo does)" in details(report, "masked addresses")
    assert verdicts(report)["masked addresses"] is Verdict.FAILED
    assert verdicts(audited(out))["masked addresses"] is Verdict.PASSED  # nobody can say without the raw log


def test_the_real_goaccess_is_caught(raw: Path, tmp_path: Path) -> None:
    """GoAccess with `--anonymize-ip --persist` writes whole addresses to its database."""
    program = shutil.which("goaccess")
    if program is None:
        pytest.skip("GoAccess is not installed: apt-get install goaccess")
    database = tmp_path / "database"
    database.mkdir()
    words = [program, str(raw), "--log-format=COMBINED", "--anonymize-ip", "--persist", f"--db-path={database}"]
    subprocess.run([*words, "-o", str(tmp_path / "report.json")], capture_output=True, timeout=60, check=True)
    assert list(database.iterdir())
    report = audited(database, raw)
    assert verdicts(report)["search of the output"] is Verdict.FAILED
    assert "of kind address, raw" in details(report, "search of the output")


# Masks, days, records


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([f"10.{k}.0.0" for k in range(40)], Verdict.PASSED),
        ([*(f"10.{k}.0.0" for k in range(40)), "10.1.2.3"], Verdict.FAILED),
        ([f"10.1.{k}.{k + 1}" for k in range(40)], Verdict.FAILED),
        ([f"/{k}" for k in range(40)], Verdict.PASSED),
        ([f"10.1.{k}.{k + 1}:4711" for k in range(40)], Verdict.FAILED),
        ([f"2001:db8:{k:x}::" for k in range(40)], Verdict.PASSED),
        ([f"2001:db8:1:{k:x}::" for k in range(40)], Verdict.FAILED),
        ([*(f"2001:db8:{k:x}::" for k in range(40)), "2001:db8::7"], Verdict.FAILED),
        ([f"[2001:db8::{k:x}]:443" for k in range(40)], Verdict.FAILED),
        ([*(f"10.{k}.0.0" for k in range(40)), *(f"2001:db8::{k:x}" for k in range(9))], Verdict.FAILED),
    ],
    ids=[
        "masked",
        "one passes",
        "whole",
        "no addresses",
        "ports",
        "IPv6 /48",
        "IPv6 /64",
        "one IPv6 passes",
        "whole IPv6",
        "IPv4 masked, IPv6 whole",
    ],
)
def test_addresses_that_are_not_masked_fail(values: list[str], verdict: Verdict, tmp_path: Path) -> None:
    """Whole addresses fail, and so does one that passes among masked ones."""
    assert masked_addresses(identifiers(column(tmp_path, values)), [], enough=10).verdict is verdict


def test_a_mask_keeps_as_many_bits_as_the_finest_needs(tmp_path: Path) -> None:
    """Of addresses masked to /20 some end in more zeros; together they tell the mask."""
    values = [str(ipaddress.ip_address(int(a) & 0xFFFFF000)) for a in map(ipaddress.ip_address, ADDRESSES)]
    (client, *_) = identifiers(column(tmp_path, values))
    (found,) = masks(client)
    assert (found.prefix, bool(found.masked.all())) == (20, True)


def partitions(folder: Path, *days: list[str]) -> Path:
    """A table of pseudonyms with a partition a day."""
    for number, values in enumerate(days):
        file = folder / "t" / f"date=2026-05-{17 + number}" / "t.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({"client": values}), file)
    return folder / "t"


def test_constant_keys_link_days(tmp_path: Path) -> None:
    """The same pseudonyms on two days fail; those under a key of the day do not."""
    rng = np.random.default_rng(1)
    one, two = ([rng.bytes(8).hex() for _ in range(50)] for _ in range(2))
    assert constant_keys(identifiers(partitions(tmp_path / "new", one, two))).verdict is Verdict.PASSED
    assert constant_keys(identifiers(partitions(tmp_path / "old", one, one[:25] + two[:25]))).verdict is Verdict.FAILED
    one, two = (
        ["unknown", *(f"k{text}xyz" for text in texts)] for texts in (one, one)
    )  # no digests, and not all alike
    assert constant_keys(identifiers(partitions(tmp_path / "mixed", one, two))).verdict is Verdict.FAILED


def test_pseudonyms_of_records_are_not_linked(raw: Path, tmp_path: Path) -> None:
    """What `scan` gives under `records` is neither turned back nor linked; all of it is single records."""
    out = tmp_path / "records.parquet"
    logblur.scan(raw, policy="records").collect().write_parquet(out)
    report = audited(out, raw)
    assert verdicts(report)["search of the output"] is Verdict.PASSED
    assert verdicts(report)["reversal"] is Verdict.PASSED
    assert verdicts(report)["linked days"] is Verdict.PASSED
    assert verdicts(report)["singling out"] is Verdict.FIGURES


def test_records_that_are_alone_are_counted(tmp_path: Path) -> None:
    """Of four records one is alone with its attributes; in half of them the last attribute follows from the others."""
    frame = {"a": ["x", "x", "y", "y", "z"], "b": ["1", "1", "2", "3", "4"]}
    pq.write_table(pa.table(frame), tmp_path / "t.parquet")
    assert singled_out(tmp_path / "t.parquet").figures["t.parquet"] == {"rows": 5, "alone": 3, "told": 0.4}
    assert singled_out(tmp_path).verdict is Verdict.FIGURES
    (tmp_path / "t.parquet").unlink()
    assert singled_out(tmp_path).verdict is Verdict.NOT_RUN


def test_a_published_folder_withstands_all(project: Path, tmp_path: Path) -> None:
    """What `run` publishes passes every attack, and has figures of its rows and of dominance."""
    logs = str(project / "sample_logs")
    logblur.run(logs, tmp_path / "out", state=tmp_path / "state")
    report = audit(tmp_path / "out", policy=load_policy("audience"), promised=True, raw=[logs],
                   state=tmp_path / "state", seconds=0)  # fmt: skip
    ended = verdicts(report)
    assert not report.failed
    assert {name for name, verdict in ended.items() if verdict is Verdict.NOT_RUN} == {"kept versions", "singling out"}
    assert {name for name, verdict in ended.items() if verdict is Verdict.FIGURES} == {"cell sizes", "dominance"}


def test_names_made_of_values_are_not_told(raw: Path, tmp_path: Path) -> None:
    """A document whose keys are addresses is failed, and no report says one; nor do names act on Markdown."""
    file = tmp_path / "counts.json"
    pair = {"hash": HASHES["MD5"](b"192.0.2.7"), "at\n# Title `x` \x1b[31m": "198.51.100.7"}
    file.write_text(json.dumps({ADDRESSES[0]: dict.fromkeys(ADDRESSES[1:3], ADDRESSES[3]), "rows": [pair, pair]}))
    report = audited(file, raw)
    assert report.failed
    for text in (report.to_json(), report.to_markdown()):
        assert not any(address in text for address in ADDRESSES)
        assert "\x1b" not in text
    assert "\n# Title" not in report.to_markdown()
