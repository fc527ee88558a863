"""Draws docs/app.svg from the real app: `python docs/app_picture.py`.

Opens the demo without a terminal, lets its job run for a while, and keeps the screen.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

SIZE = (120, 36)
SECONDS = 25.0
WEB_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""A picture loads nothing from anywhere; the reader's own fixed-width font will do."""


async def drawn(folder: Path) -> str:
    """The app's screen as SVG."""
    from tui_batch.money.prices import OwnPrice
    from tui_batch.settings import Settings
    from tui_batch.tui import demo
    from tui_batch.tui.app import BatchApp
    from tui_batch.tui.start import Opening, open_desk
    from tui_batch.work.place import Where

    settings = Settings(prices=(OwnPrice(demo.MODEL, demo.PRICES, demo.NAME),))
    opening = Opening(Where(folder / "demo.db"), settings, demo.DEMO_FAULTS, is_demo=True)
    async with open_desk(opening) as desk:
        await desk.get_to_work()
        await desk.controller.start(await demo.sample_job(desk))
        app = BatchApp(desk)
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.sleep(SECONDS)
            await pilot.pause()
            return app.export_screenshot(title="llmbatch-tui")


def main() -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ |= {"LLMBATCH_STATE": folder, "LLMBATCH_SETTINGS": str(Path(folder) / "settings.yaml")}
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}  # the colours of most terminals
        picture = asyncio.run(drawn(Path(folder)))
    target = Path(__file__).with_name("app.svg")
    target.write_text(WEB_FONT.sub("", picture), encoding="utf-8")
    print(f"{target} is drawn")


if __name__ == "__main__":
    main()
