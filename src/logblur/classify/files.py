"""What kind of file was asked for: a page, a part of one, or a download.

The policy's own patterns decide first. Then HTML is a page, whatever its path is called (a wiki's page *of* a picture);
then the extension of the path's last segment, then the type that the server said. What nothing tells is a page.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.growing import Grown
from logblur.policy.plan import Pages

_ASSETS: Final = """
    css less scss js mjs cjs jsx ts tsx map json webmanifest manifest wasm htc swf
    png jpg jpeg jpe gif webp avif svg svgz ico cur bmp tif tiff jxl heic heif
    woff woff2 ttf otf eot
    m3u8 mpd m4s vtt srt
"""
"""Parts of a page, which nobody asks for by themselves: code and the data it fetches, pictures, favicons among them (a
picture is rarely a page's purpose), fonts, pieces of a film that plays in place. `ts` is a script or such a piece."""

_DOWNLOADS: Final = """
    pdf ps eps djvu doc docx docm dot dotx xls xlsx xlsm xlsb xlt xltx ppt pptx pptm pps ppsx odt ods odp odg rtf
    pages numbers key csv tsv parquet ics vcf gpx kml kmz sql sqlite db mdb asice edoc p7m epub mobi azw azw3 fb2
    zip tar gz tgz bz2 tbz tbz2 xz txz zst lz lz4 lzma 7z rar cab z arj torrent
    exe msi msix appx dmg pkg deb rpm apk aab ipa jar war ear whl gem crx xpi iso img bin run appimage snap flatpak
    vhd vhdx ova qcow2
    mp3 m4a m4b ogg oga opus flac wav wma aac aif aiff mid midi mp4 m4v mkv webm mov avi wmv flv mpg mpeg 3gp ogv
    psd ai indd dwg dxf stl obj step shp geojson
"""
"""Files that people take away: documents, books, data, archives, programs, sound, films, drawings. Text, XML and feeds
are none of them: they are read in place, as pages."""

KINDS: Final = dict.fromkeys(_ASSETS.split(), "asset") | dict.fromkeys(_DOWNLOADS.split(), "download")
"""The kind of each extension; every other path is a page."""


_PLAIN: Final = Pages()

_TYPE: Final = r"^\s*(?P<type>[a-z0-9.+-]+/[a-z0-9.+-]+)\s*(?:[;,]|$)"
_ASSET_TYPES: Final = (
    r"^(?:image|font)/|^text/(?:css|javascript|ecmascript|vtt|x-component|event-stream)$"
    r"|^application/(?:x-|vnd\.ms-)?(?:javascript|ecmascript|json|wasm|protobuf|font[a-z0-9-]*|mpegurl)$"
    r"|^application/(?:dash\+xml|vnd\.apple\.mpegurl|grpc.*|graphql.*)$"
)
_DOWNLOAD_TYPES: Final = r"^(?:application|audio|video|chemical|model)/|^text/(?:csv|calendar|(?:x-)?vcard|rtf)$"
_READ_TYPES: Final = r"^application/(?:xml.*|.*\+xml|x-www-form-urlencoded|x-httpd-.*)$"
"""Read in place, as text is."""

_NOTHING: Final = 0
_EXTENSION: Final = {"asset": 1, "download": 2}
_PATTERN: Final = {"asset": 3, "download": 4}
_SORTS: Final = ("page", "asset", "download")
_SORT: Final = np.array(
    [  # by what the type says: nothing, a page, an asset, a download
        [0, 0, 1, 2],  # the path says nothing
        [1, 0, 1, 1],  # an asset, by its extension
        [2, 0, 2, 2],  # a download, by its extension
        [1, 1, 1, 1],  # an asset, by the policy
        [2, 2, 2, 2],  # a download, by the policy
    ],
    np.int32,
)


def kinds(
    paths: pa.DictionaryArray,
    types: pa.DictionaryArray | None = None,
    pages: Pages = _PLAIN,
    grown: Grown | None = None,
) -> pa.DictionaryArray:
    """Return for each row ``page``, ``asset`` or ``download``.

    Args:
        paths: dictionary<int32, large_string>; null says nothing.
        types: The content types that were sent, likewise; None where they are not logged.
        pages: Patterns that decide before all else.
        grown: What was made of paths so far.

    Returns:
        dictionary<int32, string>, without nulls.

    Cost:
        One regular expression in linear time and one hash look-up a distinct value, all within Arrow. Per row: nothing
        without types, a look-up with them.
    """
    grown = Grown() if grown is None else grown
    by_path = np.asarray(grown.of(("path", pages), paths.dictionary, lambda texts: _by_path(texts, pages)))
    if types is None or types.dictionary.null_count == len(types.dictionary):
        said = pa.array(_SORTS).take(pa.array(_SORT[by_path, _NOTHING]))
        return pa.DictionaryArray.from_arrays(paths.indices, said, safe=False)
    by_type = _by_type(types.dictionary)
    sorts = _SORT[by_path[np.asarray(paths.indices)], by_type[np.asarray(types.indices)]]
    return pa.DictionaryArray.from_arrays(pa.array(sorts), pa.array(_SORTS), safe=False)


def _by_path(paths: pa.Array, pages: Pages) -> pa.Array:
    """Return what each path says, as a row of `_SORT`."""
    # Parameters after a semicolon, such as a session's number, may follow the name.
    found = pc.extract_regex(paths, r"\.(?P<extension>[0-9A-Za-z]{1,11})(?:;[^/]*)?$")
    extensions = pc.utf8_lower(pc.struct_field(found, "extension"))
    places = pc.index_in(extensions, pa.array(list(KINDS), pa.large_string()))
    said = pc.fill_null(pa.array([_EXTENSION[kind] for kind in KINDS.values()], pa.int8()).take(places), _NOTHING)
    for kind, patterns in (("download", pages.downloads), ("asset", pages.assets)):
        for pattern in patterns:
            matches = pc.fill_null(pc.match_substring_regex(paths, pattern), False)
            said = pc.if_else(matches, pa.scalar(_PATTERN[kind], pa.int8()), said)
    return said


def _by_type(types: pa.Array) -> npt.NDArray[np.int8]:
    """Return what each content type says, as a column of `_SORT`."""
    names = pc.struct_field(pc.extract_regex(pc.utf8_lower(types), _TYPE), "type")
    said = pa.repeat(pa.scalar(_NOTHING, pa.int8()), len(types))
    for number, pattern in (
        (3, _DOWNLOAD_TYPES),
        (2, _ASSET_TYPES),
        (0, _READ_TYPES),
        (2, r"\+json$"),
        (1, r"^(?:text/html|application/xhtml\+xml)$"),
    ):  # the later decides
        matches = pc.fill_null(pc.match_substring_regex(names, pattern), False)
        said = pc.if_else(matches, pa.scalar(number, pa.int8()), said)
    return np.asarray(said)
