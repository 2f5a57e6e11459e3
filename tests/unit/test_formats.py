"""LogFormat strings: what is compiled, and what is refused at which place."""

from __future__ import annotations

import pytest

from logblur.errors import FormatError
from logblur.formats import resolve_format


def test_what_is_logged_twice_is_read_once() -> None:
    """Of a request line and its parts, and of two addresses, the first counts; parts alone all count."""
    both = resolve_format('%h %a %t "%r" %m %U')
    assert [field.name for field in both.fields] == ["remote_addr", "", "time", "request", "", ""]
    parts = resolve_format('%h %t %m %U %H "%r"')
    assert [field.name for field in parts.fields] == ["remote_addr", "time", "method", "path", "protocol", ""]


@pytest.mark.parametrize(
    ("text", "position"), [("%h%u %t", 2), ("%h %Y %t", 3), ("%h %{x} %t", 3), ("%h %l %u", None), ("nonsense", None)]
)
def test_a_wrong_format_is_refused_with_its_place(text: str, position: int | None) -> None:
    """Directives that run together, unknown ones, and a format without a time are refused."""
    with pytest.raises(FormatError) as caught:
        resolve_format(text)
    assert caught.value.position == position
