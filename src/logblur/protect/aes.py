"""AES-128 over many blocks at once, and the check of keys that every method on addresses begins with."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from logblur.errors import KeyMaterialError

BLOCK: Final = 16
"""Bytes of an AES block: just what an address takes."""

Blocks = npt.NDArray[np.uint8]
"""(rows, 16) uint8, contiguous."""


def check_key(key: bytes, size: int, method: str) -> None:
    """Refuse a key that is not ``size`` bytes, or whose two halves are equal where there are two.

    Equal halves cancel out: ipcrypt-pfx would return what it was given (draft-denis-ipcrypt, "Key Requirements"), and
    XEX with one key for both falls to chosen ciphertexts (NIST SP 800-38E; FIPS 140-3 IG C.I).

    Raises:
        KeyMaterialError: Names the method and the sizes, never a byte of the key.
    """
    if not isinstance(key, bytes):
        raise KeyMaterialError(f"{method} takes its key as bytes, {size} of them")
    if len(key) != size:
        raise KeyMaterialError(f"{method} takes a key of {size} bytes, not of {len(key)}; make a random one")
    if method.startswith("ipcrypt") and size == 2 * BLOCK and key[:BLOCK] == key[BLOCK:]:
        raise KeyMaterialError(f"the two halves of this {method} key are equal, which undoes it; make a random one")


def encryptor(key: bytes) -> CipherContext:
    """Return AES-128 under this key, block by block: every caller feeds it distinct or masked blocks."""
    return Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the building block, not a mode for messages


def encrypted(blocks: Blocks, key: bytes) -> Blocks:
    """Return each block through AES-128 under this key."""
    return _through(encryptor(key), blocks)


def decrypted(blocks: Blocks, key: bytes) -> Blocks:
    """Return the blocks that `encrypted` under this key gave these."""
    return _through(Cipher(AES(key), ECB()).decryptor(), blocks)  # noqa: S305 - as above


def _through(context: CipherContext, blocks: Blocks) -> Blocks:
    out = np.empty(blocks.size + BLOCK - 1, np.uint8)  # `update_into` asks for room to spare
    context.update_into(blocks.reshape(-1).data, out.data)
    return out[: blocks.size].reshape(blocks.shape)
