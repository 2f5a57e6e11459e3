"""``logblur filter``: the same lines, in the same format, protected. Records stay personal data.

layout.py    what stands between the fields of a line
printing.py  how a text is written so that it is read again
slow.py      one line at a time, without kernels
fast.py      blocks of lines, by kernels
pieces.py    what these put in the place of each field
lines.py     which of the two, and what becomes of lines that do not fit
streams.py   pipes and files to standard output, files in place
"""

from logblur.filtering.streams import Stop, Summary, filter_logs

__all__ = ["Stop", "Summary", "filter_logs"]
