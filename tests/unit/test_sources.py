"""Finding and opening logs: what is read, what is refused, and that nothing is refused in silence."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import threading
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from logblur.errors import InputError
from logblur.schema import PAD
from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log, find_logs, printable
from logblur.sources.open import LogContent, open_log

LINES = b"".join(b"192.0.2.%d - - [10/Nov/2026] request %d\n" % (i % 250, i * i) for i in range(400))


def zstd(data: bytes) -> bytes:
    """One frame with a checksum of its own content size."""
    return bytes(pa.compress(data, "zstd", asbytes=True))


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def read_all(content: LogContent, **sizes: int) -> bytes:
    """Every line that is handed out, segment after segment."""
    reader = BlockReader(content, **sizes)
    found = []
    while not reader.at_end:
        while block := reader.read():
            found.append(block.data[: block.size].tobytes())
        reader.next_segment()
    return b"".join(found)


def read_file(path: Path) -> bytes:
    """Every line of a file."""
    with open_log(Log(path)) as content:
        return read_all(content)


# find


def test_a_folder_stands_for_its_files_sorted_without_hidden_ones(tmp_path: Path) -> None:
    """A folder gives the regular files in and below it in order; hidden, backup and special files are no logs."""
    for name in ("b.log", "a.log.gz", "sub/c.log", ".hidden", "d.log~", ".git/config", "sub/z"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    found = [log.path.relative_to(tmp_path).as_posix() for log in find_logs([str(tmp_path)]) if log.path]
    assert found == ["a.log.gz", "b.log", "sub/c.log", "sub/z"]


def test_a_glob_is_expanded_without_a_shell(tmp_path: Path) -> None:
    """A pattern gives its matches in order, folders among them their files."""
    (tmp_path / "x").mkdir()
    for name in ("access.log.2", "access.log.1", "x/access.log", "other"):
        (tmp_path / name).touch()
    found = find_logs([f"{tmp_path}/acc*", f"{tmp_path}/[x]"])
    assert [log.path.name for log in found if log.path] == ["access.log.1", "access.log.2", "access.log"]


def test_a_file_named_like_a_pattern_is_itself(tmp_path: Path) -> None:
    """A name that exists is not taken for a glob."""
    (tmp_path / "a[1].log").touch()
    assert find_logs([f"{tmp_path}/a[1].log"]) == [Log(tmp_path / "a[1].log")]


def test_each_log_is_found_once(tmp_path: Path) -> None:
    """The same file by another name, by either kind of link or in its folder, is one log; so is standard input."""
    log = tmp_path / "a.log"
    log.touch()
    (tmp_path / "soft").symlink_to(log)
    os.link(log, tmp_path / "hard")
    names = ["-", str(log), str(tmp_path / "soft"), "-", f"{tmp_path}/./a.log", str(tmp_path)]
    assert find_logs(names) == [Log(None), Log(log)]


@pytest.mark.parametrize("pattern", ["", "missing", "missing*", "empty", "empty/*", "dangling"])
def test_what_is_missing_or_empty_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """A missing file, an empty folder and a glob without a match are errors that name what was asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"^$|check") as caught:
        find_logs([pattern])
    assert caught.value.exit_code == 4
    assert caught.value.source == pattern


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing below a folder is passed over because it may not be listed."""
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="closed: the folder cannot be listed"):
        find_logs([str(tmp_path)])


def test_names_are_shown_without_control_characters() -> None:
    """Escape sequences, line breaks, bidirectional controls and undecodable bytes are escaped, letters not."""
    assert printable("ē\x1b[31m\n\u202e\udcff") == "ē\\x1b[31m\\n\\u202e\\xff"
    assert Log(Path("a\rb")).name == "a\\rb"
    assert Log(None).name == "standard input"


# open


@pytest.mark.parametrize("kind", ARCHIVES)
def test_compression_is_told_by_content(tmp_path: Path, kind: str) -> None:
    """An archive is recognised whatever its name, and concatenated members are one log."""
    path = tmp_path / "access.log.txt"
    compress = ARCHIVES[kind]
    path.write_bytes(compress(LINES[:100]) + compress(b"") + compress(LINES[100:]))
    with open_log(Log(path)) as content:
        assert content.kind == kind
        assert read_all(content) == LINES


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_zero_padding_is_tolerated(tmp_path: Path, kind: str) -> None:
    """Zero bytes after a member, as tapes and block devices leave them, are no damage."""
    path = tmp_path / "log"
    compress = ARCHIVES[kind]
    path.write_bytes(compress(LINES) + bytes(300_000) + compress(LINES) + bytes(12))
    assert read_file(path) == LINES * 2


def test_skippable_zstd_frames_are_skipped(tmp_path: Path) -> None:
    """Frames that hold metadata, as parallel compressors write first, are not part of the log."""
    path = tmp_path / "log"
    path.write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0size" + zstd(LINES))
    assert read_file(path) == LINES


@pytest.mark.parametrize("name", ["\x1f\x8b.example.net", "BZh9.example.net", "(\xb5.example.net", "\xfd7zXZ.example"])
def test_a_line_that_begins_like_an_archive_is_a_line(tmp_path: Path, name: str) -> None:
    """A client's host name cannot make a plain log look like an archive."""
    path = tmp_path / "log"
    path.write_bytes(name.encode("latin-1") + b" - - []\n")
    assert read_file(path) == path.read_bytes()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_truncated_archive_is_never_taken_for_a_whole_one(tmp_path: Path, kind: str) -> None:
    """Cut anywhere, an archive is an error; only within its signature it is an unfinished line of text."""
    path = tmp_path / "log"
    data = ARCHIVES[kind](LINES[:2000])
    for end in range(1, len(data)):
        path.write_bytes(data[:end])
        with open_log(Log(path)) as content:
            reader = BlockReader(content)
            if content.kind == "plain":
                assert (reader.read(), reader.waiting, reader.offset) == (None, True, 0)
                assert end < 10
            else:
                with pytest.raises(InputError, match="ends too early"):
                    list(iter(reader.read, None))


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_second_member_cut_short_is_an_error(tmp_path: Path, kind: str) -> None:
    """Neither a truncated nor a foreign second member ends a log in silence."""
    path = tmp_path / "log"
    whole = ARCHIVES[kind](LINES)
    for tail in (whole[:-3], whole[:5], b"203.0.113.9 - - appended in plain\n" * 9):
        path.write_bytes(whole + tail)
        with pytest.raises(InputError, match=r"archive (ends too early|is damaged)"):
            read_file(path)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_flipped_byte_is_found(tmp_path: Path, kind: str) -> None:
    """Damage anywhere gives an error, or, in a header field that says nothing of the content, the content."""
    path = tmp_path / "log"
    good = ARCHIVES[kind](LINES[:1500])
    for place in range(10, len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x20
        path.write_bytes(bad)
        try:
            assert read_file(path) == LINES[:1500]
        except InputError as error:
            assert "archive" in str(error)  # noqa: PT017 (either outcome is right)


def test_an_error_says_where_and_what_to_do_but_not_what_was_read(tmp_path: Path) -> None:
    """The error of a damaged archive has exit code, name and decompressed offset, and no byte of the log."""
    path = tmp_path / "old\x1b.gz"
    path.write_bytes(gzip.compress(os.urandom(100_000).hex().encode())[:-5000])
    with pytest.raises(InputError) as caught:
        read_file(path)
    error = caught.value
    assert error.exit_code == 4
    assert error.source == str(path).replace("\x1b", "\\x1b")
    assert error.offset is not None
    assert error.offset > 100_000
    assert "fetch it again" in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_an_expansion_bomb_is_refused(tmp_path: Path) -> None:
    """An archive that goes on expanding beyond a thousand to one is an error, long before it is unpacked."""
    path = tmp_path / "bomb"
    path.write_bytes(bz2.compress(b"a" * (200 << 20)))
    with pytest.raises(InputError, match="expands to more than 1000 times") as caught:
        read_file(path)
    assert caught.value.offset is not None
    assert caught.value.offset < 80 << 20


@pytest.mark.parametrize("kind", ["plain", *ARCHIVES])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_what_to_do(tmp_path: Path, kind: str, encoding: str) -> None:
    """Text in UTF-16, as PowerShell writes it, is told by its byte order mark, in an archive too."""
    path = tmp_path / "access.log"
    text = ("\ufeff" + "192.0.2.7 - -\n" * 9).encode(encoding)
    path.write_bytes(ARCHIVES.get(kind, bytes)(text))
    with pytest.raises(InputError, match="UTF-16; write it as UTF-8") as caught, open_log(Log(path)) as content:
        content.head(100)
    assert "192" not in str(caught.value)


def test_archives_that_ask_for_much_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that ask for a window of a gigabyte, or for more than xz may have, are errors."""
    path = tmp_path / "log"
    monkeypatch.setattr("logblur.sources.open._XZ_MEMORY", 1 << 16)
    # RFC 8878 section 3.1.1.1: no content size, a window of 2 ** 30 bytes, one raw block of nothing.
    for data in (lzma.compress(LINES), b"\x28\xb5\x2f\xfd\x00" + bytes([20 << 3]) + b"\x01\0\0"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="asks for more memory"):
            read_file(path)


def test_missing_files_and_folders_are_errors(tmp_path: Path) -> None:
    """What cannot be opened is an input error with what to do."""
    with pytest.raises(InputError, match="no such file"):
        open_log(Log(tmp_path / "missing"))
    with pytest.raises(InputError, match="is a folder"):
        open_log(Log(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """A file without read permission is an input error."""
    (tmp_path / "log").touch(mode=0o000)
    with pytest.raises(InputError, match="may not be read"):
        open_log(Log(tmp_path / "log"))


def test_permission_and_disk_errors_are_input_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses when opening or reading, also within an archive, is an input error."""
    path = tmp_path / "log"
    for data in (LINES, gzip.compress(LINES), zstd(LINES)):
        path.write_bytes(data)
        with open_log(Log(path)) as content, monkeypatch.context() as patch:
            patch.setattr(os, "preadv", lambda *_: _raise(OSError(5, "Input/output error")))
            with pytest.raises(InputError, match=r"cannot be read \(Input/output error\)"):
                BlockReader(content).read()
    monkeypatch.setattr(os, "open", lambda *_: _raise(PermissionError(13, "Permission denied")))
    with pytest.raises(InputError, match="may not be read"):
        open_log(Log(path))


def _raise(error: OSError) -> None:
    raise error


@pytest.mark.parametrize("kind", ["plain", *ARCHIVES])
def test_head_and_tail(tmp_path: Path, kind: str) -> None:
    """Head and tail are slices of the decompressed content, in any order; a tail beyond the end is empty."""
    path = tmp_path / "log"
    path.write_bytes(LINES if kind == "plain" else ARCHIVES[kind](LINES))
    with open_log(Log(path)) as content:
        assert content.head(300) == LINES[:300]
        for offset in (0, 10, 4096, 9000, len(LINES), 5000):
            assert content.tail(offset) == LINES[max(offset - 4096, 0) : offset]
        assert content.tail(len(LINES) + 1) == b""
        assert content.head(10**6) == LINES
        assert content.tail(9000) == LINES[9000 - 4096 : 9000]
        stream = content.stream(9000)
        assert stream.read(50) == LINES[9000:9050]


def test_an_archive_is_decompressed_once(tmp_path: Path) -> None:
    """Reading on from the offset whose tail was asked for starts where the tail ended, not at the front."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(LINES))
    with open_log(Log(path)) as content:
        content.tail(9000)
        stream = content.stream(9000)
        assert stream.stored_position == path.stat().st_size
        assert content.stream(0) is not stream


def test_a_rotation_between_two_reads_changes_nothing(tmp_path: Path) -> None:
    """The head that identifies a log and the lines that are counted come from one file, whatever its name by then."""
    path = tmp_path / "access.log"
    path.write_bytes(LINES)
    with open_log(Log(path)) as content:
        assert content.head(100) == LINES[:100]
        path.rename(tmp_path / "access.log.1")
        path.write_bytes(b"new\n")
        assert read_all(content) == LINES


def test_a_log_shorter_than_where_reading_goes_on_is_an_error(tmp_path: Path) -> None:
    """A start beyond the end, plain or compressed, is an error and not an empty log."""
    path = tmp_path / "log"
    for data in (LINES, gzip.compress(LINES)):
        path.write_bytes(data)
        with open_log(Log(path)) as content, pytest.raises(InputError, match="is shorter than"):
            BlockReader(content, start=len(LINES) + 1)


# standard input and pipes


@pytest.fixture
def pipe_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Lets bytes arrive at standard input, in pieces as a pipe has them."""

    def feed(data: bytes) -> None:
        reading, writing = os.pipe()

        def write() -> None:
            with open(writing, "wb", buffering=0) as pipe:  # noqa: PTH123 (a descriptor)
                for i in range(0, len(data), 997):
                    pipe.write(data[i : i + 997])

        thread = threading.Thread(target=write)
        thread.start()
        threads.append(thread)
        files.append(io.TextIOWrapper(open(reading, "rb")))  # noqa: PTH123, SIM115 (a descriptor, closed below)
        monkeypatch.setattr(sys, "stdin", files[-1])

    threads: list[threading.Thread] = []
    files: list[io.TextIOWrapper] = []
    yield feed
    for thread in threads:
        thread.join()
    for file in files:
        file.close()


@pytest.mark.parametrize("kind", ["plain", *ARCHIVES])
def test_standard_input(pipe_in: Callable[[bytes], None], kind: str) -> None:
    """Standard input is read plain or compressed; its end ends the last line; it has no identity."""
    data = LINES + b"no newline"
    pipe_in(data if kind == "plain" else ARCHIVES[kind](data))
    with open_log(Log(None)) as content:
        assert (content.kind, content.rereadable, content.size, content.grows) == (kind, False, None, False)
        assert read_all(content, block_size=1000, max_line_bytes=100) == data + b"\n"
        with pytest.raises(ValueError, match="neither head nor tail"):
            content.head(10)
        with pytest.raises(ValueError, match="read once"):
            content.stream(0)


def test_standard_input_may_be_empty_or_closed(
    pipe_in: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty pipe is an empty log; a closed standard input is an error."""
    pipe_in(b"")
    with open_log(Log(None)) as content:
        assert read_all(content) == b""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input: is closed"):
        open_log(Log(None))


def test_a_named_pipe_is_read_like_standard_input(tmp_path: Path) -> None:
    """A process substitution or a named pipe is a log of its own."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(gzip.compress(LINES),))
    thread.start()
    assert find_logs([str(path)]) == [Log(path)]
    assert read_file(path) == LINES
    thread.join()


# blocks


def test_a_line_that_is_still_written_waits(tmp_path: Path) -> None:
    """The last line of a plain file without its newline is not handed out; the next run reads it whole."""
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthr")
    with open_log(Log(path)) as content:
        reader = BlockReader(content)
        block = reader.read()
        assert block is not None
        assert block.data[: block.size].tobytes() == b"one\ntwo\n"
        assert reader.read() is None
        assert (reader.waiting, reader.at_end, reader.offset) == (True, True, 8)
    with path.open("ab") as file:
        file.write(b"ee\n")
    with open_log(Log(path)) as content:
        reader = BlockReader(content, start=8)
        block = reader.read()
        assert block is not None
        assert (block.offset, block.data[: block.size].tobytes()) == (8, b"three\n")
        assert (reader.waiting, reader.offset) == (False, 14)


def test_the_end_of_an_archive_ends_its_last_line(tmp_path: Path) -> None:
    """An archive does not grow: its last line counts, with a newline that offsets do not count."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(b"one\ntwo"))
    with open_log(Log(path)) as content:
        reader = BlockReader(content)
        block = reader.read()
        assert block is not None
        assert block.data[: block.size + PAD].tobytes() == b"one\ntwo\n" + b"\n" * PAD
        assert (reader.read(), reader.waiting, reader.offset) == (None, False, 7)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    """An empty file, plain or compressed, ends at once and waits for nothing."""
    path = tmp_path / "log"
    for data in (b"", *(compress(b"") for compress in ARCHIVES.values())):
        path.write_bytes(data)
        with open_log(Log(path)) as content:
            reader = BlockReader(content)
            assert (reader.read(), reader.at_end, reader.waiting, reader.offset) == (None, True, False, 0)


def test_a_huge_line_costs_no_memory_and_no_neighbour(tmp_path: Path) -> None:
    """A line of 64 MiB is handed out cut, for the parser to reject, within the memory of a few blocks."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(b"before\n")
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(b"\nafter\n")
    with open_log(Log(path)) as content:
        reader = BlockReader(content, block_size=1 << 18)
        tracemalloc.start()
        blocks = []
        while block := reader.read():
            blocks.append((block.offset, block.size, block.data[:6].tobytes()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert blocks == [(0, 7, b"before"), (7, (64 << 10) + 2, b"x" * 6), (7 + (64 << 20) + 1, 6, b"after\n")]
    assert reader.offset == path.stat().st_size
    assert peak < 8 * (1 << 18)


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_a_huge_line_at_the_end(tmp_path: Path, kind: str) -> None:
    """A line longer than a block that never ends waits in a plain file, and is one cut line of an archive."""
    path = tmp_path / "log"
    data = b"before\n" + b"x" * 1000
    path.write_bytes(data if kind == "plain" else gzip.compress(data))
    with open_log(Log(path)) as content:
        reader = BlockReader(content, block_size=64, max_line_bytes=20)
        found = [(block.offset, block.size) for block in iter(reader.read, None)]
    assert found == ([(0, 7)] if kind == "plain" else [(0, 7), (7, 22)])
    assert (reader.waiting, reader.offset) == ((True, 7) if kind == "plain" else (False, len(data)))


def test_every_thread_learns_of_an_error(tmp_path: Path) -> None:
    """After a read that failed no thread takes the log for ended."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(os.urandom(30_000).hex().encode())[:-100])
    with open_log(Log(path)) as content:
        reader = BlockReader(content)
        for _ in range(3):
            with pytest.raises(InputError, match="ends too early"):
                reader.read()


def held(error: BaseException) -> list[object]:
    """Whatever of a log can be reached from an exception: its arguments, its causes, the frames it passed."""
    found: list[object] = []
    todo: list[BaseException | None] = [error]
    while todo:
        if (one := todo.pop()) is not None:
            frames = [frame.f_locals for frame, _ in traceback.walk_tb(one.__traceback__)]
            values = [*one.args, *vars(one).values(), *(value for names in frames for value in names.values())]
            found += [value for value in values if isinstance(value, bytes | bytearray | memoryview | np.ndarray)]
            todo += [one.__cause__, one.__context__]
    return found


def test_no_error_of_a_read_leads_to_bytes_of_the_log(tmp_path: Path) -> None:
    """Neither arguments nor frames nor causes of the error hold a buffer; the search would find one if they did."""
    path = tmp_path / "log"
    for compress in ARCHIVES.values():
        path.write_bytes(compress(os.urandom(30_000).hex().encode())[:-100])
        with open_log(Log(path)) as content:
            reader = BlockReader(content)
            with pytest.raises(InputError) as caught:
                reader.read()
            assert held(caught.value) == []
            with pytest.raises(InputError) as control:
                BlockReader(content)._next()
            assert held(control.value) != []


def test_progress_counts_stored_bytes(tmp_path: Path) -> None:
    """Progress is measured in bytes as stored and reaches the size of the file."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(LINES))
    with open_log(Log(path)) as content:
        reader = BlockReader(content)
        assert (reader.bytes_read, reader.size_total) == (0, path.stat().st_size)
        list(iter(reader.read, None))
        assert reader.bytes_read == reader.size_total


def test_a_block_must_hold_the_longest_line(tmp_path: Path) -> None:
    """A block that could cut a line the parser would accept is refused."""
    (tmp_path / "log").touch()
    with open_log(Log(tmp_path / "log")) as content, pytest.raises(ValueError, match="longest line"):
        BlockReader(content, block_size=100, max_line_bytes=99)


@pytest.mark.skipif("LOGBLUR_CORPUS" not in os.environ, reason="LOGBLUR_CORPUS names no folder of real logs")
def test_real_logs_are_read_whole() -> None:
    """Every file of the corpus gives the lines that the standard library reads from it."""
    logs = find_logs([str(Path(os.environ["LOGBLUR_CORPUS"], "logs"))])
    assert len(logs) > 100
    opened = {"plain": open, "gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    for log in logs:
        with open_log(log) as content:
            assert log.path is not None
            with opened[content.kind](log.path, "rb") as file:
                expected = file.read()
            if content.grows:
                expected = expected[: expected.rfind(b"\n") + 1]
            assert read_all(content) == expected + (b"" if expected.endswith(b"\n") or not expected else b"\n"), log
