"""Verbs about this machine and the servers it can reach: models, endpoints, doctor, paths, cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch import paths as places
from tui_batch.cli.arguments import JsonOption, YesOption
from tui_batch.cli.console import RIGHT, confirm, put_hanging, put_json, put_pairs, put_table, say
from tui_batch.cli.exits import Exit
from tui_batch.cli.opening import desk, run
from tui_batch.cli.where import DbOption, SettingsOption, Where, leave, where

if TYPE_CHECKING:
    from tui_batch.domain.stored import CacheStats
    from tui_batch.work.reach import Listing


def models(
    ctx: typer.Context,
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="Only this one.")] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", metavar="URL", help="Any compatible server.")] = None,
    as_json: JsonOption = False,
    settings: SettingsOption = None,
) -> None:
    """List the models that can be reached."""
    from tui_batch.work.reach import list_everything

    place = where(ctx, None, settings)
    listings = run(list_everything(place.settings, endpoint, base_url))
    if as_json:
        from tui_batch.work.json_shapes import listing_json

        put_json([listing_json(listing) for listing in listings])
    else:
        _put_models(listings, place)
    named = endpoint is not None or base_url is not None
    if any(listing.trouble for listing in listings) and (named or not any(listing.models for listing in listings)):
        raise leave(Exit.USAGE)


def _put_models(listings: list[Listing], place: Where) -> None:
    rows = [
        (
            model.id,
            listing.endpoint.name,
            "?" if model.context_length is None else figures.count(model.context_length),
            model.detail,
        )
        for listing in listings
        for model in listing.models
    ]
    if rows:
        put_table(("MODEL", "ENDPOINT", f"{RIGHT}CONTEXT", "DETAIL"), rows)
    for listing in listings:
        if listing.trouble:
            say(listing.trouble)
        elif not listing.models:
            say(f"{listing.endpoint.name} ({listing.endpoint.base_url}) answers, and names no models")
    if not listings:
        say("no server found on this machine and no key in the environment")
        say(f"See what is known: {place.command('endpoints')}")


def endpoints(ctx: typer.Context, as_json: JsonOption = False, settings: SettingsOption = None) -> None:
    """List the endpoints: your own and the known ones."""
    from tui_batch.work.reach import all_endpoints

    entries = run(all_endpoints(where(ctx, None, settings).settings))
    if as_json:
        from tui_batch.work.json_shapes import endpoint_json

        put_json([endpoint_json(entry) for entry in entries])
        return
    rows = [
        (
            entry.endpoint.name,
            entry.endpoint.api.value,
            entry.status,
            str(entry.endpoint.key).removeprefix("env:"),
            entry.endpoint.base_url,
        )
        for entry in entries
    ]
    put_table(("NAME", "API", "STATUS", "KEY", "BASE URL"), rows)


def doctor(ctx: typer.Context, db: DbOption = None, settings: SettingsOption = None) -> None:
    """Check this machine and what it can reach.

    Versions, files, keys (names only), local servers, GPUs.
    """
    from tui_batch.cli.checkup import checkup

    checks = run(checkup(where(ctx, db, settings)))
    for check in checks:
        put_hanging(f"{'ok ' if check.ok else '!! '} {check.name:<12} ", check.words)
    if not all(check.ok for check in checks):
        raise leave(Exit.UNEXPECTED)


def paths(
    ctx: typer.Context, as_json: JsonOption = False, db: DbOption = None, settings: SettingsOption = None
) -> None:
    """Print every path that is used."""
    place = where(ctx, db, settings)
    used: list[tuple[str, Path]] = [
        ("database", place.db.absolute()),
        ("settings", (place.settings or places.settings_file()).absolute()),
        ("keymap", places.user_keymap()),
        ("themes", places.user_themes()),
        ("state", places.state_dir()),
        ("logs", places.log_dir()),
        ("shipped themes", places.shipped("themes")),
        ("sample jobs", places.shipped("sample_jobs")),
    ]
    if as_json:
        put_json({name.replace(" ", "_"): str(path) for name, path in used})
        return
    put_pairs([(name, f"{path}{'' if os.path.exists(path) else '  (not there yet)'}") for name, path in used])


def cache_stats(ctx: typer.Context, as_json: JsonOption = False, db: DbOption = None) -> None:
    """What the cache holds and has saved."""
    stats = run(_cache_stats(where(ctx, db, None)))
    if as_json:
        from tui_batch.report.money_json import cache_json

        put_json(cache_json(stats))
        return
    put_pairs(
        [
            ("answers", figures.count(stats.entries)),
            ("size", figures.size(stats.bytes)),
            ("hits", figures.count(stats.hits)),
            ("saved", figures.dollars(stats.saved_nano)),
        ]
    )


async def _cache_stats(place: Where) -> CacheStats:
    async with desk(place) as at:
        return await at.store.cache.stats()


def cache_clear(
    ctx: typer.Context,
    older_than_days: Annotated[
        float | None, typer.Option("--older-than-days", metavar="N", min=0, help="Only older answers.")
    ] = None,
    yes: YesOption = False,
    db: DbOption = None,
) -> None:
    """Forget the stored answers. Jobs keep theirs."""
    place = where(ctx, db, None)
    stats = run(_cache_stats(place))
    if not stats.entries:
        say("the cache is empty")
        return
    which = "the" if older_than_days is None else f"those older than {older_than_days:g} days of the"
    confirm(f"Forget {which} {figures.things(stats.entries, 'answer')} in the cache?", yes=yes)
    say(f"forgotten: {figures.things(run(_cache_clear(place, older_than_days)), 'answer')}")


async def _cache_clear(place: Where, older_than_days: float | None) -> int:
    import time

    async with desk(place) as at:
        bound = None if older_than_days is None else time.time() - older_than_days * 86_400
        return await at.store.cache.clear(bound)


CACHE = typer.Typer(help="The response cache: see or clear it.", rich_markup_mode=None, add_completion=False)
"""`cache stats` and `cache clear`."""
CACHE.command("stats")(cache_stats)
CACHE.command("clear")(cache_clear)
