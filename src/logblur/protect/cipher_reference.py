"""The slow twin of the ciphers in `addresses`: what each makes of one address, without kernels, to be compared.

It serves where addresses are few, or come before the kernels are compiled. Here KIASU-BC reads tables at places that
follow from key and address, which the kernel never does: whoever shares the processor's caches could learn of them.

Sources: draft-denis-ipcrypt; FIPS 197; Jean, Nikolić, Peyrin, "Tweaks and Keys for Block Ciphers: the TWEAKEY
Framework" (2014); Xu, Fan, Ammar, Moon, "Prefix-Preserving IP Address Anonymization" (2002).
"""

from __future__ import annotations

import os
from functools import cache, reduce
from operator import xor

from logblur.policy.plan import KEY_SIZE, Method
from logblur.protect.addresses import TWEAK_ND, TWEAK_NDX, check_key
from logblur.protect.aes import BLOCK, encryptor
from logblur.protect.spellings import Address, packed, unpacked

_ROUNDS = 10


def encrypted(address: Address, method: Method, key: bytes, *, tweak: bytes = b"") -> bytes:
    """Return what a method of `addresses.ENCRYPTED` makes of an address.

    Args:
        address: The address.
        method: The method.
        key: As many bytes as the method takes.
        tweak: For ipcrypt-nd 8 bytes, for ipcrypt-ndx 16, to repeat what was made before; random where left out.

    Returns:
        16 bytes, an address, IPv4 in ::ffff:0:0/96; tweak, then ciphertext, of ipcrypt-nd (24) and ipcrypt-ndx (32).

    Raises:
        KeyMaterialError: A key that is none of this method.

    Cost:
        10 to 200 microseconds.
    """
    check_key(key, KEY_SIZE[method], method)
    block = packed(address)
    bits = 32 if unpacked(block).version == 4 else 128
    match method:
        case "ipcrypt-deterministic":
            return encryptor(key).update(block)
        case "ipcrypt-nd":
            tweak = tweak or os.urandom(TWEAK_ND)
            return tweak + _kiasu(block, tweak, key)
        case "ipcrypt-ndx":
            tweak = tweak or os.urandom(TWEAK_NDX)
            mask = encryptor(key[BLOCK:]).update(tweak)
            return tweak + _xored(encryptor(key[:BLOCK]).update(_xored(block, mask)), mask)
        case "ipcrypt-pfx":
            return _pfx(int.from_bytes(block), key, bits)
        case "cryptopan":
            return _cryptopan(int.from_bytes(block), key, bits)
        case _:
            raise ValueError(f"{method} is no cipher")


def _pfx(value: int, key: bytes, bits: int) -> bytes:
    """Flip each of the last ``bits`` bits as the sum of two ciphers of what stands before it, below a one, says."""
    prefixes = [1 << length | value >> 128 - length for length in range(128 - bits, 128)]
    blocks = b"".join(prefix.to_bytes(BLOCK) for prefix in prefixes)
    one, other = (encryptor(half).update(blocks)[BLOCK - 1 :: BLOCK] for half in (key[:BLOCK], key[BLOCK:]))
    return _flipped(value, [(a ^ b) & 1 for a, b in zip(one, other, strict=True)])


def _cryptopan(value: int, key: bytes, bits: int) -> bytes:
    """Flip each of the last ``bits`` bits as the cipher of what stands before it, filled up from a pad, says."""
    cipher = encryptor(key[:BLOCK])
    pad, top = int.from_bytes(cipher.update(key[BLOCK:])), value << 128 - bits & (1 << 128) - 1
    masks = [(1 << 128) - (1 << 128 - length) for length in range(bits)]
    blocks = b"".join((top & mask | pad & ~mask).to_bytes(BLOCK) for mask in masks)
    return _flipped(value, [byte >> 7 for byte in cipher.update(blocks)[::BLOCK]])


def _flipped(value: int, bits: list[int]) -> bytes:
    return (value ^ reduce(lambda flips, bit: flips << 1 | bit, bits, 0)).to_bytes(BLOCK)


def _kiasu(block: bytes, tweak: bytes, key: bytes) -> bytes:
    """Return KIASU-BC of a block: AES-128 whose round keys each carry the tweak, two bytes at the top of a column."""
    box, _ = _tables()
    spread = b"".join(tweak[at : at + 2] + bytes(2) for at in range(0, TWEAK_ND, 2))
    first, *others = _round_keys(key)
    state = _xored(block, first, spread)
    for number, round_key in enumerate(others, 1):
        state = (state * 5)[::5].translate(box)  # ShiftRows takes byte 5 j modulo 16 to j; then SubBytes
        state = _xored(state if number == _ROUNDS else _mixed(state), round_key, spread)
    return state


def _mixed(state: bytes) -> bytes:
    """Return MixColumns: of a column a, b, c, d the first is 2 a + 3 b + c + d, and so on around."""
    _, doubled = _tables()
    b, c, d = (bytes(state[j & 12 | j + turn & 3] for j in range(BLOCK)) for turn in (1, 2, 3))
    return _xored(_xored(state, b).translate(doubled), b, c, d)


def _round_keys(key: bytes) -> list[bytes]:
    """Return the eleven round keys of AES-128 (FIPS 197, section 5.2)."""
    box, doubled = _tables()
    words, constant = [key[at : at + 4] for at in range(0, BLOCK, 4)], 1
    for number in range(4, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if number % 4 == 0:
            word = _xored((word[1:] + word[:1]).translate(box), bytes([constant, 0, 0, 0]))
            constant = doubled[constant]
        words.append(_xored(words[-4], word))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


@cache
def _tables() -> tuple[bytes, bytes]:
    """Return the S-box (1 / x in GF(2^8), then an affine map: FIPS 197, section 5.1.1), and each byte doubled."""
    doubled = bytes(x << 1 & 0xFF ^ 0x1B * (x >> 7) for x in range(256))
    powers = [1]  # of 3, which are all bytes but 0
    while len(powers) < 255:
        powers.append(powers[-1] ^ doubled[powers[-1]])
    inverse = {0: 0} | {power: powers[-at] for at, power in enumerate(powers)}
    shifted = [reduce(xor, (inverse[x] << turn for turn in range(5))) for x in range(256)]
    return bytes(s & 0xFF ^ s >> 8 ^ 0x63 for s in shifted), doubled


def _xored(*blocks: bytes) -> bytes:
    return reduce(xor, map(int.from_bytes, blocks)).to_bytes(len(blocks[0]))
