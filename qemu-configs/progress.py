#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Say how far the tests are, and at the end which took longest.

usage: prove --timer -jJOBS ... FILE... | progress.py JOBS FILE...

What prove says is passed on. prove begins the files in the given order, JOBS at a time, so
that those at work are the first JOBS of the files that are not done.
"""
import re
import sys
import time

# What prove says of a file that has ended, in one line, or with the file's comments in
# between: "[10:11:12] tests/data.bats@cmb ..... ok     1234 ms"
FIRST = re.compile(r"^\[[\d:]+\] (\S+) \.+ ?")
LAST = re.compile(r"^[^#]*(?:\b(\d+) ms\b|skipped)|^Failed \d|^No subtests|^All \d+ subtests")
SLOWEST = 5


def name(file):
    return re.sub(r"^tests/|\.bats|\.t$", "", file)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def main():
    jobs, files = int(sys.argv[1]), sys.argv[2:]
    start, todo, current, took = time.monotonic(), list(files), None, {}
    for line in sys.stdin:
        sys.stdout.write(line)
        first, last = FIRST.match(line), LAST.search(line)
        if first and first[1] in todo:
            current = first[1]
        if current and last:
            if last[1]:
                took[current] = int(last[1]) / 1000
            todo.remove(current)
            current = None
            now = f", now {' '.join(map(name, todo[:jobs]))}" if todo else ""
            print(f"    {len(files) - len(todo)} of {len(files)} after "
                  f"{clock(time.monotonic() - start)}{now}")
        sys.stdout.flush()
    slowest = sorted(took, key=took.get, reverse=True)[:SLOWEST]
    if slowest:
        print("Slowest:", ", ".join(f"{name(file)} {clock(took[file])}" for file in slowest))


if len(sys.argv) < 3:
    sys.exit(__doc__)
main()
