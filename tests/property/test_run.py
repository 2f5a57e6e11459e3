"""The main job on small random logs: what it publishes depends on the lines alone, and equals a plain computation."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import logblur
from logblur import load_policy
from logblur.errors import PolicyError
from logblur.policy import Policy
from logblur.policy.load import builtin_text, decode
from logblur.policy.resolve import YIELDS, resolve
from logblur.schema import KEY_TYPES
from logblur.summary import Summary
from tests import oracle

START = oracle.utc("2026-03-28T19:00:00")  # a change of the clock in Riga within the next thirty-six hours
NOW = oracle.utc("2026-03-31T12:00:00")
ZONE = ZoneInfo("Europe/Riga")

CLIENTS = [
    *(f"192.0.2.{n}" for n in range(9)), "::ffff:192.0.2.3", "::FFFF:c000:0204", "2001:db8:0:100::1",
    "2001:db8:0:1ff::2", "2001:0db8:0000:0200::1", "host.example.net", "-", "192.0.2.08", "fe80::1%eth0", "",
]  # fmt: skip
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "curl/8.5.0", "-", "",
    "(odd) \\\"x\\\"",
]  # fmt: skip
REQUESTS = [
    "GET / HTTP/1.1", "GET /a?q=1 HTTP/1.1", "GET /b/17 HTTP/2.0", "GET /b/18 HTTP/2.0", "GET /(x)/y HTTP/1.1",
    "GET /style.css HTTP/1.1", "GET /report.pdf HTTP/1.1", "GET /data/report.PDF?x HTTP/1.1", "HEAD / HTTP/1.0",
    "POST /a HTTP/1.1", "BREW /pot HTTP/1.1", "-", "", "GET http://www.example.com/a#b HTTP/1.1", "\\x16\\x03\\x01",
    "GET /caf\u00e9 HTTP/1.1", "GET /\\xff HTTP/1.1", "get / HTTP/1.1",
]  # fmt: skip
STATUSES = [200, 200, 200, 206, 304, 301, 404, 500, 100, 999]
REFERRERS = [
    "-", "", "https://www.google.com/", "https://duckduckgo.com/?q=x", "https://www.example.com/a",
    "https://blog.example.org/x", "https://user:pw@news.example.co.uk:8443/", "http://192.0.2.99/", "nonsense",
]  # fmt: skip
HOSTS = ["www.example.com:443", "example.org:80", "192.0.2.1:80", "WWW.Example.COM.:443"]
ODD = [b"", b"# a comment", b"\0" * 9, b"junk", b'192.0.2.1 - - [31/Foo/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1']


@st.composite
def logs(draw: st.DrawFn, *, most: int = 120) -> list[bytes]:
    """Lines of vhost_combined format, each different; a few of them odd."""
    seed = draw(st.randoms(use_true_random=False))
    clients = seed.sample(CLIENTS, draw(st.integers(2, len(CLIENTS))))
    requests = seed.sample(REQUESTS, draw(st.integers(1, 6)))
    agents = seed.sample(AGENTS, draw(st.integers(1, 4)))
    hosts = seed.sample(HOSTS, draw(st.integers(1, len(HOSTS))))
    lines = []
    for n in range(draw(st.integers(1, most))):
        time = START + timedelta(minutes=seed.randrange(36 * 60))
        line = (
            f"{seed.choice(hosts)} {seed.choice(clients)} - - [{oracle.clf(time).decode()}]"
            f' "{seed.choice(requests)}" {seed.choice(STATUSES)} {1000 + n}'
            f' "{seed.choice(REFERRERS)}" "{seed.choice(agents)}"'
        )
        lines.append(line.encode() if seed.random() > 0.02 else seed.choice(ODD))
    return lines


def policy_of(k: int, **replaced: str) -> Policy:
    """The default policy with another threshold, for logs of a few clients and many rejects."""
    text = builtin_text("audience").replace("min_clients = 10", f"min_clients = {k}")
    text = text.replace("max_rejects = 0.05", "max_rejects = 1.0").replace('"auto"', '"vhost_combined"')
    for old, new in replaced.items():
        text = text.replace(old, new)
    return decode(text.encode())


POLICIES = {k: policy_of(k) for k in (2, 3, 5)}
THRESHOLDS = st.sampled_from(sorted(POLICIES))


def repeated(purpose: str, size: int) -> bytes:
    """A key source that gives the same bytes for the same purpose."""
    return hashlib.shake_256(purpose.encode()).digest(size)


@contextmanager
def place() -> Iterator[Path]:
    """A folder for logs, OUT and state."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def joined(lines: Sequence[bytes]) -> bytes:
    """Lines as a log."""
    return b"".join(line + b"\n" for line in lines)


def run(folder: Path, policy: Policy, *paths: Path, workers: int = 1, now: datetime = NOW) -> Summary:
    """Run into the folder's OUT."""
    return logblur.run(
        paths, folder / "out", policy=policy, state=folder / "state", workers=workers, clock=lambda: now, keys=repeated
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of OUT."""
    out = folder / "out"
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def reference(lines: Sequence[bytes], policy: Policy) -> dict[str, bytes]:
    """OUT after one undisturbed run over one plain log."""
    with place() as folder:
        (folder / "log").write_bytes(joined(lines))
        run(folder, policy, folder / "log")
        return contents(folder)


def few(share: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A share of the profile's examples: each of these runs the whole program, some several times."""
    return settings(
        max_examples=max(settings.default.max_examples // share, 5),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a log is made by one seed: there is little to shrink
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        deadline=None,
    )


@few(1)
@given(logs(), THRESHOLDS)
def test_every_table_equals_a_plain_computation(lines: list[bytes], k: int) -> None:
    """Rows are those of dicts and sets, in order; they add up to the universe, and none is under k clients."""
    policy = POLICIES[k]
    hits = [hit for line in lines if (hit := oracle.hit(_without_port(line), ZONE, vhost=True))]
    with place() as folder:
        (folder / "log").write_bytes(joined(lines))
        summary = run(folder, policy, folder / "log")
        published = oracle.published(folder / "out")
    assert summary.rows == len(hits)
    assert summary.lines == len(lines)
    assert summary.rows + summary.directives + sum(summary.rejects.values()) == summary.lines
    wanted = [oracle.Table(t.name, t.where, t.by, t.min_clients) for t in policy.tables]
    assert oracle.tables(hits, wanted) == published
    for (name, day), rows in published.items():
        table = next(t for t in wanted if t.name == name)
        universe = oracle.judged((h for h in hits if h.day.isoformat() == day), table)
        if rows:
            assert sum(row["requests"] for row in rows) == len(universe)
            assert sum(row["bytes"] for row in rows) == sum(h.bytes for h in universe)
        for row in rows:
            named = {c: row[c] for c in table.by if row[c] not in (None, "(other)")}
            inside = {h.client for h in universe if all(h.keys[c] == value for c, value in named.items())}
            assert len(inside) >= k
            assert k <= row["visitors"] <= row["requests"]


def _without_port(line: bytes) -> bytes:
    host, space, rest = line.partition(b" ")
    return host.partition(b":")[0] + space + rest


@few(3)
@given(logs(), THRESHOLDS, st.data())
def test_order_files_workers_and_compression_change_no_byte(lines: list[bytes], k: int, data: st.DataObject) -> None:
    """However the lines are dealt out to files, in whatever order and by however many workers: OUT is the same."""
    expected = reference(lines, POLICIES[k])
    shuffled = data.draw(st.permutations(lines))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=3)))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    with place() as folder:
        paths = []
        for n, piece in enumerate(p for p in pieces if p):
            # a log is known by its bytes: two of odd lines alone could be one, so each begins with its number
            text = b"# %d\n" % n + joined(piece)
            paths.append(folder / f"log{n}")
            paths[-1].write_bytes(gzip.compress(text) if data.draw(st.booleans()) else text)
        apart = data.draw(st.booleans())
        for group in [[p] for p in paths] if apart else [data.draw(st.permutations(paths))]:
            run(folder, POLICIES[k], *group, workers=data.draw(st.integers(1, 3)))
        assert contents(folder) == expected


@few(6)
@given(logs(), THRESHOLDS)
def test_a_second_run_changes_nothing(lines: list[bytes], k: int) -> None:
    """Run again over the same logs, under new names and compressed: nothing counts, no file is written."""
    with place() as folder:
        (folder / "log").write_bytes(joined(lines))
        run(folder, POLICIES[k], folder / "log")
        before = contents(folder)
        times = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file()}
        (folder / "log").rename(folder / "log.1")
        (folder / "log.2.gz").write_bytes(gzip.compress(joined(lines)))
        again = run(folder, POLICIES[k], folder / "log.1", folder / "log.2.gz", workers=2)
        assert (again.rows, again.rejects) == (0, {})
        if any(line.strip() and not line.startswith(b"#") for line in lines):  # header lines alone make no log known
            assert (again.lines, again.logs_known) == (0, 2)
        assert contents(folder) == before
        assert {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file()} == times


@few(4)
@given(logs(), THRESHOLDS, st.data())
def test_a_growing_log_counts_as_a_whole_one(lines: list[bytes], k: int, data: st.DataObject) -> None:
    """Runs while a log is written, wherever the writer stands, end in what one run over the whole of it gives."""
    whole = joined(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    with place() as folder:
        for cut in [*cuts, len(whole)]:
            (folder / "log").write_bytes(whole[:cut])
            run(folder, POLICIES[k], folder / "log", workers=2)
        assert contents(folder) == reference(lines, POLICIES[k])


@few(6)
@given(logs(), logs(most=30), THRESHOLDS)
def test_late_lines_change_no_published_byte(lines: list[bytes], late: list[bytes], k: int) -> None:
    """Once its days are sealed, lines that come late are counted as late and change no table."""
    with place() as folder:
        (folder / "log").write_bytes(joined(lines))
        rows = run(folder, POLICIES[k], folder / "log").rows
        published = oracle.published(folder / "out")
        run(folder, POLICIES[k], folder / "log", now=NOW + timedelta(days=9))
        sealed = {name: data for name, data in contents(folder).items() if name.endswith(".parquet")}
        assert oracle.published(folder / "out") == published
        assert not list((folder / "state" / "keys").glob("*.key"))
        (folder / "late").write_bytes(joined([b"# late", *lines[: len(lines) // 2 + 1]]))
        summary = run(folder, POLICIES[k], folder / "late", now=NOW + timedelta(days=9))
        assert summary.late == summary.rows <= rows
        assert {name: data for name, data in contents(folder).items() if name.endswith(".parquet")} == sealed


def test_strict_publishes_once_when_sealed() -> None:
    """A policy that publishes sealed days alone writes nothing before, and nothing after."""
    policy = load_policy("strict")
    lines = [
        f'198.51.{n}.1 - - [{oracle.clf(START + timedelta(minutes=n)).decode()}] "GET / HTTP/1.1" 200 {n} "-"'
        f' "{AGENTS[0]}"'.encode()
        for n in range(200)
    ]
    with place() as folder:
        (folder / "log").write_bytes(joined(lines[:150]))
        run(folder, policy, folder / "log")
        assert list(contents(folder)) == ["_logblur/manifest.json"]
        (folder / "log").write_bytes(joined(lines))
        run(folder, policy, folder / "log", now=NOW + timedelta(hours=23))
        assert list(contents(folder)) == ["_logblur/manifest.json"]
        run(folder, policy, folder / "log", now=NOW + timedelta(hours=24))
        tables = oracle.published(folder / "out")
        assert tables["traffic", "2026-03-28"][0]["requests"] == 180  # the rest is the next day, which came later
        assert ("traffic", "2026-03-29") not in tables
        before = {name: data for name, data in contents(folder).items() if name.endswith(".parquet")}
        run(folder, policy, folder / "log", now=NOW + timedelta(days=30))
        assert before.items() <= contents(folder).items()
        before = contents(folder)
        run(folder, policy, folder / "log", now=NOW + timedelta(days=60))
        assert contents(folder) == before


FIELDS = {
    "remote_addr": [
        '{ method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }', '{ method = "pseudonym" }',
        '{ method = "keep", reason = "test" }', '{ method = "drop" }',
    ],
    "remote_user": ['{ method = "pseudonym" }', '{ method = "drop" }'],
    "time": ['{ method = "hour" }', '{ method = "day" }', '{ method = "keep", reason = "test" }'],
    "host": ['{ method = "keep", reason = "test" }', '{ method = "drop" }'],
    "method": ['{ method = "keep", reason = "test" }'],
    "path": ['{ method = "template", query = "drop" }'],
    "status": ['{ method = "class" }', '{ method = "keep", reason = "test" }'],
    "bytes_sent": ['{ method = "keep", reason = "test" }'],
    "referer": ['{ method = "domain" }'],
    "user_agent": ['{ method = "family" }'],
}  # fmt: skip
UNIVERSE_FIELDS = {"all": (), "human": ("user_agent",), "page": ("path", "status", "user_agent")}


@st.composite
def policies(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """A policy of some fields, and tables of any columns, that its fields may or may not yield."""
    named = draw(st.sets(st.sampled_from(sorted(FIELDS)))) | {"time"}
    fields = {name: draw(st.sampled_from(FIELDS[name])) for name in sorted(named)}
    text = 'version = 1\nname = "t"\npurpose = "t"\nlegal_basis = "public-task"\nretention = "1 year"\n'
    text += '[input]\nformat = "vhost_combined"\nmax_rejects = 1.0\n[fields]\n'
    text += "".join(f"{name} = {rule}\n" for name, rule in fields.items())
    for n in range(draw(st.integers(1, 3))):
        by = draw(st.lists(st.sampled_from(sorted(KEY_TYPES)), min_size=1, max_size=3, unique=True))
        measures = ["requests", "visitors", *(["bytes"] if "bytes_sent" in fields else [])]
        where = draw(st.sampled_from(sorted(UNIVERSE_FIELDS)))
        text += f'[[table]]\nname = "t{n}"\nwhere = "{where}"\nby = {by}\nmeasures = {measures}\nmin_clients = 2\n'
    return fields, text


@few(1)
@given(policies(), logs(most=20))
def test_a_field_that_is_not_named_leaves_nothing(made: tuple[dict[str, str], str], lines: list[bytes]) -> None:
    """For any policy: it is refused, or every column of OUT and of scan comes from fields that it names."""
    fields, text = made
    policy = decode(text.replace("'", '"').encode())
    try:
        plan = resolve(policy)
    except PolicyError:
        return
    named = {name for name, rule in fields.items() if "drop" not in rule.replace('query = "drop"', "")}
    allowed = {column for column, needs in YIELDS.items() if set(needs) <= named}
    assert set(plan.columns) <= allowed
    with place() as folder:
        (folder / "log").write_bytes(joined(lines))
        run(folder, policy, folder / "log")
        for (name, _), rows in oracle.published(folder / "out").items():
            table = next(t for t in policy.tables if t.name == name)
            assert {column for row in rows for column in row} <= {*table.by, *table.measures}
            assert set(table.by) <= allowed
        columns = set(logblur.scan(folder / "log", policy=policy).collect().columns)
    identifiers = {n for n in ("remote_addr", "remote_user") if "pseudonym" in fields.get(n, "") + fields.get(n, "")}
    identifiers |= {"remote_addr"} if "keep" in fields.get("remote_addr", "") else set()
    identifiers |= {"time"} if "keep" in fields.get("time", "") else set()
    assert columns <= {"date"} | allowed | identifiers | ({"bytes"} if "bytes_sent" in named else set())


def test_a_day_keeps_the_plan_it_opened_with() -> None:
    """A policy that changes while a day is open holds for the days that open later; the open one stays as it was."""
    lines = [
        b'www.example.com:443 192.0.2.%d - - [%b] "GET / HTTP/1.1" 200 %d "-" "%b"'
        % (n, oracle.clf(START + timedelta(hours=h)), 1000 + n, AGENTS[0].encode())
        for h in (0, 12)
        for n in range(9)
    ]
    with place() as folder:
        (folder / "log").write_bytes(joined(lines[:5]))
        run(folder, POLICIES[2], folder / "log")
        (folder / "log").write_bytes(joined(lines))
        run(folder, POLICIES[5], folder / "log", workers=2)
        pages = {day: rows for (name, day), rows in oracle.published(folder / "out").items() if name == "pages"}
        assert {day: rows[0]["requests"] for day, rows in pages.items()} == {"2026-03-28": 9, "2026-03-29": 9}
        manifest = (folder / "out" / "_logblur" / "manifest.json").read_text()
        assert [line.count('"k": 2') for line in manifest.splitlines() if '"2026-' in line] == [9, 0]


def test_a_missing_field_is_one_value_beside_any_other() -> None:
    """``-`` and an empty field are the same client, whatever bytes stand in other lines of the batch."""
    line = b'www.example.com:443 %b - - [28/Mar/2026:19:00:00 +0000] "GET / HTTP/1.1" 200 %d "-" "%b"'
    clients = [b"-", b"", b"a.example", b"b.example"]
    for odd in (b"c.example", b"\xc3\xa4.example"):
        lines = [line % (c, n, AGENTS[0].encode()) for n, c in enumerate([*clients, odd])]
        with place() as folder:
            (folder / "log").write_bytes(joined(lines))
            run(folder, POLICIES[5], folder / "log")
            assert oracle.published(folder / "out")["pages", "2026-03-28"] == []


@pytest.mark.parametrize("most", [0, 1])
def test_a_log_of_nothing_but_odd_lines(most: int) -> None:
    """Logs without a single row publish nothing and are no error, as long as no share of rejects is."""
    with place() as folder:
        (folder / "log").write_bytes(joined(ODD[: 2 + 3 * most]))
        summary = run(folder, POLICIES[2], folder / "log")
        assert (summary.rows, summary.errors) == (0, ())
        assert list(contents(folder)) == ["_logblur/manifest.json"]
