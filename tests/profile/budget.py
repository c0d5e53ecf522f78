#!/usr/bin/env python3
"""What the counters of rsq_profile() cost while they are off.

    budget.py WITH WITHOUT

Both are tests/profile/count.c, linked with the library that has the counters and with one that was built without.
Callgrind counts their instructions: with the counters built in and off, a point read and a single insert may take
at most 0.1 % more. The counts repeat but for what threads in the background do, so a run that is over the limit is
repeated, and the lowest counts are compared.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

WITH, WITHOUT = sys.argv[1:]
LIMIT = 1.001
ATTEMPTS = 5
COLLECTED = re.compile(r"Collected : (\d+)")


def count(program, what):
    """Instructions of one operation."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=counted_block",
             f"--callgrind-out-file={folder}/out", program, what, folder],
            capture_output=True, text=True, check=False)
    found = COLLECTED.search(run.stderr)
    if run.returncode != 0 or not found:
        raise tap.Failed(run.stdout + run.stderr)
    return int(found.group(1)) / int(run.stdout)


def within_budget(what):
    def case():
        if not shutil.which("valgrind"):
            raise tap.Skip("there is no valgrind")
        have, have_not = [], []
        for _ in range(ATTEMPTS):
            have.append(count(WITH, what))
            have_not.append(count(WITHOUT, what))
            if min(have_not) < 1000:
                raise tap.Failed(f"{min(have_not)} instructions: they were not counted")
            if min(have) <= LIMIT * min(have_not):
                print(f"# {what}: {min(have):.1f} with, {min(have_not):.1f} without")
                return
        raise tap.Failed(f"{min(have):.1f} instructions with the counters, {min(have_not):.1f} without")

    return case


if __name__ == "__main__":
    tap.main([
        ("a point read costs at most 0.1 % more with the counters built in and off", within_budget("reads")),
        ("a single insert costs at most 0.1 % more with the counters built in and off", within_budget("inserts")),
    ])
