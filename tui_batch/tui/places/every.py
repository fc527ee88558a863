"""The places beside the first, in the order of their keys. Each is loaded in its turn, as that takes a while."""

from __future__ import annotations

from collections.abc import Callable

from tui_batch.tui.place import Place


def _items() -> type[Place]:
    from tui_batch.tui.places.items import ItemsPlace

    return ItemsPlace


def _errors() -> type[Place]:
    from tui_batch.tui.places.errors import ErrorsPlace

    return ErrorsPlace


def _endpoints() -> type[Place]:
    from tui_batch.tui.places.endpoints import EndpointsPlace

    return EndpointsPlace


def _gpu() -> type[Place]:
    from tui_batch.tui.places.gpu import GpuPlace

    return GpuPlace


def _log() -> type[Place]:
    from tui_batch.tui.places.log import LogPlace

    return LogPlace


LATER: tuple[Callable[[], type[Place]], ...] = (_items, _errors, _endpoints, _gpu, _log)
"""What loads them."""
