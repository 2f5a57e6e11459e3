"""What kind of file a path names, by the extension of its last segment: a page, a part of one, or a download."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

ASSETS: Final = frozenset(
    "css less scss js mjs cjs jsx ts tsx map json webmanifest manifest wasm htc swf "  # code, and data that code fetches
    "png jpg jpeg jpe gif webp avif svg svgz ico cur bmp tif tiff jxl heic heif "  # images, favicons among them
    "woff woff2 ttf otf eot "  # fonts
    "m3u8 mpd m4s vtt srt".split()  # pieces of a film that plays within a page
)
"""Parts of a page: nobody asks for them by themselves. `ts` is a piece of a film or a script; both are parts."""

DOWNLOADS: Final = frozenset(
    "pdf ps eps djvu doc docx docm dot dotx xls xlsx xlsm xlsb xlt xltx ppt pptx pptm pps ppsx odt ods odp odg rtf pages numbers key "
    "csv tsv parquet ics vcf gpx kml kmz sql sqlite db mdb asice edoc p7m "  # documents and data
    "epub mobi azw azw3 fb2 "  # books
    "zip tar gz tgz bz2 tbz tbz2 xz txz zst lz lz4 lzma 7z rar cab z arj "  # archives
    "exe msi msix appx dmg pkg deb rpm apk aab ipa jar war ear whl gem crx xpi iso img bin run appimage snap flatpak vhd vhdx ova qcow2 "
    "torrent mp3 m4a m4b ogg oga opus flac wav wma aac aif aiff mid midi "  # sound
    "mp4 m4v mkv webm mov avi wmv flv mpg mpeg 3gp ogv "  # films
    "psd ai indd dwg dxf stl obj step shp geojson".split()
)
"""Files that people take away. A picture is an asset: almost all are parts of pages. Text, XML and feeds are pages: read in place."""


def kinds(paths: pa.Array) -> pa.Array:
    """Return for each path ``page``, ``asset`` or ``download``.

    Args:
        paths: large_string, distinct values; null is a page.

    Returns:
        string, without nulls.

    Cost:
        One regular expression in linear time and one hash look-up a value, all in Rust.
    """
    import polars as pl

    # The end of a path is enough, and bounds the work: parameters after a semicolon (a session's number) may follow.
    series = pl.Series("path", pl.from_arrow(paths), dtype=pl.String)
    extension = series.str.extract(r"\.([0-9A-Za-z]{1,11})(?:;[^/]*)?$").str.to_lowercase()
    kind = dict.fromkeys(ASSETS, "asset") | dict.fromkeys(DOWNLOADS, "download")
    return (
        extension.replace_strict(kind, default="page", return_dtype=pl.String)
        .fill_null("page")
        .to_arrow()
        .cast(pa.string())
    )
