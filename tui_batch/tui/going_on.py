"""What a process does that was stopped from outside and is told to go on: it takes its terminal anew, once.

Textual answers SIGCONT by taking the terminal, whether it was left before or not. A process that was stopped by SIGSTOP
never left it: a second thread would read keys beside the first and keep the process alive at its end, and the terminal
would be given back as the app had set it, without echo. One that is just leaving would take the terminal again.
"""

from __future__ import annotations

from textual.driver import Driver


class GoingOnDriver(Driver):
    """A mix-in for Textual's drivers that hear SIGCONT; for others it changes nothing."""

    _must_signal_resume: bool
    """Textual's: the terminal was left for ctrl+z, and is to be taken again."""
    _has_terminal = False
    is_back_at_once = False
    """Whether the terminal that is being left is taken again in the same breath."""

    def start_application_mode(self) -> None:
        """Takes the terminal."""
        self._has_terminal = True
        super().start_application_mode()  # type: ignore[safe-super]  # a real driver's comes next

    def stop_application_mode(self) -> None:
        """Gives it back."""
        self._has_terminal = False
        super().stop_application_mode()  # type: ignore[safe-super]

    def _sigcont_application(self, *_: object) -> None:
        """Textual's handler of SIGCONT."""
        if self._must_signal_resume:
            super()._sigcont_application()  # type: ignore[misc]  # of Textual's driver for POSIX systems
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._go_on)  # not here, in the middle of whatever the signal came into

    def _go_on(self) -> None:
        if not self._has_terminal or not self._auto_restart:
            return
        self.is_back_at_once = True
        try:
            self.suspend_application_mode()
            self._must_signal_resume = True  # so that all is drawn anew
            self.resume_application_mode()
        finally:
            self.is_back_at_once = False


def going_on(base: type[Driver]) -> type[Driver]:
    """A driver class that may be stopped and told to go on at any moment."""
    return type("GoingOn" + base.__name__, (GoingOnDriver, base), {})
