"""`logblur filter` as a process: in pipes, under signals, and in the place of files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from logblur.cli import main
from logblur.filtering import filter_logs
from logblur.filtering.streams import _Job
from logblur.policy.plan import KEY_SIZE
from logblur.protect.addresses import ENCRYPTED

LINE = b'192.0.2.7 - anna [17/May/2026:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 5 "https://www.example.org/x" "x"\n'
SAID = b'192.0.0.0 - - [17/May/2026:13:00:00 +0300] "GET /a HTTP/1.0" 200 5 "https://example.org/" "bot (bot; other)"\n'
OTHER, OTHER_SAID = LINE.replace(b"192.0.2.7", b"198.51.100.7"), SAID.replace(b"192.0.", b"198.51.")


def process(*args, cache=None, **options):
    """A filter that reads a pipe and writes one."""
    environment = os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    return subprocess.Popen(
        [sys.executable, "-m", "logblur", "filter", *args],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, bufsize=0, **options,
    )  # fmt: skip


def test_a_line_comes_out_before_the_next_goes_in():
    """Each line is answered while the pipe stays open; a partial one waits until it is whole; the end ends with 0."""
    with process() as running:
        for _ in range(3):
            running.stdin.write(LINE)
            assert running.stdout.readline() == SAID
        running.stdin.write(OTHER[:40])
        running.stdin.write(OTHER[40:] + LINE[:20])
        assert running.stdout.readline() == OTHER_SAID
        running.stdin.write(LINE[20:-1])
        running.stdin.close()
        assert running.stdout.read() == SAID
        assert running.wait() == 0
        assert running.stderr.read() == b"logblur: 5 lines (combined)\n"


def test_the_first_line_does_not_wait_for_compilation(tmp_path):
    """Without compiled kernels a line comes out before any is compiled, by the reference."""
    with process(cache=tmp_path) as running:
        running.stdin.write(LINE)
        assert running.stdout.readline() == SAID
        compiled = [path.name for path in tmp_path.rglob("*.nbc")]
        assert not any("splice" in name for name in compiled)
        running.kill()


METHODS = {"drop": 0, "truncate": 0, "pseudonym": 16} | {method: KEY_SIZE[method] for method in ENCRYPTED}
HEAD = """
version = 1
name = "x"
purpose = "x"
legal_basis = "contract"
retention = "1 day"
[fields]
"""
WITH_METHOD = """
time = {{ method = "minute" }}
path = {{ method = "template" }}
referer = {{ method = "domain" }}
user_agent = {{ method = "family" }}
bytes_sent = {{ method = "bucket" }}
remote_user = {{ method = "pseudonym", reason = "x" }}
http_x_note = {{ method = "keep", reason = "x" }}
remote_addr = {{ method = "{}"{} }}
"""
ADDRESSES = """
time = { method = "keep", reason = "x" }
status = { method = "keep", reason = "x" }
bytes_sent = { method = "bucket" }
remote_addr = { method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }
"""
KEPT = 'method = { method = "keep", reason = "x" }\n'
NOTED = LINE.replace(b'"x"', b'"curl/8.0" "by 203.0.113.9, 2001:db8::7"')


def with_method(method):
    """A policy that treats addresses so, and other fields in ways that a line can print."""
    more = ', key = "k", reason = "x"' if method in KEY_SIZE else ", ipv4_prefix = 16, ipv6_prefix = 32"
    text = HEAD + WITH_METHOD.format(method, "" if method == "drop" else more)
    return text + '[keys]\nk = { env = "LOGBLUR_FIRST" }\n' * (method in KEY_SIZE)


def test_the_first_line_of_an_encrypting_pipe_does_not_wait_either(tmp_path, monkeypatch):
    """Encrypted under a key too, it comes out long before the kernels of its cipher are compiled."""
    monkeypatch.setenv("LOGBLUR_FIRST", "0123456789abcdef" * 2)
    (tmp_path / "policy.toml").write_text(with_method("ipcrypt-nd"))
    with process("-p", tmp_path / "policy.toml", cache=tmp_path) as running:
        running.stdin.write(LINE)
        assert re.match(rb"[0-9a-f]{48} - ", running.stdout.readline())
        assert not any("kiasu" in path.name for path in tmp_path.rglob("*.nbc"))
        running.kill()


def test_the_reference_needs_no_kernel(tmp_path):
    """Whatever becomes of addresses, alone and within kept text, lines are printed without one kernel compiled."""
    code = (
        "import json, sys\n"
        "from logblur.filtering.keys import Keyring\n"
        "from logblur.filtering.lines import Filter\n"
        "from logblur.formats import resolve_format\n"
        "from logblur.policy.load import decode\n"
        "from logblur.policy.resolve import resolve\n"
        'form = resolve_format(\'%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Note}i"\')\n'
        "for policy, size in json.loads(sys.argv[1]):\n"
        "    keys = Keyring({'k': bytes(range(size))})\n"
        "    one = Filter(form, resolve(decode(policy.encode())), keys, rejects='sweep', latest_us=1 << 60)\n"
        "    print(len(one.lines(sys.argv[2].encode() * 2 + b'junk from 203.0.113.9\\n')))\n"
    )
    policies = [(with_method(method), size) for method, size in METHODS.items()]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(policies), NOTED.decode()],
        check=True, timeout=60, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.stdout == "6\n" * len(policies)
    assert [path.name for path in tmp_path.rglob("*.nbc")] == []


def test_a_policy_that_keeps_no_text_loads_nothing_that_knows_texts(tmp_path):
    """Addresses cut and nothing else kept but numbers: neither detectors nor user agents nor ciphers are imported."""
    (tmp_path / "log").write_bytes(LINE)
    heavy = ["pyarrow.compute", "cryptography", "ua_parser", "logblur.classify"]
    heavy += [f"logblur.protect.{name}" for name in ("detect", "paths", "door", "sayings")]
    code = (
        "import json, sys; from logblur.cli import _WithoutPandas, main; sys.meta_path.insert(0, _WithoutPandas);"
        "code = main(['filter', *sys.argv[1:3]]);"
        "print([name for name in json.loads(sys.argv[3]) if name in sys.modules]); sys.exit(code)"
    )
    for policy, loaded in ((HEAD + ADDRESSES, "[]"), (HEAD + ADDRESSES + KEPT, "pyarrow.compute")):
        (tmp_path / "policy.toml").write_text(policy)
        words = [f"-p{tmp_path / 'policy.toml'}", str(tmp_path / "log"), json.dumps(heavy)]
        done = subprocess.run([sys.executable, "-c", code, *words], check=True, timeout=60, capture_output=True)
        assert b"192.0.0.0 - " in done.stdout
        assert loaded in done.stdout.decode().splitlines()[-1]


def test_sigterm_writes_what_came_and_ends_with_0():
    """What was written into the pipe before the signal comes out; the exit code is 0."""
    with process() as running:
        running.stdin.write(LINE)
        assert running.stdout.readline() == SAID
        running.stdin.write(OTHER)
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read() == OTHER_SAID
        assert running.wait() == 0


def test_a_broken_pipe_ends_quietly():
    """When nobody reads on, it ends with 0 and says nothing."""
    with process("-q") as running:
        running.stdout.close()
        running.stdin.write(LINE * 100)
        assert running.wait() == 0
        assert running.stderr.read() == b""


def test_junk_before_the_format_is_known_is_not_passed_on():
    """Lines that fit no format wait until the format is told, and are dropped then."""
    with process() as running:
        running.stdin.write(b"junk from 203.0.113.9\n")
        running.stdin.write(LINE + LINE)
        running.stdin.close()
        assert running.stdout.read() == SAID * 2
        assert running.wait() == 0


def test_what_has_no_format_is_refused():
    """Without a format that fits, nothing is printed and the exit code is 2."""
    with process() as running:
        running.stdin.write(b"junk from 203.0.113.9\n")
        running.stdin.close()
        assert running.stdout.read() == b""
        assert running.wait() == 2
        assert b"203.0.113" not in running.stderr.read()


def test_a_line_longer_than_the_limit_is_dropped_and_costs_no_neighbour():
    """A megabyte without a newline is one line that is dropped; the lines around it are printed."""
    with process() as running:
        out, _ = running.communicate(LINE + b"x" * (1 << 20) + b"\n" + OTHER)
        assert out == SAID + OTHER_SAID


def test_no_line_is_too_late_for_a_pipe_that_runs_for_months(tmp_path, capfd):
    """A line dated years ahead of the start is printed: a filter outlives the day it began on."""
    log = tmp_path / "log"
    log.write_bytes(LINE.replace(b"/2026:", b"/2199:"))
    assert main(["filter", str(log)]) == 0
    assert capfd.readouterr().out.startswith("192.0.0.0 - - [17/May/2199:")


def test_a_time_that_no_calendar_writes_is_dropped(tmp_path, capfd):
    """Seconds of millions of years are no time of a line, and end nothing."""
    log = tmp_path / "log"
    log.write_bytes(
        b'192.0.2.1 99999999999999.1 "GET / HTTP/1.1" 200 5\n192.0.2.1 1778925903.1 "GET / HTTP/1.1" 200 5\n'
    )
    form = '$remote_addr $msec "$request" $status $body_bytes_sent'
    assert main(["filter", "--format", form, str(log)]) == 0
    assert capfd.readouterr().out == '192.0.0.0 1778925600 "GET / HTTP/1.0" 200 5\n'


def test_error_logs_are_swept():
    """`--format text` replaces addresses, in any spelling, and e-mail addresses; the rest stands."""
    text = (
        b'2026/05/17 10:05:03 [error] 7#7: *1 x, client: 203.0.113.9, host: "a.example"\n'
        b"[client 203.0.113.9:51] b@c.example\n"
    )
    with process("--format", "text") as running:
        out, _ = running.communicate(text)
    assert out == b'2026/05/17 10:05:03 [error] 7#7: *1 x, client: {ip}, host: "a.example"\n[client {ip}] {email}\n'


PACK = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
UNPACK = {
    "plain": bytes,
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zst": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
}


@pytest.mark.parametrize("kind", PACK)
def test_files_are_replaced_as_they_were_packed(kind, tmp_path, capfd):
    """Compression, mode and time stay, nothing else is left in the folder; printed to stdout the lines are the same."""
    log = tmp_path / "access.log"
    log.write_bytes(PACK[kind]((LINE + OTHER) * 1000))
    log.chmod(0o640)
    os.utime(log, ns=(10**18, 10**18 + 7))
    assert main(["filter", str(log)]) == 0
    assert capfd.readouterr().out.encode() == (SAID + OTHER_SAID) * 1000
    assert main(["filter", "--in-place", str(log)]) == 0
    assert UNPACK[kind](log.read_bytes()) == (SAID + OTHER_SAID) * 1000
    assert (log.stat().st_mode & 0o777, log.stat().st_mtime_ns) == (0o640, 10**18 + 7)
    assert [path.name for path in tmp_path.iterdir()] == ["access.log"]


def test_a_file_that_is_written_to_is_not_replaced(tmp_path, monkeypatch):
    """A log that grew meanwhile stays as it is, and the error says what to do."""
    log = tmp_path / "access.log"
    log.write_bytes(LINE)
    write = _Job._write

    def grows(self, *args):
        write(self, *args)
        with log.open("ab") as more:
            more.write(OTHER)

    monkeypatch.setattr(_Job, "_write", grows)
    assert main(["filter", "--in-place", str(log)]) == 4
    assert log.read_bytes() == LINE + OTHER
    assert [path.name for path in tmp_path.iterdir()] == ["access.log"]


def test_a_damaged_archive_is_not_replaced(tmp_path):
    """A truncated archive stays as it is: exit 4, nothing left beside it."""
    log = tmp_path / "access.log.gz"
    log.write_bytes(before := gzip.compress(os.urandom(5000).hex().encode() + b"\n" + LINE * 50)[:-9])
    assert main(["filter", "--in-place", "--format", "combined", str(log)]) == 4
    assert log.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["access.log.gz"]


def test_a_file_with_another_name_is_not_replaced(tmp_path):
    """The other name would keep the raw lines."""
    log = tmp_path / "access.log"
    log.write_bytes(LINE)
    (tmp_path / "other").hardlink_to(log)
    assert main(["filter", "--in-place", str(log)]) == 4
    assert log.read_bytes() == LINE


@pytest.mark.parametrize(
    "args",
    [["--in-place"], ["--in-place", "-"], ["--rejects", "keep"], ["--format", "nonsense"], ["-p", "nosuch.toml"]],
)
def test_what_cannot_be_done_is_said(args, capfd):
    """Wrong options and contradictions end with 2 before a byte is read."""
    assert main(["filter", *args]) == 2
    assert capfd.readouterr().out == ""


def test_a_method_that_a_line_cannot_print_is_refused(tmp_path, capfd):
    """A policy that drops the time cannot be printed: exit 2, and the key is named."""
    policy = Path(tmp_path / "p.toml")
    policy.write_text(
        'version = 1\nname = "x"\npurpose = "x"\nlegal_basis = "contract"\nretention = "1 day"\n'
        '[fields]\nhost = { method = "drop" }\n'
    )
    log = tmp_path / "log"
    log.write_bytes(LINE)
    assert main(["filter", "-p", str(policy), str(log)]) == 2
    assert "fields.time" in capfd.readouterr().err


def test_a_full_disk_is_an_output_error():
    """What cannot be written ends with 5."""
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            [sys.executable, "-m", "logblur", "filter"], stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE
        ) as running,
    ):
        running.communicate(LINE * 10)
        assert running.returncode == 5


def test_the_library_call_tells_what_it_did(tmp_path):
    """Counts of lines, and the formats."""
    log = tmp_path / "log"
    log.write_bytes(LINE * 3 + b"junk\n")
    read, write = os.pipe()
    summary = filter_logs([str(log)], output=write)
    os.close(write)
    assert os.read(read, 1 << 16) == SAID * 3
    assert (summary.lines, summary.dropped, summary.swept, summary.formats) == (4, 1, 0, ("combined",))
    assert summary.nulled == {}


def test_what_cannot_be_said_is_counted_by_field(tmp_path, capfd):
    """From a file and through a pipe the summary says of which fields nothing could be said, and how often."""
    lost = LINE.replace(b"192.0.2.7", b"host.example.com").replace(b"www.example.org", b"203.0.113.9")
    said = (
        "logblur: 5 lines (combined)\n"
        "logblur: 2 lines whose referrer is no site of the web\n"
        "logblur: 2 lines whose client is no address\n"
    )
    (tmp_path / "log").write_bytes((LINE + lost) * 2 + LINE)
    assert main(["filter", str(tmp_path / "log")]) == 0
    assert sorted(capfd.readouterr().err.splitlines()) == sorted(said.splitlines())
    with process(cache=tmp_path) as running:
        _, err = running.communicate((LINE + lost) * 2 + LINE)
    assert sorted(err.decode().splitlines()) == sorted(said.splitlines())
