"""Fuzzes one target for some seconds, from its seeds on: ``python -m tests.fuzz.run json --seconds 60``.

Needs atheris. A crash leaves its input in the current folder; it becomes a case in tests/corpus, and is mended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

import logblur.parse.parser  # noqa: F401  # with its kernels, which Numba cannot compile once the fuzzer sees into them

with atheris.instrument_imports(include=["logblur"]):
    from .targets import TARGETS


def main() -> None:
    """Fuzz until the time is over; ends with another code than 0 where something was found."""
    parser = argparse.ArgumentParser(description="Fuzz one target.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    seeds = Path(__file__).parent / "seeds" / options.target
    with tempfile.TemporaryDirectory() as found:
        limits = [f"-max_total_time={options.seconds}", "-max_len=2000", "-timeout=20", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, found, str(seeds)], TARGETS[options.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
