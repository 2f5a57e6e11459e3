"""Where a request came from, beyond the domain: the site, and the page on it."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.placeholders import NONE
from logblur.protect.detect import Rules
from logblur.protect.hosts import sites
from logblur.protect.paths import Templates

_PARTS: Final = r"^(?P<scheme>(?i:https?))://(?:[^/?#]*@)?(?P<host>[^/?#@]*)(?P<path>(?:/[^?#]*)?)"


def origins(referrers: pa.Array) -> pa.Array:
    """Return scheme and host of each referrer (large_string), ``https://www.example.org``; ``(none)`` for no web site.

    Privacy:
        Neither user information, port, path nor query; a host that is an address, or spells one, is ``(none)``.
    """
    parts = pc.extract_regex(referrers, _PARTS)
    names = sites(pc.struct_field(parts, "host"))
    scheme = pc.utf8_lower(pc.struct_field(parts, "scheme")).cast(pa.string())
    made = pc.binary_join_element_wise(scheme, names, "://")
    return pc.if_else(pc.or_(parts.is_null(), pc.equal(names, NONE)), NONE, made)


def pages(referrers: pa.Array, templates: Templates, own: Rules) -> pa.Array:
    """Return the origin of each referrer with the template of its path, as of any path; its query is dropped."""
    found = origins(referrers)
    paths = pc.struct_field(pc.extract_regex(referrers, _PARTS), "path").cast(pa.large_string())
    made = pc.binary_join_element_wise(found, templates.of(paths, own), "")
    return pc.if_else(pc.equal(found, NONE), NONE, made)
