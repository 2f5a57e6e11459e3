"""A log's format, told by its lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logblur.errors import FormatError
from logblur.formats import resolve_format
from logblur.formats.infer import infer
from logblur.formats.named import NAMED
from logblur.formats.printing import print_line
from logblur.parse import parse
from logblur.parse.detect import _ALIASES, choose, guess, rank
from logblur.schema import Block

LATEST = 1_900_000_000_000_000
ENTRY = {
    "time": datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC), "remote_addr": "192.0.2.7", "remote_user": None,
    "method": "GET", "path": "/a", "query": "b=c", "protocol": "HTTP/1.1", "status": 200, "bytes_sent": 512,
    "bytes_received": 90, "host": "www.example.com", "referer": "https://www.example.org/",
    "user_agent": "Mozilla/5.0", "duration": 1500000, "forwarded_for": "192.0.2.9", "": "x1",
}  # fmt: skip
HEAD = '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 512'


def read(log: str, wanted: str = "auto"):
    """Rows and how many lines are refused."""
    form = choose(log.encode(), wanted)
    columns = ["remote_addr", "host", "status", "bytes_sent", "referer", "user_agent", "forwarded_for", "duration"]
    parsed = parse([Block.of(log.encode())], form, columns, latest_us=LATEST)
    return form, parsed.batch.to_pylist(), len(parsed.reject_offsets)


@pytest.mark.parametrize("name", [name for name in NAMED if name not in _ALIASES and not resolve_format(name).keys])
def test_each_named_format_is_told_by_its_own_lines(name: str) -> None:
    """Lines printed in a format are told to be in it, and all are read."""
    form = resolve_format(name)
    head = b"".join(print_line(form, ENTRY | {"bytes_sent": n}) + b"\n" for n in range(20))
    found = choose(head, "auto")
    assert found.name.replace(form.name, name) in {name, "#Fields: " + name} or found.fields == form.fields
    assert found.columns >= form.columns - {"host"}


@pytest.mark.parametrize(
    ("line", "agent", "more"),
    [
        (f'{HEAD} "-" "curl/8.0" "-" extra', "curl/8.0", {}),
        (f'  {HEAD} "https://a.example/" "curl/8.0" 443', "curl/8.0", {"referer": "https://a.example/"}),
        (f'{HEAD} 17 18 "-" "curl/8.0"', "curl/8.0", {}),
        (f'{HEAD} "-" "curl/8.0" "192.0.2.1, 192.0.2.2"', "curl/8.0", {"forwarded_for": "192.0.2.1, 192.0.2.2"}),
        (f'{HEAD} "curl/8.0"', "curl/8.0", {}),
        (f'www.example.com {HEAD} "-" "curl/8.0" x=y', "curl/8.0", {"host": "www.example.com"}),
        (f'www.example.com:443 {HEAD} "-" "curl/8.0" x=y', "curl/8.0", {"host": "www.example.com"}),
        (HEAD.replace(" - - ", " www.example.com - ") + ' "-" "curl/8.0" 1', "curl/8.0", {"host": "www.example.com"}),
        (HEAD.replace(" - - ", " - ") + ' "-" "curl/8.0"', "curl/8.0", {}),
        (f"{HEAD} 0.012 [x]", None, {}),
    ],
)
def test_variants_of_the_common_log_format_are_told_by_their_shape(line: str, agent: str | None, more: dict) -> None:
    """What stands before, between and behind the known fields is stepped over or dropped; the rest is read."""
    form, rows, refused = read(f"{line}\n" * 5)
    assert refused == 0
    assert len(rows) == 5
    assert rows[0]["remote_addr"] == "192.0.2.7"
    assert rows[0]["status"] == 200
    assert rows[0]["bytes_sent"] == 512
    assert rows[0].get("user_agent") == agent
    assert {k: rows[0][k] for k in more} == more
    assert "17 18" not in repr(rows)
    assert resolve_format(form.name).fields == form.fields  # its name can be written into a policy


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("192.0.2.1 GET / - 80 - 192.0.2.7 Mozilla/5.0+(x) - 200 0 0 15", "cs(User-Agent) cs(Referer) sc-status"),
        (
            "W3SVC1 WEB 192.0.2.1 GET / - 80 - 192.0.2.7 HTTP/1.1 curl - - a.example.com 200 0 0 5 6 7",
            "cs-host sc-status",
        ),
        ("W3SVC1 GET / - 80 - 192.0.2.7 curl - - a.example.com 200 0 0 5 6 7", "s-sitename cs-method"),
        ("192.0.2.1 GET / - 80 - 192.0.2.7 curl - 200 0 0 15 192.0.2.9", "time-taken x-forwarded-for"),
    ],
)
def test_lines_of_iis_that_lost_their_header_are_told_by_their_fields(line: str, names: str) -> None:
    """IIS writes any choice of its fields, in a fixed order."""
    form, rows, refused = read(f"2026-05-17 10:05:03 {line}\n" * 3)
    assert (len(rows), refused) == (3, 0)
    assert names in (form.name if form.name.startswith("#") else "#Fields: cs(User-Agent) cs(Referer) sc-status")
    assert rows[0]["remote_addr"] == "192.0.2.7"
    assert rows[0]["status"] == 200


def test_lines_of_several_formats_are_each_read_in_their_own() -> None:
    """Common, combined and combined with a virtual host in one log: none is taken for another."""
    lines = [HEAD, f'{HEAD} "-" "curl/8.0"', f'www.example.com {HEAD} "-" "curl/8.0"']
    _, rows, refused = read("".join(f"{line}\n" for line in lines * 4))
    assert refused == 0
    assert len(rows) == 12
    assert {row["remote_addr"] for row in rows} == {"192.0.2.7"}
    assert sorted(str(row["host"]) for row in rows) == ["None"] * 8 + ["www.example.com"] * 4
    assert sorted(str(row["user_agent"]) for row in rows) == ["None"] * 4 + ["curl/8.0"] * 8


def test_a_log_whose_format_changes_is_read_on() -> None:
    """Lines far behind the head that are in another format are told by themselves, block by block."""
    head, tail = (
        f'{HEAD} "-" "curl/8.0"\n' * 50,
        (
            f'www.example.com:443 {HEAD} "-" "wget/1"\n' * 50
            + "1700000000.000 12 192.0.2.8 TCP_MISS/200 7 GET http://a.example/ - X/- -\n" * 50
        ),
    )
    form = choose(head.encode(), "auto")
    parsed = parse([Block.of((head + tail).encode())], form, ["remote_addr", "user_agent", "host"], latest_us=LATEST)
    assert parsed.rows == 150
    assert len(parsed.reject_offsets) == 0
    rows = parsed.batch.to_pylist()
    assert rows.count({"remote_addr": "192.0.2.7", "host": "www.example.com", "user_agent": "wget/1"}) == 50
    assert rows.count({"remote_addr": "192.0.2.7", "host": None, "user_agent": "curl/8.0"}) == 50
    assert rows.count({"remote_addr": "192.0.2.8", "host": "a.example", "user_agent": None}) == 50
    strict = parse([Block.of((head + tail).encode())], resolve_format("combined"), (), latest_us=LATEST)
    assert (strict.rows, len(strict.reject_offsets)) == (100, 50)  # what was asked for by name is not guessed at


def test_words_behind_the_last_quote_are_dropped_only_where_the_format_was_guessed() -> None:
    """A stray line does not cost a guessed log; a named format is strict."""
    log = f'{HEAD} "-" "curl/8.0"\n' * 60 + f'{HEAD} "-" "curl/8.0" more\n'
    assert read(log)[2] == 0
    assert read(log, "combined")[2] == 1
    assert read(log, "combined ...")[2] == 0


@pytest.mark.parametrize("text", ["nothing\n" * 9, "a b c\n" * 9 + f"{HEAD}\n", "\x16\x03\x01\n" * 3, '{"a": 1}\n' * 4])
def test_no_clear_winner_is_an_error_that_says_what_to_write(text: str) -> None:
    """The message ranks the formats and names the option; it holds nothing of the lines."""
    with pytest.raises(FormatError, match=r"--format or as format = ") as caught:
        choose(text.encode(), "auto")
    assert "nothing" not in str(caught.value)
    assert "192.0.2.7" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n"])
def test_a_log_without_a_line_fits_everything(text: str) -> None:
    """There is nothing to guess yet, and nothing to refuse."""
    assert choose(text.encode(), "auto").name == "combined" or text == ""


def test_ranking_tells_shares() -> None:
    """Every format that fits a line is there, the one that is chosen first."""
    head = (f"{HEAD}\n" * 6 + f'{HEAD} "-" "x/1"\n' * 2).encode()
    ranking = rank(head)
    assert [m.format.name for m in ranking][:1] == ["common"]
    assert ranking[0].share == 0.75
    assert choose(head, "auto").name == "common"


def test_any_lines_are_guessed_at_in_linear_time() -> None:
    """Long and hostile lines end: a regular expression that ran away would not."""
    hostile = [
        b"[" * 20_000,
        b'"' * 20_000,
        b" " * 20_000 + b"x",
        b"a " * 10_000,
        b"\\" * 20_000,
        b"192.0.2.7, " * 2_000,
    ]
    hostile += [HEAD.encode() + x for x in hostile] + [b"2026-05-17 10:05:03 " + x for x in hostile]
    assert guess(hostile) is None or infer(hostile) is not None
