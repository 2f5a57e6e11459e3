"""The whole room: columns only added, once per distinct value, shared by threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from logblur.classify import NOT_LOGGED, Agent, Memory, classify, memory
from logblur.classify.files import kinds
from logblur.placeholders import NONE
from logblur.policy.plan import Pages

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)


def text(values: list[str | None], codes: list[int]) -> pa.DictionaryArray:
    """Return a text column as parsing yields it."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(values, pa.large_string()))


def batch(**columns: pa.Array) -> pa.RecordBatch:
    """Return a batch of these columns."""
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def test_columns_are_only_added() -> None:
    """Input columns stay as they are, new ones share their indices and have no nulls."""
    given = batch(
        user_agent=text(["curl/7.1", None, CHROME, "curl/7.1"], [0, 1, 2, 3, 2]),
        referer_host=text(["www.google.com", "203.0.113.7:80", None], [0, 1, 2, 2, 1]),
        path=text(["/a.PDF", "/b/c.css", "/x", None], [0, 1, 2, 3, 0]),
        host=text(["www.example.co.uk:80", None], [0, 0, 0, 0, 1]),
        status=pa.array([200, 200, 304, 404, 200], pa.int16()),
    )
    found = classify(given, site="", memory=Memory())
    assert found.select(given.schema.names).equals(given)
    added = [
        *Agent._fields,
        "referrer_domain",
        "search_engine",
        "social_network",
        "ai_service",
        "own_domain",
        "file_kind",
    ]
    assert found.schema.names == [*given.schema.names, *added]
    for name in added:
        assert found.schema.field(name).type == pa.dictionary(pa.int32(), pa.string())
        assert found[name].dictionary.null_count == 0
    assert found["os"].indices.buffers()[1].address == given["user_agent"].indices.buffers()[1].address
    assert found["agent"].to_pylist() == ["bot", "bot", "human", "bot", "human"]
    assert found["bot"].to_pylist() == ["curl", NONE, NONE, "curl", NONE]
    assert found["bot_class"].to_pylist() == ["library", "other", NONE, "library", NONE]
    assert found["browser_major"].to_pylist() == ["7", NONE, "120", "7", "120"]
    assert found["referrer_domain"].to_pylist() == ["google.com", NONE, NONE, NONE, NONE]
    assert found["search_engine"].to_pylist() == ["Google", NONE, NONE, NONE, NONE]
    assert found["own_domain"].to_pylist() == ["example.co.uk"] * 4 + [NONE]
    assert found["file_kind"].to_pylist() == ["download", "asset", "page", "page", "download"]


@pytest.mark.parametrize(("site", "domain"), [("www.example.org", "example.org"), ("", NONE), ("203.0.113.7", NONE)])
def test_a_format_without_host_has_the_site_s_domain(site: str, domain: str) -> None:
    """Where no host is logged the site's domain stands in every row, also in none."""
    for rows in (0, 3):
        found = classify(batch(path=text(["/"], [0] * rows)), site=site, memory=Memory())
        assert found["own_domain"].to_pylist() == [domain] * rows


def test_what_is_not_logged_is_not_added() -> None:
    """Without a user agent there are no columns of it: the caller takes the rows for people."""
    found = classify(batch(status=pa.array([200], pa.int16())), site="", memory=Memory())
    assert found.schema.names == ["status", "own_domain"]
    assert NOT_LOGGED.agent == "human"
    assert set(NOT_LOGGED[1:]) == {NONE}


def test_a_sliced_column_keeps_its_rows() -> None:
    """A slice of a batch is classified as its rows, whatever the buffers below."""
    given = batch(user_agent=text(["curl/7.1", CHROME], [0, 1, 1, 0])).slice(1, 2)
    assert classify(given, site="", memory=Memory())["agent"].to_pylist() == ["human", "human"]


def test_an_agent_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learnt, in the background or by another batch, is not learnt again."""
    known = Memory()
    known.learn("user_agent", [CHROME, "curl/7.1", CHROME])
    monkeypatch.setattr(known.agents, "_describe", None)
    found = classify(batch(user_agent=text([CHROME, "curl/7.1"], [0, 1])), site="", memory=known)
    assert found["agent"].to_pylist() == ["human", "bot"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of agents is forgotten and still classified as before."""
    monkeypatch.setattr(memory, "LIMIT", 100)
    known = Memory()
    for start in range(0, 1000, 20):
        agents = [f"curl/{n}" for n in range(start, start + 20)]
        found = classify(batch(user_agent=text(list(agents), list(range(20)))), site="", memory=known)
        assert set(found["bot"].to_pylist()) == {"curl"}
        assert found["browser_major"].to_pylist() == [str(n) for n in range(start, start + 20)]
        assert len(known.agents._codes) <= 120
        assert len(known.agents._rows) <= 121
    known.learn("user_agent", (f"wget/{n}" for n in range(10_000)))
    assert len(known.agents._codes) <= 120


def test_threads_share_a_memory() -> None:
    """Workers that classify at once, while another thread learns, get what one alone gets."""
    agents = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in range(400)]
    known = Memory()

    def work(shift: int) -> list[str]:
        codes = [(n + shift) % len(agents) for n in range(len(agents))]
        return classify(batch(user_agent=text(list(agents), codes)), site="", memory=known)["browser_major"].to_pylist()

    with ThreadPoolExecutor(4) as pool:
        learning = pool.submit(known.learn, "user_agent", agents)
        for shift, found in enumerate(pool.map(work, range(8))):
            assert found == [str((n + shift) % len(agents)) for n in range(len(agents))]
        learning.result()


def test_nothing_is_shown_of_what_is_remembered() -> None:
    """The text of a memory names no agent and no host."""
    known = Memory()
    known.learn("user_agent", ["secret-agent/1"])
    assert "secret" not in repr(known) + repr(known.agents)


def test_importing_the_room_imports_no_parser() -> None:
    """The rules and libraries load on first use, so that a run with nothing new does not wait for them."""
    late = "polars ua_parser ua_parser_rs publicsuffixlist"
    code = f"import sys, logblur.classify; print([m for m in '{late}'.split() if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "page"),
        ("/index.html", "page"),
        ("/a.b/c", "page"),
        ("/report.pdf", "download"),
        ("/REPORT.PDF", "download"),
        ("/x.tar.gz", "download"),
        ("/x.mp3", "download"),
        ("/app.apk", "download"),
        ("/favicon.ico", "asset"),
        ("/style.css;v=1", "asset"),
        ("/a.pdf/b", "page"),
        ("/a.js.map", "asset"),
        ("/.pdf", "download"),
        ("pdf", "page"),
        ("/x.pdfx", "page"),
        ("/feed.xml", "page"),
        ("/robots.txt", "page"),
        ("/f.woff2", "asset"),
        ("/a\n.css", "asset"),
        ("/a.css\n", "page"),
        ("." * 100_000, "page"),
        ("/" + "a." * 100_000 + "zip", "download"),
        ("", "page"),
        (None, "page"),
    ],
)
def test_kinds_of_files(path: str | None, kind: str) -> None:
    """The extension of the last segment tells pages, parts of pages and downloads apart."""
    assert kinds(text([path], [0])).to_pylist() == [kind]


def test_no_files_at_all() -> None:
    """No paths, no kinds."""
    assert kinds(text([], [])).to_pylist() == []


@pytest.mark.parametrize(
    ("path", "sent", "kind"),
    [
        ("/get?id=3", "application/pdf", "download"),
        ("/get", "Application/Octet-Stream", "download"),
        ("/get", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "download"),
        ("/get", "video/mp4", "download"),
        ("/get", "text/csv; charset=utf-8", "download"),
        ("/file.php", "application/zip", "download"),
        ("/wiki/File:Cat.jpg", "text/html; charset=utf-8", "page"),
        ("/report.pdf", "text/html", "page"),
        ("/report.pdf", "application/octet-stream", "download"),
        ("/font.woff2", "application/octet-stream", "asset"),
        ("/thumb", "image/webp", "asset"),
        ("/v1/items", "application/json", "asset"),
        ("/v1/items", "application/problem+json", "asset"),
        ("/feed", "application/rss+xml", "page"),
        ("/notes", "text/plain", "page"),
        ("/notes.csv", "text/plain", "download"),
        ("/report.pdf", None, "download"),
        ("/x", "junk", "page"),
        ("/x", "../../etc/passwd", "page"),
        (None, "application/pdf", "download"),
        ("/api/a", "application/pdf", "asset"),
        ("/take/a", "text/html", "download"),
    ],
)
def test_content_types_tell_where_names_do_not(path: str | None, sent: str | None, kind: str) -> None:
    """The policy decides before HTML, HTML before the extension, that before another type, and nothing is a page."""
    pages = Pages(assets=("^/api/",), downloads=("^/take/",))
    assert kinds(text([path], [0]), text([sent], [0]), pages).to_pylist() == [kind]
    assert kinds(text([path, "/a.css"], [1, 0, 1]), text([None, sent], [0, 1, 1]), pages).to_pylist()[1] == kind
