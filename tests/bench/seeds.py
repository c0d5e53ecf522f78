#!/usr/bin/env python3
"""`rsq-bench seeds`: a line for each figure, and the exit status says whether all of them were measured.

    seeds.py RSQ_BENCH
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH = sys.argv[1]
LINE = re.compile(r"^00[0-4]  ")


def run(pattern):
    done = subprocess.run([BENCH, "seeds", "--quick", "--filter", pattern], capture_output=True, text=True, check=False)
    return done.returncode, [line for line in done.stdout.splitlines() if LINE.match(line)], done


def all_are_measured(pattern, count):
    """A case: so many lines, each with a figure."""

    def check():
        status, lines, done = run(pattern)
        if status != 0 or len(lines) != count:
            raise tap.Failed(f"exit status {status}, {len(lines)} lines, not {count}\n{done.stdout}{done.stderr}")
        tap.expect_none([line for line in lines if "not measured" in line or " rsq-bench " not in line])
        tap.expect_none([f"not a number to read: {line}" for line in lines if re.search(r"\de[+-]\d", line)])

    return check


def status_says_what_is_missing():
    """Whatever this build can measure of it, lines and status say the same."""
    status, lines, done = run("003/overlap*")
    if len(lines) != 5 or (status == 1) != any("not measured" in line for line in lines) or status > 1:
        raise tap.Failed(f"exit status {status}\n{done.stdout}{done.stderr}")


def wrong_use():
    status, lines, done = run("no such figure")
    if status != 2 or lines or "no such figure" not in done.stderr:
        raise tap.Failed(f"exit status {status}: {done.stderr}")


tap.main([
    ("the figures of a plain round trip", all_are_measured("000/round trip*", 4)),
    ("the figures of a large read", all_are_measured("001/*", 12)),
    ("the status says whether one is not measured", status_says_what_is_missing),
    ("a filter that nothing matches is wrong use", wrong_use),
])
