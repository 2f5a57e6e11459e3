"""Makes the path of a request publishable: what is personal in it gives way to a word in braces, the rest stays.

A path is cut into segments and each *distinct* segment is swept once (`logblur.protect.detect`). Whatever is cut, is
cut at the end of a segment, so that no half of a secret stays.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.placeholders import NONE
from logblur.protect.detect import LONGEST_READ, Rules, spelled, swept
from logblur.protect.detect.patterns import replaced

LONGEST: Final = 512
"""Characters of a template; of a longer one the first segments stay, then ``{long}``."""

_REMEMBERED: Final = 1 << 16
_LONG: Final = "{long}"


class Templates:
    """Templates that were made before, so that each distinct path is treated once, whichever worker meets it.

    Bounded: past `_REMEMBERED` paths it begins anew. Threads may share it; they wait for one another.
    """

    def __init__(self) -> None:
        self._known: dict[Rules, dict[str | None, str]] = {}
        self._lock = threading.Lock()

    def of(self, paths: pa.Array, own: Rules = ()) -> pa.Array:
        """Return `template` of these paths (large_string)."""
        texts = paths.to_pylist()
        with self._lock:
            known = self._known.setdefault(own, {})
            if len(known) > _REMEMBERED:
                known.clear()
            if new := [path for path in dict.fromkeys(texts) if path not in known]:
                made = template(pa.array(new, pa.large_string()), own).to_pylist()
                known.update(zip(new, made, strict=True))
            return pa.array([known[text] for text in texts], pa.string())


def template(paths: pa.Array, own: Rules = ()) -> pa.Array:
    """Return what may be published of each path.

    A word in braces stands for what was found (`schema.FINDINGS` and the organisation's own); parameters after a
    semicolon, and a query that was encoded, are cut. Dates such as ``/2015/05/17``, versions such as ``1.3.2`` and
    names that build tools give to parts of pages stay. A first character ``(`` becomes ``%28``: words in parentheses
    are ours.

    Args:
        paths: large_string, distinct values of ``path``.
        own: The organisation's rules.

    Returns:
        string, as many values, without nulls: null is `placeholders.NONE`. No control characters, at most `LONGEST`
        characters. The template of a template is itself.

    Privacy:
        What has the form of an identifier is gone, in every percent-encoding of it. A name or a word that only a
        person can tell to be personal stays: there the thresholds protect.

    Cost:
        Linear in the characters; about 5 microseconds a distinct path, up to 20 where
        each holds long numbers and digests.
    """
    cut = pc.fill_null(pc.greater(pc.utf8_length(paths), LONGEST_READ), False)
    read = replaced(spelled(paths), [(r"(?s)[?#].*", "")])

    lists = pc.split_pattern(read, "/")
    offsets = lists.offsets.to_numpy()
    segments = lists.flatten().dictionary_encode()
    codes = segments.indices.to_numpy().astype(np.int64)
    plain = replaced(segments.dictionary, [(r"(?s);.*", "")])
    values = pa.concat_arrays([swept(plain, own), plain])
    codes += len(plain) * _date_parts(plain, codes, offsets)
    chosen = pa.ListArray.from_arrays(lists.offsets, values.take(pa.array(codes)))
    result = replaced(pc.binary_join(chosen, pa.scalar("/", pa.large_string())), [(r"^\(", "%28")])
    result = pc.if_else(pc.equal(result, ""), "/", result)
    long = pc.or_(cut, pc.greater(pc.utf8_length(result), LONGEST))
    if pc.any(long).as_py():
        pairs = zip(result.filter(long).to_pylist(), cut.filter(long).to_pylist(), strict=True)
        short = pa.array([_shortened(text, half=half) for text, half in pairs], pa.large_string())
        result = pc.replace_with_mask(result, long, short)
    return pc.if_else(paths.is_valid(), result, NONE).cast(pa.string())


def _shortened(text: str, *, half: bool) -> str:
    """Return the first segments of a long path; `half` says that its last segment may be a part of one."""
    segments = text.split("/")
    ends = np.cumsum([len(segment) + 1 for segment in segments])  # each with its slash
    kept = segments[: int(np.searchsorted(ends, LONGEST - len(_LONG), side="right"))][: len(segments) - half]
    while kept and kept[-1].isdigit():  # a part of a date, which is one only together with the next
        kept.pop()
    return "/".join([*(kept or [""]), _LONG])


def _date_parts(
    segments: pa.Array, codes: npt.NDArray[np.int64], offsets: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Return which of the segments, in the order of the paths, are a year, month or day of a plausible date."""
    year, month, day = (
        pc.match_substring_regex(segments, rf"^(?:{part})$").to_numpy(zero_copy_only=False)[codes]
        for part in ("(?:19|20)[0-9]{2}", "0[1-9]|1[0-2]", "0[1-9]|[12][0-9]|3[01]")
    )
    last = np.zeros(len(codes), np.bool_)
    last[offsets[1:] - 1] = True
    found = np.zeros(len(codes), np.bool_)
    pair = year[:-1] & month[1:] & ~last[:-1]
    found[:-1] |= pair
    found[1:] |= pair
    found[2:] |= pair[:-1] & day[2:] & ~last[1:-1]
    return found
