"""`python -m tui_batch` is the same as `llmbatch-tui`."""

from __future__ import annotations

import sys

from tui_batch.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
