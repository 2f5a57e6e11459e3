"""Addresses within text that is kept: treated as the client's address is, or replaced by a word.

They are few, and found in distinct texts: this takes them one by one, without kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from logblur.policy.plan import Plan
from logblur.protect.addresses import ENCRYPTED
from logblur.protect.detect import without_addresses
from logblur.protect.named import Secrets
from logblur.protect.pseudonyms import field_mac
from logblur.protect.spellings import Address, packed, spelled, truncated, unpacked

_Treatment = Callable[[Address], str]


def swept_of_addresses(texts: pa.Array, plan: Plan, secrets: Secrets) -> pa.Array:
    """Return kept texts (large_string) with each address in them, however spelled, as the Plan treats the client's.

    A truncated client gives the first address of the network; one that is encrypted, always in the same way, its
    ciphertext; a pseudonym under an operator's key that. Under every other method ``{ip}`` stands there: a reason to
    keep the client's address is none to keep another one, and what differs by day or by line is not of a text alone.
    """
    treat = _treatment(plan, secrets)
    return without_addresses(texts) if treat is None else without_addresses(texts, lambda found: _said(found, treat))


def _treatment(plan: Plan, secrets: Secrets) -> _Treatment | None:
    """Return what makes a text of an address; None where none may."""
    method = plan.methods.get("remote_addr", "drop")
    if method == "truncate":
        prefixes: Mapping[str, int] = {"ipv4_prefix": plan.ipv4_prefix, "ipv6_prefix": plan.ipv6_prefix}
        return lambda address: str(truncated(address, **prefixes))
    if "remote_addr" not in plan.keys or method in {"ipcrypt-nd", "ipcrypt-ndx"}:
        return None
    secret = secrets[plan.keys["remote_addr"].name]
    if method in ENCRYPTED:
        from logblur.protect.cipher_reference import encrypted

        return lambda address: str(unpacked(encrypted(address, method, secret)))
    mac = field_mac(secret, field="remote_addr")
    return lambda address: mac(packed(address))[:16].hex()


def _said(texts: list[str], treat: _Treatment) -> list[str]:
    found = [spelled(text) for text in texts]
    said = ["{ip}" if address is None else treat(address) for address in found]
    return [f"[{s}]" if text.startswith("[") and ":" in s else s for text, s in zip(texts, said, strict=True)]
