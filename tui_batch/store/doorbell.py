"""Tells for next to nothing whether anyone may have written to the database since the last look."""

from __future__ import annotations

import os
from pathlib import Path


class Doorbell:
    """Watches the write-ahead log: every commit writes there, whichever process makes it.

    A commit in the same instant as a look, or on a system that notes times late (Windows), may go unnoticed: who
    listens should look into the database now and then all the same.
    """

    def __init__(self, path: Path) -> None:
        self._log = f"{path}-wal"
        self._seen: tuple[int, int] | None = None

    def rang(self) -> bool:
        """Whether the log has changed since the last call, or cannot be looked at. One system call."""
        try:
            status = os.stat(self._log)
        except OSError:
            self._seen = None
            return True
        now = (status.st_mtime_ns, status.st_size)
        before, self._seen = self._seen, now
        return now != before
