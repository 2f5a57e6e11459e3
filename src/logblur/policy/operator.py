"""Where an operator's keys come from: ``[keys]``. What they are never stands in a policy."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from logblur.policy.plan import Kind
from logblur.policy.rules import Model, Name

NO_MATERIAL: Final = (
    'should say where the key comes from, such as { file = "/etc/logblur/archive.key" }, { env = "NAME" } or '
    "{ fd = 3 }: the key itself never stands in a policy"
)

_HEX: Final = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64}")
_BASE64: Final = re.compile(r"[0-9A-Za-z+/_-]{22}==|[0-9A-Za-z+/_-]{43}=")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def _file(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or len(value) > 500 or _BASE64.fullmatch(value):
        raise ValueError("should be an absolute path: programs that start at night start elsewhere")
    return value


def _variable(value: str) -> str:
    if _HEX.fullmatch(value):
        raise ValueError("should name an environment variable; the key itself never stands in a policy")
    if not _VARIABLE.fullmatch(value):
        raise ValueError("should be the name of an environment variable")
    return value


class KeyPlace(Model):
    """Where one key comes from: a file, an environment variable, or an open file descriptor; one of them."""

    file: Annotated[str, AfterValidator(_file)] | None = None
    env: Annotated[str, AfterValidator(_variable)] | None = None
    fd: Annotated[int, Field(ge=3, le=1023)] | None = None

    @model_validator(mode="after")
    def _one(self) -> KeyPlace:
        if len(self.model_fields_set) != 1:
            raise ValueError(NO_MATERIAL)
        return self

    def said(self) -> tuple[Kind, str]:
        """Return which of the three it is, and where."""
        kind: Kind = "file" if self.file else "env" if self.env else "fd"
        return kind, str(getattr(self, kind))


Keys = dict[Name, KeyPlace]
