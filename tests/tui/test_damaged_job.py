"""A job that the database cannot give back stands beside the others, says why, and can be deleted."""

from __future__ import annotations

from pathlib import Path

from app_bench import add_job, open_app, open_test_desk, until


async def test_a_damaged_job_is_shown_and_can_only_be_deleted(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        good, bad = await add_job(desk, ["a"]), await add_job(desk, ["b"])
        await desk.store._write.run(lambda conn: conn.execute(f"UPDATE job SET spec = '{{}}' WHERE id = {bad}"))
        async with open_app(desk) as (app, pilot):
            await until(pilot, lambda: len(app.view.jobs) == 2, "both are listed")
            assert "its stored spec cannot be read" in app.view.jobs[0].message
            await pilot.press("E")
            await until(
                pilot,
                lambda: any("cannot be read" in one.message for one in app._notifications),
                "no copy of it is made",
            )
            await pilot.press("D")
            await until(pilot, lambda: len(app.screen_stack) == 2, "asked")
            await pilot.press("y")
            await until(pilot, lambda: [job.id for job in app.view.jobs] == [good], "deleted")
