"""Verbs about money: what was spent, what models cost, what a job will cost."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import JsonOption
from tui_batch.cli.console import RIGHT, put_json, put_pairs, put_table, say
from tui_batch.cli.flags import JobFlags, taking
from tui_batch.cli.opening import desk, run
from tui_batch.cli.parsing import parse_day
from tui_batch.cli.where import DbOption, SettingsOption, Where, where
from tui_batch.domain.job import NANO
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from tui_batch.domain.endpoint import Endpoint
    from tui_batch.domain.spending import Spent
    from tui_batch.money.prices import UnitPrices
    from tui_batch.work.estimating import Estimate
    from tui_batch.work.spending import CostLine


def cost(
    ctx: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="model, endpoint, day, job or tag.NAME.")] = "model",
    since: Annotated[str, typer.Option("--since", metavar="DAY", help="From this day on, such as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="DAY", help="Up to this day.")] = "",
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """What was spent, over all jobs, deleted ones included. Days are in UTC."""
    from tui_batch.work.spending import total

    lines = run(_cost(where(ctx, db, None), by, since, until))
    if as_json:
        from tui_batch.report.money_json import spent_json

        put_json([{"name": line.name, **spent_json(line.spent)} for line in lines])
        return
    if not lines:
        say("nothing was spent")
        return
    rows = [_row(line.name, line.spent) for line in lines]
    columns = (by.upper(), *(f"{RIGHT}{name}" for name in ("REQUESTS", "CACHED", "TOKENS IN", "OUT", "COST", "SAVED")))
    put_table(columns, [*rows, _row("total", total(lines))] if len(rows) > 1 else rows)
    if presumed := total(lines).presumed_nano:
        say(f"Besides, up to {figures.dollars(presumed)} for requests whose cost nobody will know (docs/money.md).")


async def _cost(place: Where, by: str, since: str, until: str) -> list[CostLine]:
    from tui_batch.work.spending import LAST_DAY, cost_by

    since, until = parse_day("--since", since), parse_day("--until", until) or LAST_DAY
    if since > until:
        raise UserError(f"--since {since} is after --until {until}", remedy="Give the earlier day first.")
    async with desk(place) as at:
        return await cost_by(at.store, by, since, until)


def _row(name: str, spent: Spent) -> tuple[str, ...]:
    counts = (spent.requests, spent.cached, spent.tokens_in, spent.tokens_out)
    saved = figures.dollars(spent.saved_nano) if spent.saved_nano else "-"
    return (name, *map(figures.count, counts), figures.known_cost(spent.cost_nano, spent.unpriced), saved)


def prices(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its name, such as gpt-4o-mini.")],
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="Where it is served.")] = None,
    as_json: JsonOption = False,
    settings: SettingsOption = None,
) -> None:
    """What a model costs, as a run bills it, and where that is from."""
    from tui_batch.settings import load_settings
    from tui_batch.work.spending import price_of

    found = price_of(model, endpoint, load_settings(where(ctx, None, settings).settings))
    held = found.prices
    if as_json:
        from tui_batch.report.money_json import prices_json

        about = {"model": model, "endpoint": found.endpoint.name, "context_window": found.window}
        put_json({**about, "prices": None if held is None else prices_json(held)})
        return
    put_pairs(
        [
            ("model", f"{model} @ {found.endpoint.name}"),
            *(_price_pairs(held, found.endpoint) if held is not None else [("price", "?")]),
            ("context", "?" if found.window is None else f"{figures.count(found.window)} tokens"),
        ]
    )
    if held is None:
        say("Its price is unknown. Give your own in the settings, under prices (docs/settings.md).")


def _price_pairs(held: UnitPrices, endpoint: Endpoint) -> list[tuple[str, str]]:
    from tui_batch.work.strategies import offers_batches

    steps = [("", held), *((f"above {figures.count(tier.tokens)}", tier.prices) for tier in held.above)]
    pairs = [(" ".join(filter(None, (name, step))), words) for step, at in steps for name, words in _level(at)]
    if held.per_second:
        pairs.append(("GPU", f"{_usd(held.per_second * 3_600)} an hour that the server is busy"))
    if held.per_request:
        pairs.append(("request", f"{_usd(held.per_request)} besides"))
    if held.web_search is not None:
        pairs.append(("web search", f"{_usd(held.web_search)} each"))
    pairs += [(f"tier {name}", f"{float(factor):.3g} times that") for name, factor in held.tiers]
    batch = [("batch", f"{float(held.batch):.0%} of that")] if offers_batches(endpoint) else []
    return [*pairs, *batch, ("source", held.source)]


def _level(held: UnitPrices) -> list[tuple[str, str]]:
    named = [
        *(("input", held.input), ("cached", held.cached), ("cache write", held.cache_write)),
        *(("kept for an hour", held.long_write), ("sound", held.sound)),
        *(("output", held.output), ("speech", held.speech)),
    ]
    return [(name, f"{_usd(price * 1_000_000)} a million tokens") for name, price in named if price is not None]


def _usd(nano: Fraction) -> str:
    """Dollars to a millionth, with cents at least: $2.50, $0.075."""
    whole, _, part = f"{float(nano / NANO):,.6f}".rstrip("0").partition(".")
    return f"${whole}.{part:0<2}"


_NOT_FOR_ESTIMATE = frozenset(
    {"output", "from_job", "detach", "yes", "sample", "strict", "keep_raw", "simulate_faults"}
)


_File = Annotated[str, typer.Argument(metavar="INPUT", help="A data file, or a job file (.yaml).")]


@taking(JobFlags, without=_NOT_FOR_ESTIMATE, instead={"input": _File, "as_json": JsonOption})
def estimate(ctx: typer.Context, flags: JobFlags) -> None:
    """What a job will take, and which way to run it. Nothing is sent.

    Takes the options of run that decide on that.
    """
    from tui_batch.cli import working

    order = working.ordered(flags, where(ctx, flags.db, flags.settings))
    found = run(working.estimate(order))
    if flags.as_json:
        from tui_batch.work.json_shapes import estimate_json

        put_json(estimate_json(found))
    else:
        _put_estimate(found)


def _put_estimate(found: Estimate) -> None:
    rows = f"{figures.count(found.rows)}{'' if found.counted else ' (reckoned)'}"
    put_pairs([("rows", rows), ("requests", figures.count(found.requests))])
    for share in found.shares:
        money = "$?" if share.cost is None else figures.cost_range(share.cost.low, share.cost.likely, share.cost.high)
        read, made = (figures.short_count(tokens.likely) for tokens in (share.tokens_in, share.tokens_out))
        put_pairs([(str(share.key), f"~{read} tokens in, ~{made} out, {money} ({share.basis})")])
    rows_of = [
        (
            way.name,
            "$?" if way.cost is None else figures.cost_range(way.cost.low, way.cost.likely, way.cost.high),
            "-" if way.seconds is None else f"~{figures.duration(way.seconds)}",
            "?" if way.refusals is None else figures.count(way.refusals),
            way.reason,
        )
        for way in found.strategies
    ]
    put_table(("WAY", "COST", f"{RIGHT}TIME", f"{RIGHT}429s", "WHY"), rows_of)
    if found.unsendable:
        say(f"About {figures.things(found.unsendable, 'row')} cannot be sent: {found.problem}")
