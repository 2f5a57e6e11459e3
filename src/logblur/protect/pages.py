"""One page, one path: index files and trailing slashes, as a policy wants them written."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from logblur.policy.plan import Pages


def written(paths: pa.Array, pages: Pages) -> pa.Array:
    """Return templates of paths (string) as the policy writes them: ``/a/index.html`` as ``/a/``, ``/a/`` as ``/a``.

    Privacy:
        Only ever cuts what `paths.template` let through.
    """
    if pages.index:
        names = "|".join(map(re.escape, pages.index))
        paths = pc.replace_substring_regex(paths, rf"/(?:{names})$", "/")
    if pages.drop_slash:
        paths = pc.replace_substring_regex(paths, r"^(.+?)/+$", r"\1")
    return paths
