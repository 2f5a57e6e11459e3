"""How kernels are compiled, and where what was compiled is kept.

Numba's own cache key sees only the file of the outermost function, so an edited inner kernel would silently stay old.
Here the cache folder itself is named by a digest of *every* kernel source, of Numba's version and of Python's, and it
lies in a folder that belongs to the user alone: a cache holds machine code, so one that others can write is never used.
Without such a folder kernels still work; they are then compiled anew in each process (`cache_folder` is None).
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite.binding import ffi
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

F = TypeVar("F", bound=Callable[..., Any])

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Places = npt.NDArray[np.uint32]  # unsigned: that an index is not negative need not be checked


def _sources_digest() -> str:
    package = Path(__file__).parent.parent
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in sorted([*package.glob("jit/*.py"), *package.glob("*/*kernel*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:24]


def _private(folder: Path) -> bool:
    """Whether the folder is ours alone; it is made where it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
    return ours and not found.st_mode & 0o077 and os.access(folder, os.W_OK)


def _choose_cache_folder() -> Path | None:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    root = Path(home) / "logblur"
    if not root.is_absolute() or not _private(root):
        return None
    folder = root / f"kernels-{_sources_digest()}"
    return folder if _private(folder) else None


def _let_llvm_be_untimed() -> None:
    """Let Numba not note each call of LLVM: it makes a hundred and more to load a kernel, and noting takes as long."""
    with suppress(AttributeError):
        ffi.lib._lock._cblist.clear()


_let_llvm_be_untimed()

cache_folder: Final[Path | None] = _choose_cache_folder()
"""Where compiled kernels are kept, or None where no folder is the user's alone and writable."""

if cache_folder is not None:
    numba.config.CACHE_DIR = str(cache_folder)


def notice() -> str:
    """Return what people should know before kernels are first called in this process; empty where there is nothing."""
    if cache_folder is None:
        return (
            "no cache folder is writable and this user's alone, so each run compiles its kernels anew, half a minute: "
            "give one with XDG_CACHE_HOME"
        )
    if not any(cache_folder.rglob("*.nbc")):
        return "compiling the kernels, once for this version: about half a minute"
    return ""


_OPTIONS: Final[dict[str, Any]] = {
    "nogil": True, "boundscheck": True, "error_model": "numpy",
    "no_cfunc_wrapper": True,  # C does not call them: an eighth of the time to compile
}  # fmt: skip


class _Compiled(FunctionCache):  # type: ignore[misc]
    """What was compiled of one kernel. To load it takes nothing of all that Numba knows of types and functions."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature, None where there is none yet."""
        rtsys.initialize(target_context)  # of `refresh`, which takes five times as long, what machine code calls
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def _cached(compiled: Any, function: F) -> F:
    if cache_folder is not None:
        compiled._cache = _Compiled(function)  # what `enable_caching` does
    return cast("F", compiled)


def kernel(function: F) -> F:
    """Compile on first call: releases the GIL, bounds checked, cached where `cache_folder` allows."""
    return _cached(numba.njit(**_OPTIONS)(function), function)


def lean_kernel(function: F) -> F:
    """Compile one that allocates nothing: its arrays are not counted, which costs time in every loop that calls."""
    return _cached(numba.njit(**_OPTIONS, _nrt=False)(function), function)


def brief_kernel(function: F) -> F:
    """Compile a lean one that keeps the GIL: to have it back, where others want it, would take longer than the work."""
    return _cached(numba.njit(**{**_OPTIONS, "nogil": False}, _nrt=False)(function), function)


def inline(function: F) -> F:
    """Compile into each kernel that calls it, as machine code. It allocates nothing, and Python cannot call it."""
    compiled: F = numba.njit(**_OPTIONS, _nrt=False, forceinline=True, no_cpython_wrapper=True)(function)
    return compiled


def inline_source(function: F) -> F:
    """Compile into each kernel that calls it, as source: slower to compile, sometimes faster to run."""
    compiled: F = numba.njit(nogil=True, boundscheck=True, error_model="numpy", inline="always")(function)
    return compiled


def grown(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """Return the array, or a copy of it with room for at least ``rows`` rows (a power of two), the rest zero."""
    if rows <= len(array):
        return array
    new = np.zeros((1 << max(10, int(rows - 1).bit_length()), *array.shape[1:]), array.dtype)
    new[: len(array)] = array
    return new
