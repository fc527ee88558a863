"""What was sent lately, whoever sent it: a new process must not pass a limit that an old one has used up."""

from __future__ import annotations

import sqlite3

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemFlag
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import RecentRequests

_ATTEMPTS = 20_000
"""Failed requests looked at, the latest ones; there is no index by time."""

_JOBS = "SELECT id FROM job WHERE requests > 0 AND (finished_at IS NULL OR finished_at >= :since)"
"""The only jobs that can have sent anything since then; most often the one that is about to go on, or none."""

_DONE = f"""
SELECT job.id, job.knobs ->> '$.concurrency', item.endpoint, item.model, max(item.started_at),
  max(coalesce(item.finished_at, item.started_at)), count(*),
  sum(coalesce(item.tokens_in, 0) + coalesce(item.tokens_out, 0)), sum(item.latency_ms) / 1000.0
FROM item JOIN job ON job.id = item.job_id
WHERE item.job_id IN ({_JOBS}) AND (item.state = 'done' OR item.judging > 0) AND item.cached = 0
  AND item.started_at >= :since
GROUP BY job.id, item.endpoint, item.model, CAST(item.started_at / :bucket_s AS INTEGER)
"""

_FAILED = f"""
SELECT job.id, job.knobs ->> '$.concurrency', attempt.endpoint, attempt.model, max(attempt.at),
  max(attempt.at + attempt.latency_ms / 1000.0), count(*),
  sum(coalesce(attempt.tokens_in, 0) + coalesce(attempt.tokens_out, 0)), sum(attempt.latency_ms) / 1000.0
FROM attempt JOIN item ON item.id = attempt.item_id JOIN job ON job.id = item.job_id
WHERE attempt.id > (SELECT coalesce(max(id), 0) FROM attempt) - {_ATTEMPTS} AND attempt.at >= :since
  AND attempt.class <> '{OutcomeClass.RATE_LIMITED}'
GROUP BY job.id, attempt.endpoint, attempt.model, CAST(attempt.at / :bucket_s AS INTEGER)
"""

_JUDGED = f"""
SELECT job.id, job.knobs ->> '$.concurrency', job.spec ->> '$.judge.endpoints[0]', job.spec ->> '$.judge.model',
  max(item.finished_at), max(item.finished_at), count(*), 0, 0.0
FROM item JOIN job ON job.id = item.job_id
WHERE item.job_id IN ({_JOBS} AND spec ->> '$.judge.model' IS NOT NULL)
  AND item.state = 'done' AND item.flags & {ItemFlag.UNJUDGED.value} = 0 AND item.finished_at >= :since
GROUP BY job.id, CAST(item.finished_at / :bucket_s AS INTEGER)
"""
"""What judges answered ends their items. It is stored neither when that was sent, nor which of the judge's servers was
asked, nor its tokens apart from the answer's: the time is the end, the place the judge's first."""


def recent_requests(conn: sqlite3.Connection, since: float, bucket_s: float) -> list[RecentRequests]:
    """Requests sent since a Unix time that a server counts, in buckets. Reads every item of the unfinished jobs."""
    given = {"since": since, "bucket_s": bucket_s}
    rows = [row for sql in (_DONE, _FAILED, _JUDGED) for row in conn.execute(sql, given).fetchall()]
    return [
        RecentRequests(job_id, concurrency, DeploymentKey(endpoint, model), *figures)
        for job_id, concurrency, endpoint, model, *figures in rows
        if endpoint is not None and model is not None
    ]
