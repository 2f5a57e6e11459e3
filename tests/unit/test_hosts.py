"""Sites: what a request asked for is published only where it can be a name."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logblur.protect.hosts import sites


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("WWW.Example.com:443", "www.example.com"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("203.0.113.7", "(none)"),
        ("[2001:db8::1]:443", "(none)"),
        ("fe80::1", "(none)"),
        ("203.0.113.7.nip.example", "(none)"),
        ("203-0-113-7.dyn.example", "(none)"),
        ("7.113.0.203.in-addr.arpa", "(none)"),
        ("2130706433", "(none)"),
        ("(other)", "(none)"),
        ("a b.example", "(none)"),
        ("x" * 300 + ".example", "(none)"),
        (None, "(none)"),
    ],
)
def test_only_names_are_sites(host: str | None, site: str) -> None:
    """A name passes in lower case without its port; an address, or a name that spells one, does not."""
    assert sites(pa.array([host], pa.large_string())).to_pylist() == [site]
