"""What Numba lacks, as a few lines of LLVM IR each: vector compares, unaligned words, wide products, prefetch.

BE ADVISED: these are the only unchecked loads and stores of the project. `match_mask` and `wide_differ_mask` read
`WIDE` bytes, `differ_mask` `LANES` and `word` eight from the given index, whatever the array's length; `move` reads and
writes `LANES`. Every array they touch is padded by `schema.PAD` bytes, which `Block`, the interning tables and
`filtering` own. LLVM lowers the compares to AVX2, AVX-512 or NEON.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np import arrayobj

from logblur.jit import inline, inline_source

LANES = 32  # schema.LANES; repeated because this room knows no other
WIDE = 64  # at most schema.PAD: most fields end within one look
U = np.uint64
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I8, LANES)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    data = arrayobj.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


@intrinsic
def match_mask(typingctx: Any, buffer: Any, index: Any, a: Any, b: Any) -> Any:
    """Bit i of the uint64 says whether ``buffer[index + i]`` is a or b, for i < WIDE."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, position, *wanted = args
        vector = ir.VectorType(_I8, WIDE)
        loaded = builder.load(_pointer(context, builder, signature.args[0], array, position, vector), align=1)
        undefined = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(_I32, WIDE), [_I32(0)] * WIDE)
        spread = [
            builder.shuffle_vector(builder.insert_element(undefined, w, _I32(0)), undefined, zeros) for w in wanted
        ]
        hits = [builder.icmp_unsigned("==", loaded, s) for s in spread]
        return builder.bitcast(builder.or_(*hits), ir.IntType(WIDE))

    return types.uint64(buffer, types.int64, types.uint8, types.uint8), codegen


def _difference(lanes: int) -> Any:
    """Return the compare of so many bytes of two arrays."""

    def typed(typingctx: Any, left: Any, i: Any, right: Any, j: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(_I8, lanes)
            a = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], vector), align=1)
            b = builder.load(_pointer(context, builder, signature.args[2], args[2], args[3], vector), align=1)
            return builder.zext(builder.bitcast(builder.icmp_unsigned("!=", a, b), ir.IntType(lanes)), _I64)

        return types.uint64(left, types.int64, right, types.int64), codegen

    return intrinsic(typed)


differ_mask, wide_differ_mask = _difference(LANES), _difference(WIDE)
"""Bit k of the uint64 says whether ``left[i + k]`` differs from ``right[j + k]``, for k < LANES, or k < WIDE."""


@inline
def same_bytes(left, i, right, j, n):  # type: ignore[no-untyped-def]
    """Whether ``left[i:i + n]`` equals ``right[j:j + n]``."""
    if n <= LANES:
        return differ_mask(left, i, right, j) & ((U(1) << U(n)) - U(1)) == U(0)
    while n > WIDE:
        if wide_differ_mask(left, i, right, j):
            return False
        i, j, n = i + WIDE, j + WIDE, n - WIDE
    return wide_differ_mask(left, i, right, j) << U(WIDE - n) == U(0)


@intrinsic
def first_bit(typingctx: Any, mask: Any) -> Any:
    """Index of the lowest set bit of a uint64; 64 where there is none."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic
def word(typingctx: Any, buffer: Any, index: Any) -> Any:
    """Return eight bytes at the index as a little-endian uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1], _I64), align=1)

    return types.uint64(buffer, types.int64), codegen


@intrinsic
def move(typingctx: Any, target: Any, at: Any, source: Any, start: Any) -> Any:
    """Copy LANES bytes to ``target[at]``; both arrays are padded."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, signature.args[2], args[2], args[3], _VECTOR), align=1)
        builder.store(loaded, _pointer(context, builder, signature.args[0], args[0], args[1], _VECTOR), align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), codegen


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line that holds ``array[index]``; never faults."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        p = _pointer(context, builder, signature.args[0], args[0], args[1], _I8)
        kind = ir.FunctionType(ir.VoidType(), [p.type, _I32, _I32, _I32])
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [p.type], kind), [p, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def fold_multiply(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the two halves of the 128-bit product, xored: the mixing step of wyhash and rapidhash."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.xor(builder.trunc(product, _I64), builder.trunc(builder.lshr(product, wide(64)), _I64))

    return types.uint64(types.uint64, types.uint64), codegen


@inline_source
def hash_span(buffer, start, end, seeds):  # type: ignore[no-untyped-def]
    """Return a seeded 64-bit hash of ``buffer[start:end]``; seeds are seven random uint64. Not a MAC."""
    n = end - start
    g, h, at = seeds[1], seeds[0] ^ U(n), start
    while at + 32 < end:
        g = fold_multiply(word(buffer, at) ^ seeds[2], word(buffer, at + 8) ^ g)
        h = fold_multiply(word(buffer, at + 16) ^ seeds[3], word(buffer, at + 24) ^ h)
        at += 32
    if at + 16 < end:
        g = fold_multiply(word(buffer, at) ^ seeds[2], word(buffer, at + 8) ^ g)
    if n >= 16:
        a, b = word(buffer, end - 16), word(buffer, end - 8)
    elif n >= 8:
        a, b = word(buffer, start), word(buffer, end - 8)
    else:
        a, b = word(buffer, start) & ((U(1) << U(8 * n)) - U(1)), U(0)
    return fold_multiply(fold_multiply(a ^ seeds[4], b ^ g ^ h) ^ seeds[5], seeds[6] ^ U(n))
