"""The audit's search: every form of every value is found, in whatever file, and nothing else is."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import re
import sqlite3
import zipfile
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc

import logblur
from logblur.cli import main
from logblur.privacy import search_kernels as kernels
from logblur.privacy.haystack import Haystack, Spans
from logblur.privacy.needles import Clients, Values, forms, trimmed
from logblur.privacy.raw import RawBatch, read_raw
from logblur.privacy.readable import read
from logblur.privacy.report import Verdict
from logblur.privacy.search import Hunt, prepare, search

LINE = '%s - %s [17/May/2026:10:05:%02d +0000] "GET %s HTTP/1.1" 200 5 "%s" "Mozilla/5.0"\n'
SECRET = "198.51.100.77"
EMAIL = "anna.ozola@example.org"

# The kernel against the simplest search there is


def naive(needles: list[bytes], text: bytes) -> list[int]:
    """How often each needle stands in a text with no letter or digit beside it, whatever its case."""
    word = rb"[0-9A-Za-z\x80-\xff]"
    return [
        len(re.findall(rb"(?=(?<!" + word + rb")" + re.escape(n.lower()) + rb"(?!" + word + rb"))", text.lower()))
        for n in needles
    ]


PARTS = st.lists(
    st.sampled_from(
        [
            b"abcdefg",
            b"ABCdefg",
            b"abcdefg.",
            b"ab",
            b"AB",
            b"1",
            b".",
            b"..",
            b"-",
            b"/",
            b"@",
            b"\n",
            b"\xc4\x93",
            b"%41",
        ]
    )
)


def words(texts: list[bytes]) -> list[bytes]:
    """What of texts can be looked for."""
    spans = trimmed(Spans.of(texts))
    return [spans[at] for at in range(len(spans))]


@given(st.lists(PARTS.map(b"".join), max_size=8), PARTS.map(b"".join))
def test_the_kernel_finds_what_a_plain_search_finds(drawn: list[bytes], text: bytes) -> None:
    """Each needle is counted as often as a regular expression finds it between the edges of words."""
    needles = sorted({n for n in words(drawn) if n}, key=lambda n: (n.lower(), n))
    haystack = Haystack(Spans.of(needles))
    found, places = haystack.search(np.frombuffer(text, np.uint8))
    counts = Counter(found.tolist())
    assert haystack.first.tolist() == [
        next(other for other, m in enumerate(needles) if m.lower() == n.lower()) for n in needles
    ]
    distinct = sorted(set(haystack.first.tolist()))
    assert [counts[at] for at in distinct] == naive([needles[at] for at in distinct], text)
    assert set(counts) <= set(distinct)
    for needle, place in zip(found.tolist(), places.tolist(), strict=True):
        assert text[place : place + len(needles[needle])].lower() == needles[needle].lower()


def test_any_number_of_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search goes on where its room was full: nothing is found twice or not at all."""
    text = np.frombuffer(b"abcdefg abcdefg.abcdefg " * 500, np.uint8)
    haystack = Haystack(Spans.of([b"abcdefg", b"abcdefg.abcdefg"]))
    whole = haystack.search(text)
    monkeypatch.setattr("logblur.privacy.haystack._ROOM", kernels.WORDS)
    for one, other in zip(whole, haystack.search(text), strict=True):
        assert one.tolist() == other.tolist()
    assert Counter(whole[0].tolist()) == {0: 1500, 1: 500}


def flagged(needles: list[tuple[bytes, int]], text: bytes) -> Counter[int]:
    """How often each needle with its flags is found."""
    haystack = Haystack(Spans.of(n for n, _ in needles), np.array([flag for _, flag in needles], np.uint8))
    return Counter(haystack.search(np.frombuffer(text, np.uint8))[0].tolist())


def test_case_cells_and_networks() -> None:
    """A needle with regard to case, one that is a whole cell, and one that is no network, each found only so."""
    needles = [(b"MTkyLjAuMi4x", kernels.CASED), (b"3221225985", kernels.ALONE), (b"198.51.100.0", kernels.NO_NETWORK)]
    text = b"mtkyLjAuMi4x MTkyLjAuMi4x\n3221225985\n3221225985 \n198.51.100.0/24 198.51.100.0"
    assert flagged(needles, text) == {0: 1, 1: 1, 2: 1}


def test_of_equal_needles_the_one_with_the_fewest_conditions_is_found() -> None:
    """A user whose name is an address's number is found wherever the name stands, not as a whole cell alone."""
    for order in (1, -1):
        needles = [(b"3221225985", kernels.ALONE), (b"3221225985", 0)][::order]
        assert sum(flagged(needles, b"by 3221225985, later").values()) == 1


def test_a_text_that_is_nearly_a_needle_costs_no_more_than_its_words() -> None:
    """A needle of many words is cut to those that are looked at, so a hostile text is read a fixed number of times."""
    texts = [
        b".".join([b"a"] * 1000),
        b"..short..",
        b"(long enough)",
        b"abcdefgh" + b"-" * 9 + b"ijkl",
        b"abcdefg-\n-h",
    ]
    assert words(texts) == [b".".join([b"a"] * kernels.WORDS), b"", b"long enough", b"abcdefgh", b"abcdefg"]


# Every form, in every kind of file


SPELLINGS = {
    "raw": EMAIL,
    "upper case": EMAIL.upper(),
    "percent": quote(EMAIL, safe=""),
    "all percent": "".join(f"%{byte:02X}" for byte in EMAIL.encode()),
    "hex": EMAIL.encode().hex(),
    "base64": base64.b64encode(EMAIL.encode()).decode(),
    "reversed": EMAIL[::-1],
    "address": SECRET,
    "address in hex": ipaddress.ip_address(SECRET).packed.hex(),
    "address as a number": str(int(ipaddress.ip_address(SECRET))),
    "longer address": "2001:0db8:0000:0000:0000:0000:0000:00ab",
    "user": "secretuser",
    "query value": "mysearchterm",
    "cookie of a referrer's query": "theirtoken",
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of one client with everything, and of twelve clients with a word that they share."""
    log = tmp_path_factory.mktemp("raw") / "raw.log"
    log.write_text(
        LINE % (SECRET, "secretuser", 1, f"/a?mail={EMAIL}&q=mysearchterm", "https://example.org/?t=theirtoken")
        + LINE % ("2001:db8::ab", "-", 2, "/", "-")
        + "".join(LINE % (f"192.0.2.{k}", "-", k, "/?q=commonword", "-") for k in range(12))
    )
    return log


@pytest.fixture(scope="module")
def hunt(raw: Path) -> Hunt:
    """What is searched for after that log, under a threshold of ten."""
    return prepare([str(raw)], wanted="auto", enough=10)


def write(folder: Path, kind: str, value: str) -> Path:
    """A file of some kind with a value in it."""
    match kind:
        case "parquet":
            pq.write_table(pa.table({"a": ["x", value, "y"]}), folder / "out.parquet")
        case "parquet, plain":
            pq.write_table(pa.table({"a": ["x" * 50, value, "y" * 65]}), folder / "out.parquet", use_dictionary=False)
        case "parquet by another name":
            pq.write_table(pa.table({"a": ["x", value, "y"]}), folder / "part-0000")
        case "arrow":
            table = pa.table({"a": ["x", value, "y"]})
            with ipc.new_file(folder / "out.bin", table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as f:
                f.write_table(table)
        case "csv":
            (folder / "out.csv").write_text(f"a,b\nx,1\n{value},2\n")
        case "csv, quoted":
            (folder / "out.csv").write_text(f'a,b\n"x ""1""",1\n"y, {value}""",2\n"{value}",3\n')
        case "json":
            (folder / "out.json").write_text(json.dumps({"hosts": [{"name": value}]}))
        case "json lines":
            (folder / "out.jsonl").write_text('{"a": 1}\n' + json.dumps({"a": value}) + "\n")
        case "log, packed":
            (folder / "out.log.gz").write_bytes(gzip.compress(f"{value}\n".encode()))
        case "database":
            with sqlite3.connect(folder / "out.db") as db:
                db.execute("CREATE TABLE t (a TEXT, b INTEGER)")
                db.execute("INSERT INTO t VALUES (?, 7)", (value,))
            db.close()
        case "file name":
            (folder / value.replace("/", "_")).write_text("nothing")
    return folder


KINDS = [
    "parquet",
    "parquet, plain",
    "csv",
    "csv, quoted",
    "json",
    "json lines",
    "log, packed",
    "database",
    "file name",
]


CELLS = KINDS[:6]
"""Kinds that have cells: an address as a number is looked for in these alone."""


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [(spelling, kind) for spelling in SPELLINGS for kind in (CELLS if spelling == "address as a number" else KINDS)],
)
def test_every_form_is_found_in_every_kind_of_file(spelling: str, kind: str, hunt: Hunt, tmp_path: Path) -> None:
    """What is published in any form fails the search; a number only as a cell of a table."""
    out = tmp_path / "out"
    out.mkdir()
    assert search("s", out, hunt).verdict is Verdict.PASSED
    result = search("s", write(out, kind, SPELLINGS[spelling]), hunt)
    assert result.verdict is Verdict.FAILED
    said = f"{result.summary} {result.details}"
    if kind != "file name":  # that is the place itself
        assert SPELLINGS[spelling].lower() not in said.lower()


def test_a_word_of_many_is_listed(raw: Path, tmp_path: Path) -> None:
    """A value in lines of twelve clients fails nothing under ten, and fails under twenty."""
    out = write(tmp_path, "csv", "commonword") / "out.csv"
    found = search("s", out, prepare([str(raw)], wanted="auto", enough=10))
    assert (found.verdict, "listed" in found.details[0]) == (Verdict.PASSED, True)
    assert search("s", out, prepare([str(raw)], wanted="auto", enough=20)).verdict is Verdict.FAILED


def test_fields_are_taken_together(tmp_path: Path) -> None:
    """A query value of one client that stands in the paths of many is of no one's."""
    log = tmp_path / "raw.log"
    log.write_text(
        LINE % (SECRET, "-", 1, "/?q=opening-hours", "-")
        + "".join(LINE % (f"192.0.2.{k}", "-", k, "/opening-hours", "-") for k in range(12))
    )
    out = write(tmp_path, "csv", "/opening-hours") / "out.csv"
    assert search("s", out, prepare([str(log)], wanted="auto", enough=10)).verdict is Verdict.PASSED


def test_numbers_in_measures_are_no_addresses(hunt: Hunt, tmp_path: Path) -> None:
    """A sum that happens to be an address's number is none; the same in another column is one."""
    number = int(ipaddress.ip_address(SECRET))
    for name, verdict in (("bytes", Verdict.PASSED), ("client", Verdict.FAILED)):
        pq.write_table(pa.table({name: [number]}), tmp_path / "out.parquet")
        assert search("s", tmp_path / "out.parquet", hunt).verdict is verdict


def test_values_that_no_row_uses_are_found(hunt: Hunt, tmp_path: Path) -> None:
    """An entry of a dictionary that no row uses, and one that statistics or metadata keep, are seen."""
    spare = pa.DictionaryArray.from_arrays(pa.array([1, 1]), pa.array([EMAIL, "x"]))
    pq.write_table(pa.table({"a": spare}), tmp_path / "spare.parquet")
    assert search("s", tmp_path / "spare.parquet", hunt).verdict is Verdict.FAILED
    pq.write_table(pa.table({"a": ["x"]}).replace_schema_metadata({"note": EMAIL}), tmp_path / "meta.parquet")
    assert search("s", tmp_path / "meta.parquet", hunt).verdict is Verdict.FAILED


def test_damaged_files_are_searched_all_the_same(hunt: Hunt, tmp_path: Path) -> None:
    """A Parquet file cut short, a CSV of ragged lines and JSON that is none raise nothing and hide nothing."""
    pq.write_table(pa.table({"a": [EMAIL]}), tmp_path / "whole.parquet", compression="none")
    data = (tmp_path / "whole.parquet").read_bytes()
    for name, content in (
        ("cut.parquet", data[:-9]), ("ragged.csv", f"a,b\n1\n1,2,3\n{EMAIL}\n".encode()),
        ("half.json", f'{{"a": "{EMAIL}"'.encode()), ("deep.json", b"[" * 100_000 + EMAIL.encode()),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert search("s", tmp_path / name, hunt).verdict is Verdict.FAILED, name


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("compression", ["none", "zstd", "snappy"])
def test_every_page_is_unpacked(compression: str, dictionary: bool, version: str, tmp_path: Path) -> None:
    """Of text no cell is read a second time: every page was taken apart, a value a line; numbers stand in cells."""
    values = [f"value-{k % 300}-{'x' * (k % 130)}" for k in range(4000)]
    table = pa.table({"a": [None, *values], "n": [None, *range(4000)], "none": pa.nulls(4001, pa.string())})
    pq.write_table(
        table, tmp_path / "t.parquet", compression=compression, use_dictionary=dictionary,
        data_page_version=version, row_group_size=1500, data_page_size=4096,
    )  # fmt: skip
    found = list(read(tmp_path / "t.parquet"))
    assert not any(piece.hides for piece in found)
    cells = {piece.place.partition("column ")[2] for piece in found if "column " in piece.place}
    assert cells <= {"n", "none", ""}
    pages = b"\n".join(piece.text.tobytes() for piece in found if "page of a" in piece.place)
    assert set(values) <= {line.decode("latin-1") for line in pages.split(b"\n")}


def test_what_cannot_be_unpacked_fails(hunt: Hunt, tmp_path: Path) -> None:
    """An archive, and a packed Parquet file that is damaged, may hold anything, so the search does not pass them."""
    out = tmp_path / "out"
    out.mkdir()
    with zipfile.ZipFile(out / "a.bin", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", EMAIL)
    found = search("s", out, hunt)
    assert (found.verdict, found.figures["found"], found.figures["hidden"]) == (Verdict.FAILED, 0, 1)
    assert "a.bin: cannot be unpacked" in found.details[0]
    (out / "a.bin").unlink()
    pq.write_table(pa.table({"a": [EMAIL] * 99}), out / "a.parquet", compression="zstd")
    (out / "a.parquet").write_bytes((out / "a.parquet").read_bytes()[:-9])
    assert search("s", out, hunt).figures["hidden"] == 1


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=kernels.SHORTEST, max_size=40)


def oracle(text: str) -> dict[str, list[str]]:
    """The forms of a value that is one word or more, by the standard library."""
    raw = text.encode()
    return {
        "raw": [text],
        "reversed": [raw[::-1].decode("latin-1")],
        "hex": [raw.hex()],
        "percent": [quote(raw, safe=""), "".join(f"%{byte:02x}" for byte in raw)],
        "base64": [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()],
    }


@given(st.lists(TEXTS, max_size=5))
def test_every_form_of_any_value_is_found(values: list[str]) -> None:
    """Whatever the value, each form that the standard library gives it is found where it stands on a line."""
    gathered = Values()
    gathered.kinds = dict.fromkeys(values, "query value")
    needles = forms(gathered.spans(), gathered.addresses())
    for value in gathered.kinds:
        for form, texts in oracle(value).items():
            for text in texts:
                data = text.encode("latin-1" if form == "reversed" else "utf-8")
                found, _ = needles.haystack.search(np.frombuffer(b"\n" + data + b"\n", np.uint8))
                assert len(found) or not words([data])[0], (form, text)


@pytest.mark.parametrize(
    "text", ["192.0.2.77", "2001:db8::1:0:77", "2001:db8::c0a8:102", "::ffff:192.0.2.77", "fe80::1"]
)
def test_every_form_of_an_address(text: str) -> None:
    """Each form of an address that the standard library gives is found; a mapped one as what it maps."""
    gathered = Values()
    gathered.kinds = {text: "address"}
    needles = forms(gathered.spans(), gathered.addresses())
    address = ipaddress.ip_address(text)
    address = getattr(address, "ipv4_mapped", None) or address
    for wanted in (
        str(address),
        address.exploded,
        address.packed.hex(),
        str(int(address)),
        base64.b64encode(text.encode()).decode(),
    ):
        assert len(needles.haystack.search(np.frombuffer(f"\n{wanted}\n".encode(), np.uint8))[0]) == (
            len(words([wanted.encode()])[0]) >= kernels.SHORTEST
        ), wanted


@pytest.mark.parametrize("enough", [1, 3, 100])
def test_clients_are_counted_as_sets_count_them(enough: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Over batches and fields each value has the clients that plain sets give it, up to enough; its table grows."""
    monkeypatch.setattr("logblur.privacy.needles._PAIRS", 256)
    random = np.random.default_rng(3)
    rows = [(f"198.51.{a // 250}.{a % 250}", f"value{v:04}") for a, v in random.integers(0, 2000, (6000, 2)).tolist()]
    log = tmp_path / "raw.log"
    log.write_text("".join(LINE % (a, "-", 1, f"/{rows[k - 1][1]}?q={v}", "-") for k, (a, v) in enumerate(rows)))
    monkeypatch.setattr("logblur.privacy.raw.ROWS", 1000)
    batches: list[RawBatch] = list(read_raw([str(log)]))
    values = Values()
    for batch in batches:
        values.gather(batch)
    clients = Clients(Haystack(values.spans()), enough)
    for batch in batches:
        clients.count(batch)
    expected: dict[str, set[str]] = {}
    for k, (a, v) in enumerate(rows):
        for value in (v, rows[k - 1][1], a):
            expected.setdefault(value, set()).add(a)
    assert dict(zip(values.kinds, clients.counts.tolist(), strict=True)) == {
        value: min(enough, len(expected[value])) for value in values.kinds
    }


# The command


def test_a_published_folder_passes_and_the_raw_log_fails(project: Path, tmp_path: Path, capsys) -> None:
    """What `run` publishes of the sample logs holds nothing of them; the logs themselves hold it all."""
    logs = str(project / "sample_logs")
    logblur.run(logs, tmp_path / "out", state=tmp_path / "state")
    words = ["audit", str(tmp_path / "out"), "--raw", logs, "--state", str(tmp_path / "state")]
    assert main([*words, "--report", str(tmp_path / "report")]) == 0
    out = capsys.readouterr().out
    assert "search of the output      passed" in out
    assert "search of the state       passed" in out
    assert json.loads((tmp_path / "report" / "audit.json").read_text())["failed"] is False
    assert (tmp_path / "report" / "audit.md").read_text().startswith("# Audit of")
    assert main(["audit", logs, "--raw", logs, "--report", str(tmp_path / "report")]) == 6
    assert json.loads((tmp_path / "report" / "audit.json").read_text())["failed"] is True


def test_what_is_not_given_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without raw logs and state nothing fails; a report inside what is published is refused; so is no path."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.csv").write_text("a\n1\n")
    assert main(["audit", str(tmp_path / "out")]) == 0
    assert "search of the output      not run" in capsys.readouterr().out
    assert main(["audit", str(tmp_path / "out"), "--report", str(tmp_path / "out" / "r")]) == 2
    assert main(["audit", str(tmp_path / "none")]) == 4
