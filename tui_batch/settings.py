"""A person's settings: endpoints, prices, defaults. A YAML file, the environment and flags become one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tui_batch.domain.endpoint import Endpoint
from tui_batch.money.prices import OwnPrice, OwnWindow
from tui_batch.paths import default_db, has_settings, settings_file
from tui_batch.providers.catalog import known


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every job of this person."""

    endpoints: tuple[Endpoint, ...] = ()
    """Configured endpoints; one of a known provider's name replaces that provider's own entry."""
    default_endpoint: str = ""
    default_model: str = ""
    prices: tuple[OwnPrice, ...] = ()
    windows: tuple[OwnWindow, ...] = ()
    day_budget_nano: int | None = None
    """Nano-dollars that all jobs together may spend on a day (UTC); None: no cap."""
    ca_file: Path | None = None
    """PEM certificates to trust besides the usual ones."""
    gpu_exporters: tuple[str, ...] = ()
    """Addresses of Prometheus exporters that tell of other machines' GPUs."""
    db: Path = field(default_factory=default_db)
    path: Path | None = None
    """The file these settings came from; None: there is none."""

    def endpoint(self, name: str) -> Endpoint | None:
        """A configured endpoint, or a known provider by its name."""
        configured = next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)
        return configured or known(name)


def load_settings(path: Path | None = None) -> Settings:
    """Reads the settings file; without one, the defaults. Blocks.

    `path` given must exist; the usual place need not. Raises InputError naming file, line and field.
    """
    file = path or settings_file()
    if path is None and not has_settings():
        return Settings()
    from tui_batch.settings_file import read_settings  # its schema takes long to build, and most people have no file

    return read_settings(file)
