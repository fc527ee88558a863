"""From a file to a running job, without leaving the app."""

from tui_batch.tui.screens.new_job.screen import NewJobScreen

__all__ = ["NewJobScreen"]
