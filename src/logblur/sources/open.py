"""The bytes of a log, decompressed, whatever it is called: what it is says its first bytes, not its name.

A log is opened once and everything is read through that one descriptor, each reader at a position of its own. A
rotation between two reads can therefore never make them look at two different files.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Final, Literal, Protocol, Self

from logblur import stopping
from logblur.errors import InputError
from logblur.sources.discard import is_finished
from logblur.sources.find import Log

Kind = Literal["plain", "gzip", "zstd", "bzip2", "xz"]

TAIL: Final = 4096
"""Bytes before an offset that `LogContent.tail` returns at most."""

RATIO: Final = 1000
"""Decompressed bytes that one stored byte may come to; deflate reaches 1032 on endless repetition, logs 10 to 50."""

RATIO_FROM: Final = 64 << 20
"""Decompressed bytes up to which the ratio is not looked at: that much is harmless."""

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16; no line of a log begins so, and no byte of what follows could be told from another."""

_CHUNK: Final = 1 << 16  # stored bytes read at a time from an archive
_PIECE: Final = 1 << 20  # decompressed bytes made at a time; with these two isal and zstd were fastest
_XZ_MEMORY: Final = 256 << 20  # xz -9 needs 65 MiB; a header may ask for 4 GiB
_MAGIC_BYTES: Final = 10
_PATIENCE: Final = 0.2  # seconds between two looks whether a reader that waits for a pipe is still wanted


def open_log(log: Log) -> LogContent:
    """Open a log and tell how it is compressed.

    Raises:
        InputError: It is missing, a folder, or not readable.
    """
    if log.path is None:
        if sys.stdin is None:
            raise InputError("is closed; name a file instead of -", source=log.name)
        return LogContent(log, _Pipe(io.FileIO(sys.stdin.fileno(), closefd=False), log.name), None)
    try:
        fd = os.open(log.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(_why(error), source=log.name) from None
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return LogContent(log, _File(fd, log.name), status.st_size)
    if stat.S_ISDIR(status.st_mode):
        os.close(fd)
        raise InputError("is a folder; name its files, or pass it to find_logs", source=log.name)
    return LogContent(log, _Pipe(io.FileIO(fd), log.name), None)


class Stored(Protocol):
    """The bytes of a log as they are stored, compressed or not, from a position on."""

    position: int

    def readinto(self, view: memoryview) -> int:
        """Fill the view as far as bytes come; 0 is the end."""
        ...


class LogContent:
    """One opened log. Use it as a context manager, from one thread at a time.

    ``head`` and ``tail`` are what the ledger knows a log by. In an archive they need what lies before them to be
    decompressed; the position reached is kept, so that ``head``, ``tail`` of ascending offsets and a `BlockReader` from
    the last of them on decompress everything once.

    Attributes:
        log: What was opened.
        kind: How it is compressed.
        size: Stored bytes when it was opened; None for standard input and pipes.
        rereadable: Whether there is a head and a tail: False for standard input and pipes, each a log of its own.
        grows: Whether more may be appended, so that a last line without its newline is not yet a line.
    """

    def __init__(self, log: Log, stored: _File | _Pipe, size: int | None) -> None:
        self.log = log
        self.size = size
        self.rereadable = isinstance(stored, _File)
        self._stored = stored
        self._idle: Stream | None = None
        try:
            self.kind: Kind = _kind(stored.peek(_MAGIC_BYTES))
        except InputError:
            stored.close()
            raise
        self.grows = self.rereadable and self.kind == "plain"

    def head(self, n: int) -> bytes:
        """Return the first n decompressed bytes, or all of a shorter log."""
        stream = self._rewindable(0)
        data = stream.read(n)
        self._idle = stream
        return data

    def tail(self, offset: int) -> bytes:
        """Return the `TAIL` decompressed bytes directly before an offset, fewer at the start of the log.

        Empty where the log does not reach the offset.

        Cost:
            For an archive, decompressing from the last position reached, or from the start where that lies behind.
        """
        start = max(offset - TAIL, 0)
        stream = self._rewindable(start)
        data = stream.read(offset - start)
        self._idle = stream
        return data if stream.position == offset else b""

    def stream(self, offset: int) -> Stream:
        """Return the decompressed bytes from an offset on; its position is the log's length where that is less."""
        stream, self._idle = self._idle, None
        if stream is None or stream.position > offset:
            stream = Stream(self._stored.again(), self.kind, self.log.name)
        stream.skip_to(offset)
        return stream

    def end(self) -> None:
        """Take the end of the data for the end of its last line, where no process is there to write more."""
        if isinstance(self._stored, _File) and self._stored.is_finished():
            self.grows = False

    def stop(self) -> None:
        """End the wait for a pipe that nothing comes through, in whichever thread it is."""
        if isinstance(self._stored, _Pipe):
            self._stored.stopped = True

    def close(self) -> None:
        """Close the file. Streams of this log end here too."""
        self._idle = None
        self._stored.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LogContent({self.log.name!r}, kind={self.kind!r})"

    def _rewindable(self, offset: int) -> Stream:
        if not self.rereadable:
            raise ValueError("a pipe has neither head nor tail: what is read of it is gone")
        return self.stream(offset)


class Stream:
    """Decompressed bytes of one log, in order.

    Privacy:
        Holds at most a piece that was decompressed ahead; no error says anything of the bytes.

    Cost:
        Memory: of an archive 1 MiB and the decoder's window (gzip 32 KiB, bzip2 4 MiB, xz at most 256 MiB, zstd at
        most 128 MiB, in practice 8); of a plain log nothing.

    Attributes:
        position: Decompressed bytes behind it.
    """

    def __init__(self, stored: Stored, kind: Kind, name: str) -> None:
        self.position = 0
        self._stored = stored
        self._kind = kind
        self._name = name
        self._decode = None if kind == "plain" else _decoder(stored, kind)

    @property
    def stored_position(self) -> int:
        """Stored (compressed) bytes read so far."""
        return self._stored.position

    def readinto(self, view: memoryview) -> int:
        """Fill the view as far as bytes come and return how many; 0 is the end.

        Raises:
            InputError: Not readable, truncated, corrupt, expanding beyond `RATIO`, or text in UTF-16.
            Stopped: A signal came.
        """
        stopping.check()
        if self._decode is None:
            n = self._stored.readinto(view)
        else:
            piece = self._decoded(min(len(view), _PIECE))
            n = len(piece)
            view[:n] = piece
        if self.position == 0 and bytes(view[: min(n, 2)]) in _UTF16:
            raise InputError(
                "is text in UTF-16; write it as UTF-8 first, such as with iconv -f UTF-16 -t UTF-8", source=self._name
            )
        self.position += n
        if self._decode is not None and self.position > max(RATIO_FROM, RATIO * self._stored.position):
            raise InputError(
                f"expands to more than {RATIO} times its size, as no log does; leave it out, or unpack it by hand",
                source=self._name,
                offset=self.position,
            )
        return n

    def read(self, n: int) -> bytes:
        """Return the next n bytes, fewer only at the end."""
        data = bytearray(n)
        view, filled = memoryview(data), 0
        while filled < n and (more := self.readinto(view[filled:])):
            filled += more
        return bytes(view[:filled])

    def skip_to(self, offset: int) -> None:
        """Go on to an offset, or to the end of a log that does not reach it."""
        if isinstance(self._stored, _File) and self._decode is None:
            self._stored.position = self.position = min(offset, self._stored.size())
            return
        scratch = memoryview(bytearray(min(_PIECE, offset - self.position)))
        while self.position < offset and self.readinto(scratch[: offset - self.position]):
            pass

    def _decoded(self, n: int) -> bytes:
        assert self._decode is not None
        try:
            return self._decode(n)
        except InputError:
            raise
        except EOFError:
            raise self._broken("ends too early") from None
        except Exception as error:  # isal, pyarrow, bz2 and lzma each have their own; none of their words is passed on
            text = str(error).lower()
            if "truncated" in text:
                raise self._broken("ends too early") from None
            if "memory" in text:
                raise self._broken("asks for more memory than a log needs") from None
            raise self._broken("is damaged") from None

    def _broken(self, what: str) -> InputError:
        return InputError(
            f"the {self._kind} archive {what}; fetch it again from where it was written, or leave it out",
            source=self._name,
            offset=self.position,
        )


class _File:
    """A regular file, read by position: `again` starts at the front and shares the descriptor."""

    def __init__(self, fd: int, name: str) -> None:
        self.position = 0
        self._fd = fd
        self._name = name

    def readinto(self, view: memoryview) -> int:
        try:
            n = os.preadv(self._fd, [view], self.position)
        except OSError as error:
            raise InputError(_why(error), source=self._name, offset=self.position) from None
        self.position += n
        return n

    def peek(self, n: int) -> bytes:
        view = bytearray(n)
        return bytes(view[: self.again().readinto(memoryview(view))])

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def is_finished(self) -> bool:
        return is_finished(self._fd)

    def again(self) -> _File:
        return _File(self._fd, self._name)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class _Pipe:
    """Bytes that come once."""

    def __init__(self, file: io.FileIO, name: str) -> None:
        self.position = 0
        self.stopped = False
        self._file = file
        self._name = name
        self._ahead = b""

    def readinto(self, view: memoryview) -> int:
        if self._ahead:
            n = min(len(view), len(self._ahead))
            view[:n], self._ahead = self._ahead[:n], self._ahead[n:]
        else:
            n = self._pull(view)
        self.position += n
        return n

    def peek(self, n: int) -> bytes:
        while len(self._ahead) < n:
            view = bytearray(n - len(self._ahead))
            if not (more := self._pull(memoryview(view))):
                break
            self._ahead += view[:more]
        return self._ahead

    def again(self) -> _Pipe:
        if self.position:
            raise ValueError("a pipe is read once")
        return self

    def close(self) -> None:
        self._file.close()

    def _pull(self, view: memoryview) -> int:
        try:
            while not select.select([self._file], [], [], _PATIENCE)[0]:
                stopping.check()
                if self.stopped:
                    raise InputError("was left before its end", source=self._name, offset=self.position)
            return self._file.readinto(view) or 0
        except OSError as error:
            raise InputError(_why(error), source=self._name, offset=self.position) from None


def _kind(first: bytes) -> Kind:
    """What a log is by its first bytes.

    The whole bzip2 signature is asked for, since ``BZh9`` could begin the host name of a client. A file cut within its
    signature is a plain line that is not ended yet; what no text begins with is taken for gzip from its first byte on.

    Source:
        RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2 (skippable frames may come first); the xz file
        format 1.2.1 section 2.1.1.1; bzip2's ``compress.c`` (the digits of pi; of the square root of pi if empty).
    """
    if first[:3] == b"\x1f\x8b\x08" or first in (b"\x1f\x8b", b"\x1f"):
        return "gzip"
    if first[:4] == b"\x28\xb5\x2f\xfd" or (first[1:4] == b"\x2a\x4d\x18" and first[0] & 0xF0 == 0x50):
        return "zstd"
    if first[:6] == b"\xfd7zXZ\0":
        return "xz"
    if first[:3] == b"BZh" and first[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bzip2"
    return "plain"


def _decoder(stored: Stored, kind: Kind) -> Callable[[int], bytes]:
    """Return what decompresses up to n bytes more, b"" at the end."""
    match kind:
        case "zstd":
            # Not the zstandard package: its readers take a truncated frame for the end.
            import pyarrow as pa

            return pa.CompressedInputStream(pa.PythonFile(_Readable(stored), "r"), "zstd").read  # type: ignore[no-any-return]
        case "gzip":
            from isal import igzip_lib

            def make() -> _Decoder:
                return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        case "bzip2":
            import bz2

            def make() -> _Decoder:
                return bz2.BZ2Decompressor()
        case "xz":
            import lzma

            def make() -> _Decoder:
                return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        case "plain":
            raise ValueError("a plain log needs no decoder")
    return _Members(stored, make).read


class _Decoder(Protocol):
    """What the decompressors of isal, bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Members:
    """Decompresses the members of an archive one after the other; zero bytes between and after them are padding.

    The file objects of bz2 and lzma end in silence at whatever follows a member and is none; here it is an error.
    """

    def __init__(self, stored: Stored, make: Callable[[], _Decoder]) -> None:
        self._stored = _Readable(stored)
        self._make = make
        self._decoder: _Decoder | None = None
        self._pending = b""

    def read(self, n: int) -> bytes:
        while True:
            if self._decoder is None:
                while not (pending := self._pending.lstrip(b"\0")):
                    self._pending = self._stored.read(_CHUNK)
                    if not self._pending:
                        return b""
                self._pending = pending
                self._decoder = self._make()
            elif self._decoder.needs_input:
                self._pending = self._stored.read(_CHUNK)
                if not self._pending:
                    raise EOFError
            data = self._decoder.decompress(self._pending, n)
            self._pending = b""
            if self._decoder.eof:
                self._pending, self._decoder = self._decoder.unused_data, None
            if data:
                return data


class _Readable:
    """Stored bytes for those who want ``read``."""

    closed = False

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def read(self, n: int) -> bytes:
        data = bytearray(n)
        return bytes(memoryview(data)[: self._stored.readinto(memoryview(data))])

    def close(self) -> None:
        """Do nothing: the log closes what it opened."""


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file; check the name and the working folder"
        case PermissionError():
            return "may not be read; check its permissions, or run as a user of the group that owns the logs"
        case IsADirectoryError():
            return "is a folder; name its files"
        case _:
            return f"cannot be read ({error.strerror}); check the disk or the mount, then run again"
