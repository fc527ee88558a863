"""The JSON Schema that answers must meet: read from a file, and checked to be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tui_batch.domain.request import Json
from tui_batch.errors import InputError
from tui_batch.inputs.json_text import read_json

MAX_BYTES = 4 * 1024 * 1024
"""Of a file with a schema. No server takes one nearly as large."""


class NoSchema(ValueError):
    """What was given is no JSON Schema."""

    def __init__(self, reason: str, where: tuple[str | int, ...] = ()) -> None:
        super().__init__(reason)
        self.where = where
        """The keys and positions that lead to what is wrong."""


def check_schema(schema: Json) -> dict[str, Any]:
    """The schema, when it is one. Raises NoSchema with words."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(schema, dict):
        raise NoSchema("is not a JSON Schema: it must be an object")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise NoSchema(f"is not a JSON Schema: {error.message}", tuple(error.absolute_path)) from None
    except RecursionError:
        raise NoSchema("is nested too deeply for a JSON Schema") from None
    return schema


def read_schema(path: Path) -> dict[str, Any]:
    """The schema in a file. Raises InputError naming the file, and where in it."""
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(name, f"is larger than {MAX_BYTES // 1024} KiB", remedy="Name a file with a JSON Schema.")
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(name, "is not valid UTF-8", remedy="Save it as UTF-8.") from None
    except (OSError, ValueError) as error:  # ValueError: no path at all
        why = getattr(error, "strerror", None) or error
        raise InputError(name, f"cannot be read: {why}", remedy="Name a file that holds a JSON Schema.") from None
    try:
        return check_schema(read_json(text))
    except NoSchema as error:
        where = ".".join(map(str, error.where))
        raise InputError(name, str(error), field=where, remedy="Mend the schema.") from None
    except ValueError as error:
        raise InputError(name, str(error), remedy="Mend the file.") from None
