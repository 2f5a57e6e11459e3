"""Finds what identifies a person inside text, by its form, and puts a word in braces in its place.

Each *distinct* text is treated once, by regular expressions in linear time over whole columns (Arrow's RE2). What is
encoded, and what only a check digit can tell, is treated one by one, and is rare. What each kind is told by, and how
well, stands in docs/detection.md.

    spelling.py    undoes encodings
    patterns.py    the regular expressions
    numbers.py     check digits: cards, accounts, national codes
    words.py       what looks random, and what hides an e-mail address in base64
    parameters.py  parameters of a query whose name tells what their value is
    sweep.py       all of it together
"""

from __future__ import annotations

from logblur.protect.detect.parameters import named
from logblur.protect.detect.spelling import LONGEST_READ, spelled
from logblur.protect.detect.sweep import Rules, kinds, swept, without_addresses

__all__ = ["LONGEST_READ", "Rules", "kinds", "named", "spelled", "swept", "without_addresses"]
