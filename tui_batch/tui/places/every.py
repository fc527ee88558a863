"""The six places, in the order of their keys. Imported once the first of them stands: the others take long to load."""

from __future__ import annotations

from tui_batch.tui.place import Place
from tui_batch.tui.places.endpoints import EndpointsPlace
from tui_batch.tui.places.errors import ErrorsPlace
from tui_batch.tui.places.gpu import GpuPlace
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.places.log import LogPlace

PLACES: tuple[type[Place], ...] = (JobsPlace, ItemsPlace, ErrorsPlace, EndpointsPlace, GpuPlace, LogPlace)
