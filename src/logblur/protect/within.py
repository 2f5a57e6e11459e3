"""Addresses within text that is kept: treated as the client's address is, or replaced by a word."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from logblur.policy.plan import Plan
from logblur.protect.addresses import (
    ENCRYPTED,
    Addresses,
    address_texts,
    addresses_of,
    column_of,
    pseudonym,
    spelled_addresses,
    truncated,
)
from logblur.protect.detect import without_addresses
from logblur.protect.named import Secrets


def swept_of_addresses(texts: pa.Array, plan: Plan, secrets: Secrets) -> pa.Array:
    """Return kept texts (large_string) with each address in them, however spelled, as the Plan treats the client's.

    A truncated client gives the first address of the network; one that is encrypted, always in the same way, its
    ciphertext; a pseudonym under an operator's key that. Under every other method ``{ip}`` stands there: a reason to
    keep the client's address is none to keep another one, and what differs by day or by line is not of a text alone.
    """
    treat = _treatment(plan, secrets)
    return without_addresses(texts) if treat is None else without_addresses(texts, lambda found: _said(found, treat))


def _treatment(plan: Plan, secrets: Secrets) -> Callable[[Addresses], list[str]] | None:
    """Return what makes texts of addresses; None where none of them may."""
    method = plan.methods.get("remote_addr", "drop")
    if method == "truncate":
        return lambda found: address_texts(truncated(found, ipv4_prefix=plan.ipv4_prefix, ipv6_prefix=plan.ipv6_prefix))
    if "remote_addr" not in plan.keys or method in {"ipcrypt-nd", "ipcrypt-ndx"}:
        return None
    secret = secrets[plan.keys["remote_addr"].name]
    if method in ENCRYPTED:
        return lambda found: address_texts(addresses_of(ENCRYPTED[method](column_of(found), secret)))
    return lambda found: [
        "{ip}" if value is None else value.hex()
        for value in pseudonym(column_of(found), secret, field="remote_addr").to_pylist()
    ]


def _said(texts: list[str], treat: Callable[[Addresses], list[str]]) -> list[str]:
    found, _ = spelled_addresses(pa.array(texts, pa.large_string()))
    made = zip(texts, treat(found), found.family.tolist(), strict=True)
    return [
        "{ip}" if not family else f"[{said}]" if text.startswith("[") and ":" in said else said
        for text, said, family in made
    ]
