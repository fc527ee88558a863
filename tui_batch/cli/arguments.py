"""Arguments and options that several verbs share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

JobArgument: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="A job's number, or its name.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

ClassOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="CLASS", help="Dead items of this error class. May be given again."),
]
ItemOption: TypeAlias = Annotated[
    list[int] | None, typer.Option("--item", metavar="ID", help="A dead item, by its id. May be given again.")
]
CustomIdOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--custom-id", metavar="ID", help="A dead item, by its custom_id. May be given again."),
]
