"""What kind of file a path names, by the extension of its last segment: a page, a part of one, or a download."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

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


def kinds(paths: pa.Array, pages: Pages = _PLAIN) -> pa.Array:
    """Return for each path ``page``, ``asset`` or ``download``.

    Args:
        paths: large_string, distinct values; null is a page.
        pages: Patterns that decide before the extension does.

    Returns:
        string, without nulls.

    Cost:
        One regular expression in linear time and one hash look-up a value, all within Arrow.
    """
    # Parameters after a semicolon, such as a session's number, may follow the name.
    found = pc.extract_regex(paths, r"\.(?P<extension>[0-9A-Za-z]{1,11})(?:;[^/]*)?$")
    extensions = pc.utf8_lower(pc.struct_field(found, "extension"))
    places = pc.index_in(extensions, pa.array(list(KINDS), pa.large_string()))
    said = pc.fill_null(pa.array(list(KINDS.values()), pa.string()).take(places), "page")
    for kind, patterns in (("download", pages.downloads), ("asset", pages.assets)):
        for pattern in patterns:
            said = pc.if_else(pc.fill_null(pc.match_substring_regex(paths, pattern), False), kind, said)
    return said
