"""Arguments and options that several verbs share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

JobArgument: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="A job's number, or its name.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
