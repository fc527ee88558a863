"""llmbatch-tui: run prompts through LLMs by the thousand, from a terminal."""

__version__ = "0.1.0"
