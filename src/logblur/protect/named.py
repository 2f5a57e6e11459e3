"""The operator's keys that a Plan names, read and held against the methods that take them."""

from __future__ import annotations

from collections.abc import Mapping

from logblur.errors import KeyMaterialError
from logblur.policy.plan import KEY_SIZE, NamedKey, Plan

Secrets = Mapping[str, bytes]
"""The operator's keys, by the names that the policy gives them."""


def named_keys(plan: Plan) -> tuple[NamedKey, ...]:
    """Return the keys that the fields of a Plan name, those of restricted requests too, each once, by name."""
    keys = (*plan.keys.values(), *plan.of_restricted().keys.values())
    return tuple(sorted({key.name: key for key in keys}.values(), key=lambda key: key.name))


def secrets_of(plan: Plan) -> Secrets:
    """Return the keys that a Plan names, read once: before the first line, so that a key at fault stops everything.

    Raises:
        KeyMaterialError: One is missing, open to others, of a wrong length for its method, or the same as another.
    """
    secrets: dict[str, bytes] = {}
    ids: dict[str, str] = {}
    for key in named_keys(plan):
        from logblur.keys import load_operator_key
        from logblur.protect.addresses import check_key

        loaded = load_operator_key(key.name, key.kind, key.place)
        check_key(loaded.secret, KEY_SIZE[key.method], key.method, name=key.name)
        if (other := ids.setdefault(loaded.id, key.name)) != key.name:
            raise KeyMaterialError(f"the keys {other!r} and {key.name!r} are the same ({loaded.id}); make one anew")
        secrets[key.name] = loaded.secret
    return secrets
