"""AES-128 over many blocks at once, by a library that knows it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK: Final = 16
"""Bytes of an AES block: just what an address takes."""

Blocks = npt.NDArray[np.uint8]
"""(rows, 16) uint8, contiguous."""


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
