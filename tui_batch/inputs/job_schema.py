"""Prints the JSON Schema of job files: `python -m tui_batch.inputs.job_schema > sample_jobs/job.schema.json`."""

from __future__ import annotations

import sys

import orjson

from tui_batch.inputs.job_file import json_schema

if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
