"""The verb that opens the app; without a verb it opens over the person's own jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from tui_batch.cli.app import open_demo


def demo(
    faults: Annotated[
        str | None, typer.Option("--faults", metavar="NAME=RATE,...", help="What goes wrong, as in simulate --faults.")
    ] = None,
) -> None:
    """Open the app on a temporary database with the simulator and a sample job: no key, no network."""
    open_demo(faults)
