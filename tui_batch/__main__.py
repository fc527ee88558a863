"""The console script; `python -m tui_batch` is the same as `llmbatch-tui`."""

from __future__ import annotations

import sys


def main() -> int:
    """Opens the app, or loads the command line and runs it. Ctrl-C ends it quietly even while it is being loaded."""
    try:
        from tui_batch.text_streams import open_missing

        open_missing()
        from tui_batch.cli.app import bare
        from tui_batch.cli.ending import code_of

        if (open_app := bare(sys.argv[1:])) is not None:
            return code_of(open_app)
        from tui_batch.cli.main import main as command_line
    except KeyboardInterrupt:
        return 130
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
