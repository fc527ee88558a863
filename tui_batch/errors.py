"""Errors meant for a person: what is wrong, where, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """A mistake or circumstance that a person can mend. Shown as its text, never as a traceback.

    `remedy` says what to do next, as a sentence or a command to paste.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class InputError(UserError):
    """Bad input: names the file, the line (from 1, where there is one) and the field."""

    def __init__(self, path: str, reason: str, *, line: int | None = None, field: str = "", remedy: str = "") -> None:
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {field + ': ' if field else ''}{reason}", remedy=remedy)
        self.path = path
        self.line = line
        self.field = field
        self.reason = reason
