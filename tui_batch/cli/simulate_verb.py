"""`simulate`: the built-in simulator on a port, until Ctrl-C."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch.cli.console import put, say
from tui_batch.cli.opening import run
from tui_batch.cli.parsing import parse_whole
from tui_batch.cli.where import PROGRAM
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from tui_batch.simulator.config import SimulatorConfig
    from tui_batch.simulator.server import Server


def simulate(
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65_535, help="0: any free port.")] = 8080,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="instant, hosted, local (four slots) or slow (one slot).")
    ] = "hosted",
    rpm: Annotated[str | None, typer.Option(metavar="N", help="Requests a minute and model.")] = None,
    tpm: Annotated[str | None, typer.Option(metavar="N", help="Tokens a minute and model.")] = None,
    slots: Annotated[str | None, typer.Option(metavar="N", help="Requests worked on at the same time.")] = None,
    queue: Annotated[str | None, typer.Option(metavar="N", help="Requests that may wait for a slot.")] = None,
    faults: Annotated[str, typer.Option(metavar="SPEC", help="For example 429=0.05,500=2%,hang=0.001")] = "",
    latency: Annotated[float | None, typer.Option(metavar="S", min=0, help="Seconds to the first token.")] = None,
    per_token: Annotated[
        float | None, typer.Option(metavar="S", min=0, help="Seconds for each token of the answer.")
    ] = None,
    context: Annotated[str | None, typer.Option(metavar="N", help="Context window in tokens, for every model.")] = None,
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Refuse requests without this made-up key.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Equal seeds answer and fail equally.")] = 0,
) -> None:
    """Serve made-up answers until Ctrl-C.

    In the formats of OpenAI, Anthropic and Ollama, with limits and faults as asked.
    """
    changes = {
        "rpm": parse_whole("--rpm", rpm),
        "tpm": parse_whole("--tpm", tpm),
        "slots": parse_whole("--slots", slots),
        "queue_length": parse_whole("--queue", queue, 0),
        "context_window": parse_whole("--context", context),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    config = _config(profile, faults, latency, per_token, seed=seed, api_key=api_key, **given)
    run(_serve(config, host, port))


def _config(
    profile: str, faults: str, latency: float | None, per_token: float | None, **changes: object
) -> SimulatorConfig:
    from tui_batch.simulator.config import Profile, SimulatorConfig
    from tui_batch.simulator.faults import parse_faults

    try:
        chosen = Profile(profile.lower())
    except ValueError:
        raise UserError(f"{profile!r} is no profile", remedy=f"The profiles: {', '.join(Profile)}") from None
    config = SimulatorConfig.for_profile(chosen, faults=parse_faults(faults), **changes)
    waits = config.latency
    if latency is not None:
        waits = replace(waits, first_token_s=latency)
    if per_token is not None:
        waits = replace(waits, per_output_token_s=per_token)
    return replace(config, latency=waits)


async def _serve(config: SimulatorConfig, host: str, port: int) -> None:
    import asyncio

    from tui_batch.cli.interrupts import listening
    from tui_batch.simulator.server import serve

    stop = asyncio.Event()
    with listening() as interrupts, interrupts.handled_by(lambda _: stop.set()):
        async with serve(config, host, port) as server:
            _announce(server, config)
            await stop.wait()
        score = server.simulator.score
        say(f"{figures.things(score.accepted, 'request')} answered, {score.refused} refused")


def _announce(server: Server, config: SimulatorConfig) -> None:
    """Base URLs are data: a script may read the first line."""
    put(server.openai_url)
    say(f"OpenAI:            {server.openai_url}")
    say(f"Anthropic, Ollama: {server.base_url}")
    key = f" (export OPENAI_API_KEY={config.api_key})" if config.api_key else ""
    say(f"Try it:{key} {PROGRAM} run prompts.txt --base-url {server.openai_url} -m gpt-4o-mini -o out.jsonl")
    say("Ctrl-C ends it.")
