"""Jobs for RQ: `python rq_jobs.py REDIS_URL` hands in those that standard input names.

A line is `ID MILLISECONDS LOG`. What a job notes in the file LOG is as the other ways note it.
"""

import os
import sys
import time


def note(log, kind, job, token):
    line = f"{kind} {job} {token} rq-{os.getppid()} {time.monotonic_ns()}\n"
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def run(job, milliseconds, log):
    """Takes so many milliseconds of CPU time."""
    token = time.monotonic_ns()
    note(log, "start", job, token)
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        pass
    note(log, "end", job, token)


def main():
    from redis import Redis
    from rq import Queue

    queue = Queue("jobs", connection=Redis.from_url(sys.argv[1]))
    for line in sys.stdin:
        job, milliseconds, log = line.split()
        queue.enqueue("rq_jobs.run", job, int(milliseconds), log)
        print(job, flush=True)


if __name__ == "__main__":
    main()
