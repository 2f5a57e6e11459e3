"""Who the client of each row is: the address that the policy names, past the proxies that it trusts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.policy.plan import Client
from logblur.protect.addresses import Addresses, spelled_addresses

_SOCKET = "unix:"


@dataclass(frozen=True, slots=True, eq=False)
class Clients:
    """The clients of rows.

    Attributes:
        codes: By row, into ``texts`` and ``addresses``.
        texts: What stands in the log, large_string; of an address taken from a list of hops the address alone. Not
            every text occurs.
        addresses: Their values.
    """

    codes: npt.NDArray[np.signedinteger]
    texts: pa.Array
    addresses: Addresses

    def __repr__(self) -> str:
        return f"Clients({len(self.codes)})"


def clients(batch: pa.RecordBatch, client: Client) -> Clients | None:
    """Return the client of each row, None where the batch has no column that says.

    Args:
        batch: Dictionary columns ``remote_addr`` and ``client.field``, either of which may be missing.
        client: Which field it is, and which proxies are believed.

    Privacy:
        All spellings of one address are one client (`addresses.spelled_addresses`), so that a port makes no crowd; and
        what a sender wrote himself, left of what trusted proxies appended, makes none either.

    Cost:
        Once per distinct address and per distinct list, whatever pairs they come in.
    """
    named = [name for name in dict.fromkeys(("remote_addr", client.field)) if name in batch.schema.names]
    if not named:
        return None
    columns: Mapping[str, pa.DictionaryArray] = {name: batch.column(name) for name in named}
    trusted = [ipaddress.ip_network(text) for text in client.trusted_proxies if text != _SOCKET]
    peer = columns.get("remote_addr")
    if client.field == "remote_addr" or client.field not in columns:
        assert peer is not None
        return Clients(np.asarray(peer.indices), peer.dictionary, spelled_addresses(peer.dictionary, trusted)[0])
    hops = columns[client.field]
    listed, _ = spelled_addresses(hops.dictionary, trusted)
    texts = _printed(listed)
    if peer is None:
        return Clients(np.asarray(hops.indices), texts, listed)
    found, passed = spelled_addresses(peer.dictionary, trusted)
    if _SOCKET in client.trusted_proxies:
        passed |= np.array([(text or "").startswith(_SOCKET) for text in peer.dictionary.to_pylist()], np.bool_)
    peer_codes, hop_codes = np.asarray(peer.indices), np.asarray(hops.indices)
    believed = passed[peer_codes] & (listed.family[hop_codes] != 0)
    return Clients(
        np.where(believed, hop_codes + len(passed), peer_codes).astype(np.int32),
        pa.concat_arrays([peer.dictionary.cast(pa.large_string()), texts]),
        Addresses(
            np.concatenate([found.high, listed.high]),
            np.concatenate([found.low, listed.low]),
            np.concatenate([found.family, listed.family]),
        ),
    )


def _printed(found: Addresses) -> pa.Array:
    """Return the text of each address, null for what is none."""
    halves = zip(found.high.tolist(), found.low.tolist(), found.family.tolist(), strict=True)
    texts = [
        str(ipaddress.IPv4Address(low & 0xFFFFFFFF) if family == 4 else ipaddress.IPv6Address(high << 64 | low))
        if family
        else None
        for high, low, family in halves
    ]
    return pa.array(texts, pa.large_string())
