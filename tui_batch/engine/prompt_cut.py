"""Ollama cuts a prompt that is longer than its context window and answers as if nothing were: the counts tell.

Facts (Ollama documentation and server source): only /api/embed is sure to heed `truncate: false`. The runner keeps
as many tokens as the window has, so `prompt_eval_count` is then the window itself; older runners keep at least
half, and a chat loses its oldest messages first. Very old servers leave tokens that they had cached out of the
count, so that a small count alone says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import PromptRequest
from tui_batch.engine.retry import PROMPT_CUT_CODE

ANSWERED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED})
NEARLY = 4
"""A prompt within so many tokens of the window has filled it: a whole one would have left room for an answer."""
SURELY_LONGER = 2.0
"""An estimate this many times the window is no error of estimating, if the count fills half the window at least."""
ABSURDLY_LONGER = 3.0
"""An estimate this many times the window tells by itself."""
STEP = 1_024
"""Windows that a server chooses (4,096 unless it is told otherwise) are multiples of this."""
LIKELY_LONGER = 1.25
"""A count that is just such a multiple, of a prompt estimated at this many times the count, was cut to it."""


def window_of(request: PromptRequest) -> int | None:
    """The context window that a request asks of Ollama, in tokens; None: the server's own."""
    if not request.params:
        return None
    options = request.params.get("options")
    inner = options.get("num_ctx") if isinstance(options, Mapping) else None
    asked = request.params.get("num_ctx", inner)
    return asked if isinstance(asked, int) and asked > 0 else None


def is_cut(estimated: int, counted: int, window: int | None) -> bool:
    """Whether a prompt of `estimated` tokens, of which the server counted `counted`, lost a part on the way."""
    if window is not None and counted <= window:
        if counted >= window - NEARLY or estimated >= ABSURDLY_LONGER * window:
            return True
        if estimated >= SURELY_LONGER * window and counted >= window / 2:
            return True
    # The server may have chosen a window itself: a model made for less than was asked for, or nothing was asked.
    return counted >= STEP and (counted + 1) % STEP <= 1 and estimated >= LIKELY_LONGER * counted


def checked(outcome: Outcome, estimated: int, window: int | None) -> Outcome:
    """An answer of Ollama; as TRUNCATED with PROMPT_CUT_CODE when it answers only a part of the prompt."""
    counted = outcome.usage.input_tokens
    if outcome.cls not in ANSWERED or counted is None or not is_cut(estimated, counted, window):
        return outcome
    words = (
        f"the server cut the prompt to its context window: it read {counted:,} of about {max(estimated, counted):,} "
        "tokens; raise num_ctx or shorten the prompt"
    )
    return replace(outcome, cls=OutcomeClass.TRUNCATED, code=PROMPT_CUT_CODE, message=words)
