#!/usr/bin/env python3
"""Cases of `rsq-bench run`, each once and quickly.

    cases.py RSQ_BENCH SANITIZERS

Every peer of a case must give the same answer, every byte of it, and visit the same values in every round, or
the program fails; here we see that the cases are there, with their peers.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH, SANITIZERS = sys.argv[1:]
TWO = {"raw", "resqlite"}
# Filter: case and its peers.
CASES = {
    "shape/*": {f"shape/{shape}": TWO for shape in ("narrow", "wide", "text", "numeric", "nullable")},
    "parameterised/*": {"parameterised/category": TWO},
    "transaction-read/*": {"transaction-read/500": TWO, "transaction-read/1000": TWO},
    "concurrent/*": {f"concurrent/{n}": TWO | {"resqlite-threads"} for n in (1, 2, 4, 8)},
    "rows/500": {"rows/500": TWO | {"resqlite-accessors"}},
    "json/50": {"json/50": TWO | {"raw-json1"}},
    "open/read-close": {"open/read-close": TWO},
    "start/*": {"start/cold": TWO | {"nothing"}},
    "memory/process-*": {f"memory/process-{job}-10000": TWO | {"nothing"} for job in ("rows", "json", "batch")},
    "memory/heap-*": {f"memory/heap-{n}": {"raw-flat", "raw-records", "resqlite", "resqlite-json"} for n in (1000, 10000)},
}


def peers_of(lines):
    found = {}
    for line in lines:
        found.setdefault(f"{line['workload']}/{line['case']}", set()).add(line["peer"])
    return found


def runs(pattern):
    """A case: the cases that match run through, and have their peers."""

    def check():
        if "heap" in pattern and SANITIZERS != "none":
            raise tap.Skip("a sanitizer's heap does not tell how much of it is used")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "lines"
            tap.run_command(BENCH, "run", "--quick", "--filter", pattern, "--json", path)
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found = peers_of(line for line in lines if "peer" in line)
        if found != CASES[pattern]:
            raise tap.Failed(f"found {found}\nnot {CASES[pattern]}")
        tap.expect_none([f"{line}" for line in lines if "peer" in line and not line["median"] > 0])

    return check


tap.main([(f"cases {pattern}", runs(pattern)) for pattern in CASES])
