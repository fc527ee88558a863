"""Which parameters of a request cost nothing of their own, and which have a fee. By the providers' API references."""

from __future__ import annotations

import re

from tui_batch.domain.endpoint import Api
from tui_batch.money.service_tiers import STANDARD_TIERS

_SEARCH = "the provider searches, for a fee for each search and for what it finds"
_FREE_OPENAI = (
    *("model", "messages", "input", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k"),
    *("top_a", "min_p", "typical_p", "n", "best_of", "stop", "seed", "random_seed", "presence_penalty"),
    *("frequency_penalty", "repetition_penalty", "length_penalty", "logit_bias", "logprobs", "top_logprobs"),
    *("response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "user"),
    *("metadata", "store", "service_tier", "stream", "stream_options", "reasoning", "reasoning_effort"),
    *("reasoning_format", "include_reasoning", "verbosity", "modalities", "audio", "prediction"),
    *("encoding_format", "dimensions", "input_type", "truncate", "truncation", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention", "cache_control", "thinking", "enable_thinking"),
    *("chat_template_kwargs", "chat_template", "add_generation_prompt", "continue_final_message"),
    *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "ignore_eos"),
    *("min_tokens", "skip_special_tokens", "spaces_between_special_tokens", "stop_token_ids"),
    *("truncate_prompt_tokens", "echo", "safe_prompt", "prompt_mode", "usage", "transforms", "session_id"),
    *("grammar", "json_schema", "cache_prompt", "mirostat", "mirostat_eta", "mirostat_tau", "suffix"),
    *("documents", "num_ctx", "thinking_budget", "thinking_config", "vl_high_resolution_images"),
    *("context_length_exceeded_behavior", "prompt_truncate_len", "raw_output", "perf_metrics_in_response"),
    *("citation_options", "disable_tool_validation", "return_token_ids", "priority", "keep_alive"),
)
_FREE_ANTHROPIC = (
    *("model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences"),
    *("metadata", "stream", "tools", "tool_choice", "thinking", "output_config", "output_format"),
    *("service_tier", "inference_geo", "cache_control"),
)

PLAIN: dict[Api, dict[str, str]] = {
    Api.OPENAI: {
        **dict.fromkeys(_FREE_OPENAI, ""),
        **dict.fromkeys(("web_search_options", "search_parameters", "enable_search", "browser_search"), _SEARCH),
        "plugins": "plugins have fees of their own",
        "models": "another model may answer, at another price",
        "route": "another model may answer, at another price",
        "provider": "another provider may answer, at another price",
    },
    Api.ANTHROPIC: {
        **dict.fromkeys(_FREE_ANTHROPIC, ""),
        "speed": "the fast mode has prices of its own that are not known",
        "mcp_servers": "the provider calls servers, as often as the model likes",
        "container": "code is run by the provider, for a fee",
        "context_management": "the prompt may be worked on more than once",
    },
}
"""Known parameters of a wire format, each with why nothing bounds what it costs; empty: it costs nothing of its own."""
UNKNOWN = "it is not known what this parameter may cost"
SURE_TOOLS = ("function", "custom", "bash_", "text_editor_", "computer_", "memory_")
"""How the kinds of tools begin that the provider does not run itself: the answer ends where one is called."""
USUAL_TIERS: dict[Api, frozenset[str]] = {
    # `auto` is what a request without the parameter gets: the project's own setting, `default` unless it was changed.
    Api.OPENAI: STANDARD_TIERS,
    # Both cost what the price list says: the committed tier is paid for beforehand.
    Api.ANTHROPIC: frozenset({"auto", "standard_only"}),
}
FEE_MODELS = re.compile(r"search|deep-research|:online$|-online$|(?:^|/)compound|-image")
"""Models that search the web, or answer in pictures, in every request."""
