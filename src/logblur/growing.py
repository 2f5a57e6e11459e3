"""What is made of the texts of dictionaries that grow: of each text once, not once a batch.

A worker's dictionaries go on from batch to batch, see `logblur.parse.Parser`. Whatever follows from a text alone is
then made of the new texts only. Nobody needs to say that a dictionary is the one seen before, or that it began anew:
what was seen is compared, which costs next to nothing, so a mistake elsewhere can only cost time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import pyarrow as pa


class Grown:
    """Columns of values, one for each text of the dictionary seen last. One worker's own; not for several threads.

    Privacy:
        Holds texts of log lines, in memory alone, as long as the dictionary seen last; never written, never printed.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[pa.Array, pa.Array]] = {}

    def of(self, what: Hashable, texts: pa.Array, make: Callable[[pa.Array], pa.Array]) -> pa.Array:
        """Return what ``make`` makes of these texts.

        Args:
            what: Names what is made, by everything that it depends on but the texts.
            texts: The values of a dictionary. Where they begin with those of the last call, only the rest is new.
            make: Gives an array as long as the texts it gets, value by value, whatever stands beside each.

        Cost:
            A comparison with the texts of the last call, and a copy of what was made before.
        """
        seen, made = self._known.get(what, (texts.slice(0, 0), None))
        if texts is not seen:
            if made is not None and texts.slice(0, len(seen)).equals(seen):
                if len(texts) > len(seen):  # in buffers of their own: no kernel needs to know of a slice
                    made = pa.concat_arrays([made, make(pa.concat_arrays([texts.slice(len(seen))]))])
            else:
                made = make(texts)
            self._known[what] = texts, made
        return made

    def __repr__(self) -> str:
        return f"Grown({len(self._known)})"
