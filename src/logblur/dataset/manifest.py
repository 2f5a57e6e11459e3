"""OUT's manifest: whose OUT it is, and what is published for each day; one JSON file, one line a day.

No wall time and no key is in it. Counts that describe few people are rounded up to the next ten: a difference between
two versions then tells tens of lines apart, not one person's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from logblur import durable
from logblur.errors import OutputError
from logblur.schema import SCHEMA_VERSION, Reason

PRIVATE: Final = "_logblur"
"""The one folder of OUT that is no table."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What OUT holds.

    Attributes:
        state: The id of the state that writes here.
        rejects: Rejected lines by reason, rounded.
        days: By day in ISO form, what is published: ``key_id``, ``late`` (rounded), ``policy`` (``name``, ``digest``),
            ``sealed`` and ``tables``; of each table ``k``, ``rolled_up`` (requests, rounded), ``rows``, ``universe``,
            ``withheld`` (no rows, because fewer than k clients are left, or none came); where lines were looked up,
            ``databases``, the builds of each.
        purged: Days that are gone because their retention was over, in ISO form, ascending.
    """

    state: str
    rejects: Mapping[str, int]
    days: Mapping[str, Mapping[str, Any]]
    purged: tuple[str, ...] = ()

    def render(self) -> bytes:
        """Return the bytes of the file."""
        top = {"version": _VERSION, "schema_version": SCHEMA_VERSION, "state": self.state, "rejects": self.rejects}
        top |= {"purged": self.purged} if self.purged else {}
        lines = [f" {json.dumps(name)}: {_dump(value)},\n" for name, value in sorted(top.items())]
        days = ",\n".join(f"  {json.dumps(day)}: {_dump(entry)}" for day, entry in sorted(self.days.items()))
        return ("{\n" + "".join(lines) + ' "days": {\n' + days + "\n }\n}\n").encode()


def load(out: Path) -> Manifest | None:
    """Read OUT's manifest; None where there is none.

    Raises:
        OutputError: It is damaged, or a newer version wrote it.
    """
    path = manifest_path(out)
    with durable.explained(path):
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        content = json.loads(data)
        version = int(content["version"])
        manifest = Manifest(
            str(content["state"]), dict(content["rejects"]), dict(content["days"]), tuple(content.get("purged", ()))
        )
    except (ValueError, KeyError, TypeError):
        raise OutputError(f"{path}: the manifest is damaged; restore it from a backup, or start a new OUT") from None
    if version > _VERSION:
        raise OutputError(f"{path}: a newer logblur wrote this; use that version or a newer one")
    return manifest


def save(out: Path, manifest: Manifest) -> None:
    """Write OUT's manifest, unless it says the same already."""
    path = manifest_path(out)
    data = manifest.render()
    with durable.explained(path):
        if path.exists() and path.read_bytes() == data:
            return
    durable.step("before manifest")
    durable.write_file(path, data, beside=temporary_folder(out))


def update_counts(out: Path, *, late: Mapping[str, int], rejects: Mapping[int, int]) -> None:
    """Bring the manifest's late lines and rejects up to date; called at the end of each run.

    Args:
        out: OUT.
        late: `Ledger.late`, by name of the day; days that are no longer in OUT are passed over.
        rejects: `Ledger.rejects`.
    """
    manifest = required(out)
    days = dict(manifest.days)
    for day, lines in late.items():
        if day in days:
            days[day] = {**days[day], "late": rounded(lines)}
    reasons = {Reason(reason).text: rounded(lines) for reason, lines in rejects.items()}
    save(out, replace(manifest, days=days, rejects=reasons))


def required(out: Path) -> Manifest:
    """Read the manifest of an OUT that must have one."""
    manifest = load(out)
    if manifest is None:
        raise OutputError(
            f"{manifest_path(out)}: the manifest is missing; restore it from a backup, or start a new OUT"
        )
    return manifest


def rounded(count: int) -> int:
    """Return the next multiple of ten that is no less."""
    return -(-count // 10) * 10


def manifest_path(out: Path) -> Path:
    """Return where OUT's manifest is."""
    return out / PRIVATE / "manifest.json"


def temporary_folder(out: Path) -> Path:
    """Return where files of OUT are while they are written."""
    return out / PRIVATE / "tmp"


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True)
