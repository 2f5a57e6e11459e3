"""No token planted in a line comes out of it: not in OUT, not in names, not on stderr, not in an exception.

Every token stands in lines of more than three times k clients, so that thresholds alone cannot hide it; the controls
publish one on purpose, or switch the protector off, and must see it found.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import logblur
from logblur.cli import main
from logblur.errors import LogblurError
from logblur.policy import Policy
from logblur.policy.load import builtin_text, decode
from logblur.protect import door, paths
from tests import search
from tests.oracle import clf, utc

NOON = utc("2026-05-17T12:00:00")
K = 10
PEOPLE = 3 * K + 5
CARD = "4539578763621486"  # passes Luhn's check, belongs to nobody
CODE = "170526-17265"
UUID = "3f2b8c1e-7d54-4a09-9e61-b2c4d8f0a713"

# What is planted where. Letters alone unless the place is about digits: what looks like an identifier must go, and a
# word that only its owner knows to be one must go with the part of the line that it stands in.
TOKENS = {
    "address of one": "203.0.113.201",
    "ident": "qidentwaldmeister",
    "user": "quserbirkenpilz",
    "query name": "qnameholunderbeere",
    "query value": "qvaluepreiselbeere",
    "fragment": "qfragmentsanddorn",
    "referrer user": "qrefuserschlehe",
    "referrer password": "qrefpasskornelkirsche",
    "referrer subdomain": "qrefsubberberitze",
    "referrer path": "qrefpathhagebutte",
    "referrer query": "qrefquerymispel",
    "agent comment": "qagentebereschenbaum",
    "agent product": "Qagentproductquitte",
    "path mail": "qmailvogelbeere",
    "path uuid": UUID,
    "path address": "198.51.100.77",
    "path card": CARD,
    "path code": CODE,
    "path parameter": "qparamzwetschge",
    "path query inside": "qinsidemirabelle",
    "method": "QMETHODHASELNUSS",
    "protocol": "qprotocolbuche",
    "host user": "qhostuserlinde",
    "host address": "198.51.100.78",
    "search words": "qsearcheichel",
}


def lines(tokens: dict[str, str], people: int = PEOPLE) -> Iterator[bytes]:
    """Lines of vhost_combined format with every token in lines of ``people`` clients, and plain ones beside them."""
    t = tokens
    browser = f"Mozilla/5.0 (X11; Linux x86_64; {t['agent comment']}; rv:140.0) Gecko/20100101 Firefox/140.0"
    made_up = f"{t['agent product']}/1.2 ({t['agent comment']})"
    site, own = "www.example.com", "https://www.example.com/"
    referrer = (
        f"https://{t['referrer user']}:{t['referrer password']}@{t['referrer subdomain']}.example.org:8443"
        f"/{t['referrer path']}?{t['referrer query']}=1#{t['fragment']}"
    )
    engine = f"https://www.google.com/search?q={t['search words']}"
    requests = [
        (site, f"GET /news?{t['query name']}={t['query value']}#{t['fragment']} HTTP/1.1", 200, referrer, browser),
        (site, "GET /found HTTP/1.1", 200, engine, browser),
        (site, f"GET /u/{t['path mail']}@example.com/x HTTP/1.1", 200, own, browser),
        (site, f"GET /u/{t['path mail']}%40example.com/y HTTP/1.1", 200, own, browser),
        (site, f"GET /u/{t['path uuid']}/edit HTTP/1.1", 200, own, browser),
        (site, f"GET /ip/{t['path address']} HTTP/1.1", 200, own, browser),
        (site, f"GET /ip/{t['path address'].replace('.', '%2E')} HTTP/1.1", 200, own, browser),
        (site, f"GET /card/{t['path card']} HTTP/1.1", 200, own, browser),
        (site, f"GET /code/{t['path code']} HTTP/1.1", 404, own, browser),
        (site, f"GET /s;jsessionid={t['path parameter']} HTTP/1.1", 200, own, browser),
        (site, f"GET /s%3Fq={t['path query inside']} HTTP/1.1", 200, own, browser),
        (site, f"GET /get/{t['path uuid']}.pdf HTTP/1.1", 200, own, browser),
        (site, f"{t['method']} /news HTTP/1.1", 405, "-", browser),
        (site, f"POST /news {t['protocol']}/1.1", 400, "-", browser),
        (f"{t['host user']}@{site}", "GET /news HTTP/1.1", 200, "-", browser),
        (t["host address"], "GET /news HTTP/1.1", 200, "-", browser),
        (site, "GET /bot HTTP/1.1", 200, "-", f"Googlebot/2.1 (+http://www.google.com/bot.html; {t['agent comment']})"),
        (site, "GET /made-up HTTP/1.1", 200, "-", made_up),
        (site, "GET /none HTTP/1.1", 200, "-", "-"),
    ]
    for n in range(people):
        client = f"203.0.{n}.{n + 1}" if n else t["address of one"]
        for host, request, status, where, agent in requests:
            time = clf(NOON + timedelta(seconds=n)).decode()
            yield (
                f'{host}:443 {client} {t["ident"]} {t["user"]} [{time}] "{request}" {status} 512 "{where}" "{agent}"\n'
            ).encode()


def publish(folder: Path, log: Iterable[bytes], policy: str | Policy = "audience") -> Path:
    """Run over a log; OUT."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "access.log").write_bytes(b"".join(log))
    out = folder / "out"
    logblur.run(folder / "access.log", out, policy=policy, state=folder / "state")
    return out


def rows(out: Path) -> int:
    """Rows of all tables."""
    return sum(pq.ParquetFile(path).metadata.num_rows for path in out.glob("*/*/*.parquet"))


def test_no_token_of_any_field_is_in_out(tmp_path: Path) -> None:
    """None of the planted tokens can be read out of OUT, in any spelling, though every table publishes rows."""
    out = publish(tmp_path, lines(TOKENS))
    assert search.found(TOKENS.values(), search.readable(out)) == set()
    text = b"".join(data for _, data in search.readable(out))
    for word in (b"/u/{email}/x", b"{uuid}", b"/ip/{ip}", b"/card/{card}", b"example.org", b"Google", b"Firefox"):
        assert word in text  # their lines were published
    for table in ("traffic", "pages", "downloads", "errors", "clients", "search_engines", "referrers", "networks"):
        assert any(pq.ParquetFile(p).metadata.num_rows for p in out.glob(f"{table}/*/*.parquet")), table


def test_strict_keeps_less(tmp_path: Path) -> None:
    """A policy without the host, the path and the agent publishes nothing of them, not even of many clients."""
    policy = builtin_text("strict").replace('publish = "sealed"', 'publish = "open"')
    head = policy[: policy.index("[[table]]")]
    for field in ("host", "path", "referer", "user_agent"):
        start = head.index(f"\n{field} ") + 1
        head = head[:start] + head[head.index("\n", start) + 1 :]
    table = '[[table]]\nname = "t"\nwhere = "all"\nby = ["status"]\nmeasures = ["requests", "visitors", "bytes"]\n'
    out = publish(tmp_path, lines(TOKENS), decode(f"{head}{table}min_clients = {K}\n".encode()))
    assert rows(out) == 4
    secrets = ["www.example.com", "example.org", "/news", "Firefox", "Googlebot", "200.0", *TOKENS.values()]
    assert search.found(secrets, search.readable(out)) == set()


def test_a_token_published_on_purpose_is_found(tmp_path: Path) -> None:
    """Control: a word in a path stays by the policy, and the search finds it where readers do."""
    plain = [line.replace(b"/news?", b"/qpublishedholler?") for line in lines(TOKENS)]
    hits = search.found(["qpublishedholler"], search.readable(publish(tmp_path, plain)))
    places = {place.split("/")[0] for _, _, place in hits}
    kinds = {place.split(" ")[1] for _, _, place in hits if " " in place}
    assert places == {"pages"}
    assert {"values", "dictionary"} <= kinds
    assert {how for _, how, _ in hits} == {"raw"}


@pytest.mark.parametrize(
    "protector, seen",
    [
        ("template", {"path mail", "path uuid", "path address", "path card", "path code", "path parameter"}),
        ("sites", {"host user", "host address"}),
        ("networks", {"address of one"}),
    ],
)
def test_without_the_protector_the_token_is_found(
    protector: str, seen: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: with one protector switched off, the same search over the same lines finds what it protected."""
    if protector == "networks":  # each address stands for itself: one client must then have what k have
        same = "203.0.113.201"
        monkeypatch.setattr(door, protector, lambda found, **_: pa.array([same] * len(found.family), pa.string()))
    else:
        home = paths if protector == "template" else door
        monkeypatch.setattr(home, protector, lambda *given: pc.fill_null(given[0], "(none)").cast(pa.string()))
    out = publish(tmp_path, lines(TOKENS))
    found = {token for token, _, _ in search.found(TOKENS.values(), search.readable(out))}
    assert {TOKENS[name] for name in seen} <= found


def test_a_removed_value_stays_in_a_dictionary_page() -> None:
    """Control: a filtered dictionary column carries the removed value into the file, and the search sees it there."""
    words = pa.array([f"kept{n * n}" for n in range(300)] + ["qremovedwacholder"])
    table = pa.table({"c": words.dictionary_encode()}).filter(pc.not_equal(words, "qremovedwacholder"))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="gzip", compression_level=9)
    data = sink.getvalue().to_pybytes()
    assert b"qremovedwacholder" not in data  # compressed: searching the file proves nothing
    places = {place for _, _, place in search.found(["qremovedwacholder"], search.parquet(data))}
    assert "dictionary page of c" in places
    assert search.found(["qremovedwacholder"], [("file", data)]) == set()


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["zstd", "snappy", "gzip", "none"])
def test_the_search_reads_every_page(version: str, codec: str) -> None:
    """Control: a value is found in plain and dictionary pages of both versions, whatever compresses them."""
    words = [f"qword{n:05d}kiefer" for n in range(3000)]
    for dictionary in (True, False):
        sink = pa.BufferOutputStream()
        table = pa.table({"a": words, "n": np.arange(3000)})
        pq.write_table(
            table, sink, compression=codec, data_page_version=version, use_dictionary=dictionary, data_page_size=4096
        )
        hits = search.found([words[0], words[1700], words[-1]], search.parquet(sink.getvalue().to_pybytes()))
        pages = {(token, place) for token, _, place in hits if "page of a" in place}
        assert len(pages) == 3


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=6, max_size=40))
@settings(max_examples=30)
def test_the_search_knows_every_spelling(token: str) -> None:
    """Control: each spelling of any token is found wherever it stands among other bytes."""
    import base64

    raw = token.encode()
    spelled = [raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), token.encode("utf-16-le")]
    for before in range(4):
        spelled += [base64.b64encode(b"\xa5" * before + raw + b"\x11\x99")]
    for text in spelled:
        assert search.found([token], [("here", b"\0\xff" + text + b"\x80~")])


FAILURES = {
    "no format": lambda log: b"".join(line.replace(b'" "', b"|").replace(b" [", b" {") for line in log),
    "too many rejects": lambda log: b"".join(
        line if n % 3 else line.replace(b"[17", b"[99") for n, line in enumerate(log)
    ),
    "unclosed": lambda log: b"".join(line if n % 3 else line[: len(line) // 2] + b"\n" for n, line in enumerate(log)),
    "damaged": lambda log: b"\x1f\x8b\x08" + b"".join(log),
    "long": lambda log: b"".join(log) + b"x".join(log).replace(b"\n", b" ") + b"\n",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_is_said_of_a_line(failure: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever fails, neither stderr nor an exception, its context, traceback or repr quotes the log."""
    log = tmp_path / "access.log"
    log.write_bytes(FAILURES[failure](list(lines(TOKENS))))
    code = main(["run", str(log), "-o", str(tmp_path / "out"), "--state", str(tmp_path / "state")])
    assert (code == 0) == (failure == "long")
    main(["inspect", str(log)])
    said = capfd.readouterr()
    texts = [said.out, said.err]
    try:
        summary = logblur.run(log, tmp_path / "out2", state=tmp_path / "state2")
        errors: list[BaseException] = list(summary.errors)
        texts.append(repr(summary))
    except LogblurError as error:
        errors = [error]
    for error in errors:
        texts += [repr(error), str(error), *traceback.format_exception(error), repr(error.__context__)]
    assert search.found(TOKENS.values(), [("said", text.encode()) for text in texts]) == set()


def test_a_bug_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that is nobody's own, with a log's bytes in its message, is told by type and place alone."""
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(lines(TOKENS)))

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(TOKENS["user"])

    monkeypatch.setattr("logblur.classify.classify", broken)
    assert main(["run", str(log), "-o", str(tmp_path / "out"), "--state", str(tmp_path / "state")]) == 1
    said = capfd.readouterr()
    assert "RuntimeError" in said.err
    assert TOKENS["user"] not in said.out + said.err


def test_the_state_keeps_no_value_in_the_clear(tmp_path: Path) -> None:
    """While a day is open its partials are encrypted: no token and no published word can be read in the state."""
    publish(tmp_path, lines(TOKENS))
    state = [(str(p), p.read_bytes()) for p in (tmp_path / "state").rglob("*") if p.is_file()]
    assert len(state) > 3
    words = [*TOKENS.values(), "/news", "example.org", "Firefox", "203.0.0.0/16"]
    assert search.found(words, state) == set()


def test_a_sealed_state_keeps_nothing(tmp_path: Path) -> None:
    """After sealing there is no key and no partial left."""
    publish(tmp_path, lines(TOKENS))
    later = utc("2099-01-01T00:00:00")
    logblur.run(tmp_path / "access.log", tmp_path / "out", state=tmp_path / "state", clock=lambda: later)
    assert list((tmp_path / "state" / "keys").iterdir()) == []
    assert list((tmp_path / "state" / "partials").iterdir()) == []
    assert search.found(TOKENS.values(), search.readable(tmp_path / "out")) == set()
