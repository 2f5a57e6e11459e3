"""From a policy file or a built-in name to a `Policy`; every way that can fail is a `PolicyError`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from logblur.errors import PolicyError
from logblur.policy.meaning import Dimension, Pages
from logblur.policy.model import Balancing, Controller, Input, Policy, Signals, Table, Visitor
from logblur.policy.nearest import nearest
from logblur.policy.operator import NO_MATERIAL, KeyPlace
from logblur.policy.rules import Fields, rules_of

BUILT_IN: Final = ("audience", "strict", "records")
"""Names of the policies that come with logblur: the files of ``configs/``."""

_LARGEST: Final = 1 << 20  # bytes; a policy is a page or two, so more is some other file
_PLACE: Final = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)\Z")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNKEYED: Final = frozenset({"hash", "md5", "sha1", "sha256", "sha512", "blake2", "blake2b", "blake3", "crc32"})
_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "input": Input,
    "controller": Controller,
    "balancing": Balancing,
    "keys": KeyPlace,
    "fields": Fields,
    "visitor": Visitor,
    "signals": Signals,
    "pages": Pages,
    "dimensions": Dimension,
    "table": Table,
}


def load_policy(source: str | Path) -> Policy:
    """Read a policy.

    Args:
        source: A built-in name (`BUILT_IN`) or the path of a TOML file. A `Path` is always a file.

    Raises:
        PolicyError: The file cannot be read, is no TOML, or says what a policy cannot say; ``path`` names the key.
    """
    if isinstance(source, str) and source in BUILT_IN:
        return decode(builtin_text(source).encode())
    try:
        with Path(source).open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise PolicyError(
            f"there is no file {str(source)!r}, nor a built-in policy of that name; {nearest(str(source), BUILT_IN)}"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = (isinstance(error, OSError) and error.strerror) or "no file can have that name"
        raise PolicyError(f"the policy file {str(source)!r} cannot be read: {why}") from None
    if len(raw) > _LARGEST:
        raise PolicyError(f"{str(source)!r} is no policy file: it is larger than a mebibyte")
    return decode(raw)


def decode(raw: bytes) -> Policy:
    """Return the policy that these bytes of TOML say; `PolicyError` says where they do not."""
    try:
        document = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"the policy is not UTF-8 text (line {line})") from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        # The parser's own words can quote the file, and the file may be a log by mistake.
        place = _PLACE.search(str(error))
        where = f"line {place[1]}, column {place[2]}" if place else "near its end"
        raise PolicyError(f"the policy is not valid TOML ({where})") from None
    return validate(document)


def validate(document: Mapping[str, Any]) -> Policy:
    """Return the policy that a document says; `PolicyError` names the first key that cannot stand."""
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0], document) from None


def encode(policy: Policy) -> str:
    """Return a text that `restore` makes the same policy of: how a day's Plan is kept."""
    return policy.model_dump_json(by_alias=True, exclude_none=True)


def restore(text: str) -> Policy:
    """Return the policy that `encode` wrote."""
    return validate(json.loads(text))


def builtin_text(name: str) -> str:
    """Return a built-in policy's file, comments and all."""
    if name not in BUILT_IN:
        raise PolicyError(f"there is no built-in policy {name!r}; {nearest(name, BUILT_IN)}")
    packaged: Traversable = resources.files("logblur.policy") / "configs"
    checkout = Path(__file__).parents[3] / "configs"
    folder = packaged if packaged.is_dir() else checkout
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def _refusal(error: ErrorDetails, document: Mapping[str, Any]) -> PolicyError:
    """Say the validator's first finding in the words of the file, with the key's path."""
    context = error.get("ctx", {})
    loc = (*error["loc"], context["field"]) if "field" in context else error["loc"]
    path = _path(loc)
    match error["type"]:
        case "extra_forbidden" if loc[0] == "keys":
            message = NO_MATERIAL
        case "extra_forbidden":
            message = f"there is no such key; {nearest(str(loc[-1]), _keys(loc))}"
        case "missing":
            message = "is missing"
        case "union_tag_not_found":
            path, message = f"{path}.method", f"is missing; choose from {_methods(loc)}"
        case "union_tag_invalid":
            path = f"{path}.method"
            message = f"cannot be {context['tag']!r} for this field; choose from {_methods(loc)}"
            if context["tag"] in _UNKEYED:
                message += " (an unkeyed hash hides nothing: all addresses can be tried in minutes)"
        case "literal_error":
            message = f"should be {context['expected']}"
        case "string_pattern_mismatch":
            message = "should begin with a letter and hold letters, digits and _ alone"
            if loc[0] == "table":
                message = "should begin with a small letter and hold small letters, digits and _ alone"
        case "model_type" | "model_attributes_type" if loc[0] == "keys" and len(loc) == 2:
            message = NO_MATERIAL
        case "model_type" | "model_attributes_type":
            message = "should be a table of keys"
        case "tuple_type":
            message = "should be a list"
        case "value_error":
            message = str(context["error"])
        case _:
            message = error["msg"].removeprefix("Input ")
    if loc[:1] == ("table",) and len(loc) > 1:
        table = document["table"][loc[1]]
        name = table.get("name") if isinstance(table, dict) else None
        message += f" (table {name!r})" if isinstance(name, str) else ""
    return PolicyError(message, path=path)


def _path(loc: tuple[int | str, ...]) -> str:
    if "fields" in loc[:2]:
        at = loc.index("fields") + 2
        loc = loc[:at] + loc[at + 1 :]  # after the field's name the validator puts its method
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in loc).removeprefix(".")


def _key(key: str) -> str:
    """Return a key as TOML writes it: bare where it can be."""
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    if loc[:2] == ("signals", "fields") and len(loc) > 2:
        loc = loc[1:]
    model: type[BaseModel] = _SECTIONS.get(str(loc[0]), Policy) if len(loc) > 1 else Policy
    if model is Fields and len(loc) > 2:
        model = rules_of(str(loc[1]))[str(loc[2])]
    return [info.alias or name for name, info in model.model_fields.items()]


def _methods(loc: tuple[int | str, ...]) -> str:
    return ", ".join(rules_of(str(loc[loc.index("fields") + 1])))
