"""The keys of a JSON format as the table that `json_kernels.find_values` looks them up in, and the spans it writes."""

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.formats import Format
from logblur.formats.json import steps
from logblur.jit import Bytes, Codes, Ints, Places, Words
from logblur.parse import json_kernels
from logblur.parse.program import Spans
from logblur.schema import PAD

_WORD: Final = (1 << 64) - 1


class Objects:
    """Finds the values of a JSON format's keys.

    Nodes are places in a line's object: 0 the object itself, one more for each key of a path. They and the values are
    in the order of a walk through the object, so that the values under a node lie together.
    """

    __slots__ = (
        "_below", "_candidates", "_edges", "_ends", "_heads", "_leaf", "_marker", "_max_line", "_pool", "_slots",
        "_stack", "_starts",
    )  # fmt: skip

    def __init__(self, form: Format, max_line: int) -> None:
        wanted = [[steps(path) for path in paths] for paths in form.keys]
        marker = steps(form.marker) if form.marker else ()
        values = sorted(path for paths in wanted for path in paths)
        nodes = sorted({path[:n] for path in (*values, marker) for n in range(len(path) + 1)})
        under = [[k for k, value in enumerate(values) if value[: len(node)] == node] for node in nodes]
        keys = [node[-1] for node in nodes[1:]]
        limits = [0, *np.cumsum([len(key) for key in keys]).tolist()]
        self._candidates = tuple(tuple(values.index(path) for path in paths) for paths in wanted)
        self._below: Ints = np.array([[x[0], x[-1] + 1] if x else [0, 0] for x in under])
        self._leaf = np.array([node in values for node in nodes])
        self._marker = nodes.index(marker) if marker else json_kernels.NOWHERE
        self._pool: Bytes = np.frombuffer(b"".join(keys) + bytes(PAD), np.uint8)
        self._edges: Ints = np.array(
            [[nodes.index(node[:-1]), limits[k], len(keys[k]), k + 1] for k, node in enumerate(nodes[1:])]
        )
        self._heads: Words = np.array([int.from_bytes(key[:8], "little") for key in keys], np.uint64)
        self._slots: Codes = np.full(4 << len(keys).bit_length(), -1, np.int32)
        for k, key in enumerate(keys):
            at = _hash(key, int(self._edges[k, 0])) & (len(self._slots) - 1)
            while self._slots[at] >= 0:
                at = (at + 1) & (len(self._slots) - 1)
            self._slots[at] = k
        self._stack: Ints = np.empty(json_kernels.MAX_DEPTH + 1, np.int64)
        self._max_line = max_line
        self._starts: Places = np.empty((len(values), 0), np.uint32)
        self._ends: Places = self._starts

    def find(self, data: Bytes, size: int, most: int, spans: Spans) -> tuple[int, int, int]:
        """Write the spans of the lines ``data[:size]``; as `Spans.find_lines`."""
        rows, directives, end = spans.find_lines(data, size, most, self._max_line)
        spans.fit(len(self._candidates), rows)
        if rows > self._starts.shape[1]:
            self._starts, self._ends = np.empty((2, len(self._starts), rows + rows // 4), np.uint32)
        json_kernels.find_values(
            data, rows, self._slots, self._edges, self._heads, self._pool, self._below, self._leaf, self._marker,
            self._stack, spans.lines, spans.line_ends, spans.reasons, self._starts, self._ends,
        )  # fmt: skip
        for field, (first, *others) in enumerate(self._candidates):
            starts, ends = self._starts[first, :rows], self._ends[first, :rows]
            for other in others:
                missing = starts == ends
                starts = np.where(missing, self._starts[other, :rows], starts)
                ends = np.where(missing, self._ends[other, :rows], ends)
            spans.starts[field, :rows], spans.ends[field, :rows] = starts, ends
        return rows, directives, end


def _hash(key: bytes, node: int) -> int:
    """Return what `json_kernels.child_of` makes of a key."""
    head, tail = (int.from_bytes(part, "little") for part in (key[:8], key[-8:]))
    product = (head ^ (node + 1)) * (tail ^ len(key))
    return (product & _WORD) ^ (product >> 64)
