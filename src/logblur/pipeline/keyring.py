"""The keys of one OUT: those of its days, and those that the operator named for records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from logblur.dataset import manifest
from logblur.dataset.state import State, open_state
from logblur.errors import KeyMaterialError, UsageError
from logblur.keys import (
    OPERATOR_SIZES,
    Clock,
    KeySource,
    create_operator_key,
    destroy_secret,
    is_overwritten,
    load_operator_key,
    system_keys,
)
from logblur.pipeline.publishing import Publishing
from logblur.policy.load import load_policy
from logblur.policy.nearest import nearest
from logblur.policy.plan import KEY_SIZE

if TYPE_CHECKING:
    from logblur.dataset.ledger import DayRecord
    from logblur.policy import Policy

_ID: Final = re.compile(r"[0-9a-f]{16}")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What is known of one key.

    Attributes:
        kind: Of a day, or of the operator.
        name: The day (or week), or what the policy calls it.
        id: Its id; empty where the key cannot be read and was not destroyed.
        state: ``open`` (a day's), ``ready`` (the operator's), ``destroyed``, or why it cannot be used.
        at, reason: When and why it was destroyed; None and empty where it was not, or an older version did it.
    """

    kind: Literal["day", "operator"]
    name: str
    id: str
    state: str
    at: datetime | None = None
    reason: str = ""


def create_key(
    key: str, *, policy: str | Path | None = None, size: int | None = None, keys: KeySource = system_keys
) -> tuple[Path, int, str]:
    """Write a new random key where there is none.

    Args:
        key: A file, or with ``policy`` the name of one of its keys, which comes from a file.
        policy: Says where the file is, and by the method that takes the key how long it is.
        size: 16 or 32 bytes; by default what the method takes, else 32.
        keys: Gives random bytes.

    Returns:
        The file, how many bytes the key has, and its id.

    Raises:
        UsageError, PolicyError: There is no such key, or it does not come from a file, or has another size.
        OutputError: There is a file already, or the system refuses.
    """
    path = Path(key)
    if policy is not None:
        said = load_policy(policy)
        path, wanted = _file_of(key, said), _size_of(key, said)
        if size and wanted and size != wanted:
            raise UsageError(f"the method that takes the key {key!r} wants {wanted} bytes, not {size}")
        size = size or wanted
    size = size or max(OPERATOR_SIZES)
    if size not in OPERATOR_SIZES:
        raise UsageError("a key has 16 or 32 bytes")
    return path, size, create_operator_key(path, size, keys)


def list_keys(
    out: str | Path,
    *,
    state: str | Path | None = None,
    policy: str | Path | None = None,
    clock: Clock,
    keys: KeySource = system_keys,
) -> tuple[ListedKey, ...]:
    """Return the keys of an OUT's days, ascending, then those of the operator: of the policy, and destroyed ones.

    Raises:
        OutputError, KeyMaterialError, LockedError: OUT or its state. A key of the operator's that cannot be used is
            no error: its entry says so.

    Privacy:
        Ids alone; no byte of a key.
    """
    said = load_policy(policy) if policy is not None else None
    manifest.required(Path(out))
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened:
        ledger = opened.ledger
        gone = {one.key_id: one for one in ledger.destructions()}
        days = []
        for record in ledger.days():
            ended = gone.pop(record.key_id, None)
            label = ledger.period.label(record.day)
            told = (ended.at, ended.reason) if ended else (None, "")
            days.append(ListedKey("day", label, record.key_id, _day_state(opened, record), *told))
    named = [] if said is None else [_listed(name, said, gone) for name in said.keys]
    known = {one.id for one in named}
    rest = [ListedKey("operator", g.name, g.key_id, "destroyed", g.at, g.reason) for g in gone.values()]
    return (*days, *named, *(one for one in rest if one.id not in known))


def destroy_key(
    key: str,
    out: str | Path,
    *,
    reason: str,
    state: str | Path | None = None,
    policy: str | Path | None = None,
    clock: Clock,
    keys: KeySource = system_keys,
) -> ListedKey | None:
    """Destroy a key for ever, and record its id, the time and the reason in the state of this OUT.

    Args:
        key: A day, the name of a key in ``policy``, or the id of either.
        out: OUT. A day's key is destroyed by sealing the day: it is published for the last time first.
        reason: One line, for the record.
        state: The state; by default the one that belongs to ``out``.
        policy: Names the operator's keys.
        clock: Gives the present time, UTC.
        keys: Gives random bytes.

    Returns:
        What was destroyed; None where it had been before.

    Raises:
        UsageError, PolicyError: There is no such key, or it comes from no file; the reason is no line of text.
        OutputError, KeyMaterialError, LockedError: As `pipeline.run`.

    Privacy:
        Afterwards what was made under the key can neither be read nor be made again, and the same values give other
        replacements. Out of reach are copies that others made of the key.
    """
    if not reason.strip() or not reason.isprintable() or len(reason) > 500:
        raise UsageError("the reason should be one line of printable text, at most 500 characters")
    said = load_policy(policy) if policy is not None else None
    manifest.required(Path(out))
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened:
        if said is not None and (name := _operator_name(key, said)):
            return _destroy_operator_key(name, said, opened, reason)
        record = _day(key, opened)
        if record is not None:
            if record.sealed:
                return None
            publishing = Publishing(opened)
            publishing.seal([record], reason)
            publishing.finish()
            label = opened.ledger.period.label(record.day)
            return ListedKey("day", label, record.key_id, "destroyed", opened.clock(), reason)
        if any(key in {one.key_id, one.name} for one in opened.ledger.destructions()):
            return None
        raise UsageError(f"there is no such key; {_choice(said, opened)}")


def _choice(said: Policy | None, opened: State) -> str:
    """Return names and ids of the keys that there are, of open days the newest alone where they are many.

    What was asked for is not repeated: where a key has an id, its bytes may have been pasted.
    """
    ledger = opened.ledger
    days = [(ledger.period.label(record.day), record.key_id) for record in ledger.days() if not record.sealed]
    named = [] if said is None else [(name, _listed(name, said, {}).id) for name in said.keys]
    texts = [f"{name} (id {key_id})" if key_id else name for name, key_id in (*days[-_SHOWN:], *named)]
    more = f", and {len(days) - _SHOWN} older days (logblur keys list)" if len(days) > _SHOWN else ""
    return f"there is {', '.join(texts)}{more}" if texts else "no day is open here, and no -p names keys"


def _operator_name(key: str, said: Policy) -> str | None:
    if key in said.keys:
        return key
    if _ID.fullmatch(key):
        for name, place in said.keys.items():
            with suppress(KeyMaterialError):
                if load_operator_key(name, *place.said(), to_destroy=True).id == key:
                    return name
    return None


def _destroy_operator_key(name: str, said: Policy, opened: State, reason: str) -> ListedKey | None:
    path = _file_of(name, said)
    if any(one.name == name for one in opened.ledger.destructions()) and (not path.exists() or is_overwritten(path)):
        destroy_secret(path.resolve())  # what a kill left of it
        return None
    loaded = load_operator_key(name, "file", str(path), to_destroy=True)
    opened.ledger.record_destruction(loaded.id, name, opened.clock(), reason)
    destroy_secret(path.resolve())
    return ListedKey("operator", name, loaded.id, "destroyed", opened.clock(), reason)


def _day(key: str, opened: State) -> DayRecord | None:
    """Return the day of this date, week or key id."""
    for record in opened.ledger.days():
        if key in {record.key_id, opened.ledger.period.label(record.day)}:
            return record
    try:
        return opened.ledger.day(opened.ledger.period.first(date.fromisoformat(key)))
    except ValueError:
        return None


def _day_state(opened: State, record: DayRecord) -> str:
    if record.sealed:
        return "destroyed"
    try:
        opened.key(record)
    except KeyMaterialError as error:
        return str(error)
    return "open"


def _listed(name: str, said: Policy, gone: Mapping[str, object]) -> ListedKey:
    try:
        loaded = load_operator_key(name, *said.keys[name].said())
    except KeyMaterialError as error:
        return ListedKey("operator", name, "", str(error))
    copied = loaded.id in gone
    return ListedKey("operator", name, loaded.id, "destroyed, and back: this is a copy" if copied else "ready")


def _file_of(name: str, said: Policy) -> Path:
    if name not in said.keys:
        hint = nearest(name, said.keys) if said.keys else "it has no [keys]"
        raise UsageError(f"the policy {said.name!r} names no such key; {hint}")
    kind, place = said.keys[name].said()
    if kind != "file":
        raise UsageError(
            f"the key {name!r} comes from no file ({kind} {place}): make it, and remove it, where that is set"
        )
    return Path(place)


def _size_of(name: str, said: Policy) -> int | None:
    rules = (*said.fields.named().values(), *(said.signals.fields.named().values() if said.signals else ()))
    return next((KEY_SIZE[rule.method] for rule in rules if getattr(rule, "key", None) == name), None)
