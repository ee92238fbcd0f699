"""Runs one command and prints its time, peak memory and exit status as JSON.

A process of its own, since Linux counts the memory of the process that starts a command into the command's peak:
what measures must be small.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def run(command: list[str], log: Path, timeout: float) -> dict[str, float | int | bool]:
    """Wall and CPU seconds, peak kilobytes, exit status, and whether it ran too long; it runs in the log's folder."""
    start = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent, start_new_session=True
        )
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, timeout)
        _, status, usage = os.wait4(process.pid, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_kb": usage.ru_maxrss,
        "exit": process.returncode,
        "late": seconds >= timeout,
    }


if __name__ == "__main__":
    log, timeout, *command = sys.argv[1:]
    print(json.dumps(run(command, Path(log), float(timeout))))
