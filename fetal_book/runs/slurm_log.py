"""What SLURM says of a job that it stopped: Snakemake only tells that the job failed."""

from __future__ import annotations

import re
from pathlib import Path

OVER_MEMORY = re.compile(r"exceeded (?:job )?memory limit|oom[-_ ]?kill|out of memory", re.I)
CASE = re.compile(r"wildcards: case=(\S+)")


def memory_notes(logs: Path) -> list[str]:
    """Name the cases whose jobs SLURM stopped over their memory, from its logs.

    Parameters
    ----------
    logs : folder of Snakemake's SLURM executor, which keeps the logs of jobs that failed.
    """
    texts = (path.read_text("utf-8", errors="replace") for path in sorted(logs.rglob("*.log")))
    stopped = [", ".join(sorted(set(CASE.findall(t)))) for t in texts if OVER_MEMORY.search(t)]
    return [
        f"{cases}: stopped by SLURM over its memory; a retry asks for more" for cases in stopped
    ]
