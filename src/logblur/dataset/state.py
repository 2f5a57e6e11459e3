"""The private state of one OUT: a folder that this user alone can enter, locked while a run works in it.

State and OUT belong together: OUT's manifest names its state. What does not fit (another state, a new one, an OUT that
lost its manifest) is refused, because counting anew over good files would lose what they say.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logblur import durable
from logblur.dataset import manifest
from logblur.dataset.identity import Identity
from logblur.dataset.ledger import DayRecord, Ledger
from logblur.dataset.seal import finish_seal
from logblur.errors import KeyMaterialError, LockedError, OutputError, UsageError
from logblur.keys import Clock, DayKey, DayKeys, KeySource, create_secret, load_secret

if TYPE_CHECKING:
    from logblur.schema import Partial

_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "davfs"}
    | {f"fuse.{name}" for name in ("sshfs", "s3fs", "gcsfuse", "rclone", "goofys", "glusterfs", "ceph", "juicefs")}
    | {f"fuse.{name}" for name in ("davfs2", "smbnetfs", "curlftpfs", "blobfuse2")}
)
"""File systems on which a lock or a sync may mean nothing, and which others can read."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of one OUT, open and locked.

    Attributes:
        id: Random; OUT's manifest holds it.
        out: OUT.
        partials: The folder of encrypted partials.
        ledger: What counts.
        keys: The keys of the days that are open.
        clock: The run's clock.
        key_source: Where its random bytes come from.
    """

    id: str
    out: Path
    partials: Path
    ledger: Ledger
    keys: DayKeys
    clock: Clock
    key_source: KeySource

    def open_day(self, day: date, *, plan_digest: str, plan: str, seal_after: timedelta) -> tuple[DayRecord, DayKey]:
        """Return a day's record and keys, opening it with this Plan where it is new.

        Raises:
            KeyMaterialError: The day's key is missing, cannot be trusted, or is not the one it opened with.
        """
        record = self.ledger.day(day)
        if record is None:
            key = self.keys.get_or_create(day)
            record = self.ledger.open_day(
                day, plan_digest=plan_digest, plan=plan, seal_after=seal_after, key_id=key.id, arrival=self.clock()
            )
        return record, self.key(record)

    def read_partials(self, day: date) -> Iterator[Partial]:
        """Return what counts of an open day, read one partial at a time, by whatever thread asks for them.

        Raises:
            OutputError: A partial is missing or damaged.
            KeyMaterialError: As `open_day`.
        """
        from logblur.dataset.partials import read_partial

        record = self.ledger.day(day)
        if record is None:
            return iter(())
        key, paths = self.key(record), [self.partials / name for name in self.ledger.partials(day)]
        return (read_partial(path, key, plan_digest=record.plan_digest) for path in paths)

    def size(self, day: date | None = None) -> int:
        """Return how many bytes the partials that count take on disk, of one day or all; a missing one takes none."""
        paths = [self.partials / name for name in self.ledger.partials(day)]
        return sum(path.stat().st_size for path in paths if path.exists())

    def key(self, record: DayRecord) -> DayKey:
        """Return the keys of an open day; KeyMaterialError where they are not those it opened with."""
        if record.sealed:
            raise ValueError(f"{record.day} is sealed")
        key = self.keys.get(record.day)
        if key.id != record.key_id:
            raise KeyMaterialError(
                f"the key of {record.day} is {key.id}, but the day opened with {record.key_id}; restore the state as a"
                " whole from one backup, or start a new OUT"
            )
        return key


@contextmanager
def open_state(out: Path, state: Path | None, *, clock: Clock, keys: KeySource) -> Iterator[State]:
    """Open the state that belongs to OUT, or begin both; finish what a killed run left.

    Args:
        out: Where the tables are published; made where it is missing.
        state: The state's folder; by default the one `default_folder` names.
        clock: Gives the time.
        keys: Gives random bytes, the state's id among them.

    Raises:
        LockedError: Another run works in it.
        OutputError: The two do not belong together, are damaged, or the system refuses.
        KeyMaterialError: The state's key is missing or cannot be trusted.
        UsageError: One lies within the other.
    """
    out = out.resolve()
    folder = (state or default_folder(out)).resolve()
    if folder.is_relative_to(out) or out.is_relative_to(folder):
        raise UsageError("OUT and the state must not lie within each other: OUT is published, the state is private")
    _claim(folder)
    with ExitStack() as stack:
        _lock(folder, stack)
        found = manifest.load(out)
        ledger = _open_ledger(folder, stack, fresh_out=_is_empty(out), keys=keys)
        identity = ledger.meta("state")
        assert identity is not None
        opened = State(identity, out, folder / "partials", ledger, DayKeys(folder / "keys", keys), clock, keys)
        _tie(opened, found)
        _clean(opened)
        yield opened


def default_folder(out: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the state of this OUT is when nobody says.

    Source:
        systemd.exec(5) ``STATE_DIRECTORY`` (several are separated by colons); XDG Base Directory Specification 0.8
        (a relative ``XDG_STATE_HOME`` is to be ignored).
    """
    if given := environment.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    home = Path(environment.get("XDG_STATE_HOME", ""))
    if not home.is_absolute():
        home = Path.home() / ".local" / "state"
    return home / "logblur" / hashlib.sha256(os.fsencode(out.resolve())).hexdigest()[:32]


def network_type(folder: Path, mounts: str) -> str | None:
    """Return the type of the network file system that a folder is on, by the lines of ``/proc/mounts``, or None."""
    best = (-1, "")
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        if folder.is_relative_to(point) and len(point.parts) >= best[0]:  # a later mount hides an earlier one
            best = (len(point.parts), fields[2])
    return best[1] if best[1] in _NETWORK else None


def _claim(folder: Path) -> None:
    """Make the folder this user's alone, or refuse it."""
    durable.make_folder(folder, mode=0o700)
    with durable.explained(folder):
        about = folder.stat()
        if about.st_uid != os.geteuid():
            raise OutputError(
                f"{folder}: the state belongs to another user; run as its owner or choose another --state"
            )
        mode = stat.S_IMODE(about.st_mode)
        if mode & 0o022 and any(folder.iterdir()):
            raise OutputError(f"{folder}: others can write to the state; see who did, then chmod 700 it")
        if mode != 0o700:  # systemd gives a state folder 0755 at each start
            folder.chmod(0o700)
        mounts = Path("/proc/mounts")
        kind = network_type(folder, mounts.read_text(errors="surrogateescape")) if mounts.exists() else None
    if kind:
        raise OutputError(f"{folder}: the state must not be on a network file system ({kind}); give a local --state")


def _lock(folder: Path, stack: ExitStack) -> None:
    path = folder / "lock"
    with durable.explained(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        stack.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{folder}: another run works here; wait for its end") from None


def _open_ledger(folder: Path, stack: ExitStack, *, fresh_out: bool, keys: KeySource) -> Ledger:
    """Open the state's key and ledger; begin them only where nothing is that they could have known."""
    path = folder / "ledger.sqlite"
    secret = folder / "identity.key"
    used = any((folder / name).is_dir() and any((folder / name).iterdir()) for name in ("keys", "partials"))
    begun = path.exists() and path.stat().st_size > 0
    if not begun:
        if used:
            raise OutputError(f"{path}: the ledger is missing; restore the state as a whole, or start a new OUT")
        if not fresh_out:
            raise OutputError(
                f"{folder}: this state is new, but OUT holds files; give the --state they were made with, restore it,"
                " or choose an empty OUT"
            )
        for name in ("keys", "partials"):
            durable.make_folder(folder / name, mode=0o700)
        if not secret.exists():
            create_secret(secret, keys("identity key", 32))
    identity = Identity(load_secret(secret))
    ledger = Ledger(path, identity)
    stack.callback(ledger.close)
    if ledger.meta("state") is None:
        ledger.set_meta({"state": keys("state id", 16).hex(), "identity": identity.id()})
    if ledger.meta("identity") != identity.id():
        raise KeyMaterialError(f"{secret}: this is another state's key; restore the state as a whole")
    return ledger


def _tie(state: State, found: manifest.Manifest | None) -> None:
    """Make OUT this state's, or refuse it; before the first table is written the manifest names the state."""
    tied = state.ledger.meta("tied") is not None
    if found is None:
        if not _is_empty(state.out):
            raise OutputError(f"{state.out}: OUT holds files but no manifest; restore it, or choose an empty OUT")
        purged = tuple(state.ledger.period.label(record.day) for record in state.ledger.days() if record.purged)
        if any(record.sealed and not record.purged for record in state.ledger.days()):
            raise OutputError(
                f"{state.out}: OUT is gone, and sealed days of it cannot be made again; mount or restore it, or start"
                f" anew with another --state (the state of this OUT is {state.partials.parent})"
            )
        state.ledger.publish_again()  # an OUT that was deleted while all its days are open
        durable.make_folder(manifest.temporary_folder(state.out))
        manifest.save(state.out, manifest.Manifest(state.id, {}, {}, purged))
    elif found.state != state.id:
        raise OutputError(f"{state.out}: OUT belongs to another state; give that --state, or choose an empty OUT")
    if not tied:
        state.ledger.set_meta({"tied": "yes"})
    durable.make_folder(manifest.temporary_folder(state.out))


def _clean(state: State) -> None:
    """Finish what a killed run left: seals half done, files half written, partials and keys that do not count."""
    alive = {day.isoformat() for day in state.keys.days()} | {name[:10] for name in state.ledger.partials()}
    for record in state.ledger.days():
        if record.sealed and record.day.isoformat() in alive:
            finish_seal(state.ledger, state.keys, state.partials, record.day)
    counted = set(state.ledger.partials())
    with durable.explained(state.partials):
        for path in state.partials.iterdir():
            if path.name not in counted:
                path.unlink()
    state.ledger.forget_empty_days()
    for day in state.keys.days():
        if state.ledger.day(day) is None:
            state.keys.destroy(day)
    durable.remove_temporaries(state.partials.parent)
    durable.remove_temporaries(state.partials.parent / "keys")
    durable.remove_temporaries(manifest.temporary_folder(state.out))


def _is_empty(out: Path) -> bool:
    """Say whether OUT holds nothing but what a run that was killed before the first manifest left."""
    with durable.explained(out):
        if not out.exists():
            return True
        return all(path.name == manifest.PRIVATE for path in out.iterdir()) and not manifest.manifest_path(out).exists()
