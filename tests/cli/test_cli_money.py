"""The verbs about money, as typed: estimate, prices, cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

PAID = """
prices:
  - {model: gpt-4o-mini, input: 1, output: 2}
"""


def told(result: Any) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_an_estimate_compares_three_ways_and_sends_nothing(cli: Any) -> None:
    rows = cli.rows(120)
    found = told(
        cli(
            "estimate",
            rows,
            "-m",
            "gpt-4o-mini",
            "--endpoint",
            "openai",
            "--rpm",
            "60",
            "--json",
            "--param",
            "max_tokens=50",
        )
    )

    assert (found["rows"], found["requests"], found["counted"]) == (120, 120, True)
    one, many, batch = found["strategies"]
    assert [way["name"] for way in (one, many, batch)] == ["one by one", "concurrent", "provider batch"]
    assert batch["cost_usd"]["likely"] * 2 == pytest.approx(many["cost_usd"]["likely"])
    assert 60 <= many["seconds"] < one["seconds"]
    assert many["expected_429"] == 0
    assert "60 RPM" in many["reason"]
    cost = found["cost_usd"]
    assert 0 < cost["low"] < cost["likely"] < cost["high"]
    assert not list(cli.folder.glob("*.db"))


def test_an_estimate_goes_by_the_service_tier_that_is_asked_for(cli: Any) -> None:
    def costs(*more: str) -> list[Any]:
        words = ("estimate", rows, "-m", "gpt-4o-mini", "--endpoint", "openai", "--param", "max_tokens=500", "--json")
        return [way["cost_usd"] for way in told(cli(*words, *more))["strategies"]]

    rows = cli.rows(50)
    (_, usual, batch), (_, dear, same), (_, cheap, again) = (
        costs(), costs("--param", "service_tier=priority"), costs("--param", "service_tier=flex")
    )  # fmt: skip
    assert dear["likely"] == pytest.approx(usual["likely"] * 5 / 3)
    assert cheap["likely"] == pytest.approx(usual["likely"] / 2)
    assert batch == same == again, "batches have no tiers"
    assert costs("--param", "service_tier=golden")[1] is None, "nobody knows what that costs"
    assert costs("--param", "web_search_options={}")[1] is None, "as the bill will be, for the searches' sake"
    assert costs("--param", "web_search_options={}", "--simulate")[1]["high"] == 0, "nobody bills the simulator"


def test_an_estimate_without_a_file_names_no_option_that_it_does_not_have(cli: Any) -> None:
    refused = cli("estimate")
    assert refused.code == 2
    assert "INPUT" in refused.err
    assert "--from-job" not in refused.err


def test_an_estimate_of_an_unknown_price_says_so(cli: Any) -> None:
    shown = cli("estimate", cli.rows(3), "-m", "x", "--base-url", "https://llm.example.com/v1")

    assert shown.code == 0
    assert "$?" in shown.out
    assert "offers no batches" in shown.out


def test_prices_say_where_they_are_from(cli: Any) -> None:
    found = told(cli("prices", "gpt-4o-mini", "--json"))
    assert found["endpoint"] == "openai"
    assert found["prices"]["source"].startswith("genai-prices")
    shown = cli("prices", "gpt-4o-mini").out
    assert "? " not in shown
    assert "$0.60 a million tokens" in shown
    assert "$0.075 a million tokens" in shown
    unknown = cli("prices", "no-such-model", "--endpoint", "openai")
    assert "?" in unknown.out
    assert "settings" in unknown.err


def test_own_prices_are_used_and_shown(cli: Any) -> None:
    path = cli.folder / "settings.yaml"
    path.write_text(PAID, encoding="utf-8")
    held = told(cli("prices", "gpt-4o-mini", "--settings", path, "--json"))["prices"]
    assert (held["input"], held["output"], held["source"]) == (1.0, 2.0, "settings")
    path.write_text("prices:\n  - {model: '*', endpoint: ollama, gpu_hour: 1.2}\n", encoding="utf-8")
    own = cli("prices", "qwen3:8b", "--endpoint", "ollama", "--settings", path).out
    assert "$1.20 an hour" in own
    assert "batch" not in own, "one's own server takes no batches at half the price"
    assert "50% of that" in cli("prices", "gpt-4o-mini").out


def test_a_price_that_is_none_is_refused_with_its_line(cli: Any) -> None:
    path = cli.folder / "settings.yaml"
    path.write_text("prices:\n  - {model: m, input: 1}\n", encoding="utf-8")
    refused = cli("prices", "m", "--endpoint", "openai", "--settings", path)
    assert refused.code == 2
    assert "gpu_hour" in refused.err


def test_costs_add_up_over_jobs_by_everything(cli: Any) -> None:
    path = cli.folder / "settings.yaml"
    path.write_text(PAID, encoding="utf-8")
    for team in ("a", "b"):
        run = cli("run", cli.rows(5), "--simulate", "-m", "gpt-4o-mini", "--tag", f"team={team}", "--settings", path)
        assert run.code == 0, run.err
    jobs = told(cli("ls", "--json"))
    spent = sum(job["cost_usd"] for job in jobs)
    assert spent > 0
    for by in ("model", "endpoint", "day", "job", "tag.team", "tag.none"):
        lines = told(cli("cost", "--by", by, "--json"))
        assert sum(line["cost_usd"] for line in lines) == pytest.approx(spent), by
    by_team = {line["name"]: line for line in told(cli("cost", "--by", "tag.team", "--json"))}
    assert by_team["b"]["cached"] == 5
    assert by_team["b"]["cost_usd"] == 0
    assert by_team["b"]["saved_usd"] == pytest.approx(by_team["a"]["cost_usd"])
    assert cli("delete", "1", "--yes").code == 0
    assert sum(line["cost_usd"] for line in told(cli("cost", "--json"))) == pytest.approx(spent)
    assert cli("cost", "--by", "moon").code == 2
    assert told(cli("cost", "--until", "2001-01-01", "--json")) == []
    assert len(told(cli("cost", "--since", "2001-01-01", "--until", "9000-01-01", "--json"))) == 1
    wrong = cli("cost", "--since", "yesterday")
    assert wrong.code == 2
    assert "--since yesterday: is not a day" in wrong.err


def test_the_days_budget_of_the_settings_stops_a_job(cli: Any) -> None:
    path = cli.folder / "settings.yaml"
    path.write_text(PAID + "day_budget_usd: 0.0005\n", encoding="utf-8")
    words = ("--simulate", "-m", "gpt-4o-mini", "--param", "max_tokens=50", "--settings", path)
    run = cli("run", cli.rows(60), *words)
    assert run.code == 4
    assert "day's budget" in run.err
    assert sum(line["cost_usd"] for line in told(cli("cost", "--json"))) <= 0.0005


def test_a_copy_whose_budget_cannot_hold_is_refused_as_a_new_job_is(cli: Any) -> None:
    asked = ("-m", "gpt-4o", "--endpoint", "openai")
    searching = ("--budget", "1", "--param", "web_search_options={}")
    refused = cli("add", cli.rows(1), *asked, *searching)
    assert cli("add", cli.rows(1), *asked).code == 0
    copied = cli("clone", "1", *searching)
    assert (refused.code, copied.code) == (2, 2)
    assert "web_search_options" in copied.err
    assert copied.err == refused.err
    assert [job["id"] for job in cli("ls", "--json").json] == [1]
