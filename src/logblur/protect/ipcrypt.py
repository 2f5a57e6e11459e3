"""The ciphers of draft-denis-ipcrypt that take an address as one block: deterministic, nd, ndx."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from logblur.protect import aes, kiasu_kernels
from logblur.protect.aes import Blocks


def nd(blocks: Blocks, tweaks: npt.NDArray[np.uint8], key: bytes, *, inverse: bool) -> Blocks:
    """Return each block through KIASU-BC under a 16-byte key and its 8-byte tweak, or back."""
    keys = np.empty((kiasu_kernels.ROUNDS + 1, aes.BLOCK, 8), np.uint64)
    kiasu_kernels.expand_key(np.frombuffer(key, np.uint8), keys)
    out = np.empty_like(blocks)
    if inverse:
        kiasu_kernels.decrypt(blocks, tweaks, keys, out)
    else:
        kiasu_kernels.encrypt(blocks, tweaks, keys, out)
    return out


def ndx(blocks: Blocks, tweaks: Blocks, key: bytes, *, inverse: bool) -> Blocks:
    """Return each block through AES-XEX under a 32-byte key and its 16-byte tweak, or back."""
    mask = aes.encrypted(tweaks, key[aes.BLOCK :])
    through = aes.decrypted if inverse else aes.encrypted
    return through(blocks ^ mask, key[: aes.BLOCK]) ^ mask
