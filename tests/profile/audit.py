#!/usr/bin/env python3
"""The audits of rsq-bench: what they print, and what they find wrong.

    audit.py RSQ_BENCH true|false

The second argument is the option -Dprofile of the build. An audit fails by itself if a caller was parked for a
reader, or if another number of live queries was concerned than the workload says. Its limit on what is unexplained
may be passed on a machine that runs other things at the wrong moment, so it is tried again.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH, BUILT_IN = sys.argv[1], sys.argv[2] == "true"
ATTEMPTS = 6
WORKLOADS = ["baseline", "disjoint", "overlap", "keyed"]
PARTS = ["SQLite step", "capture", "commit", "invalidation", "hand-off", "writer dispatch", "delivery", "residual"]


def audit(which):
    """The lines of an audit as {(workload, part, unit): (low, high)}; and its last run."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ATTEMPTS):
            run = subprocess.run([BENCH, "audit", which, "--quick", "--json", f"{folder}/out", "--dir", folder],
                                 capture_output=True, text=True, check=False)
            if run.returncode == 0 or "unexplained" not in run.stderr:
                break
        lines = [json.loads(line) for line in pathlib.Path(folder, "out").read_text(encoding="utf-8").splitlines()]
    found = {(x["case"], x["peer"], x["unit"]): (x["low"], x["high"]) for x in lines if "value" in x}
    return found, run


def needs_counters(run):
    """Without counters there is nothing to read, and it says so."""
    if BUILT_IN:
        return False
    if run.returncode != 1 or "-Dprofile=false" not in run.stderr:
        raise tap.Failed(f"exit status {run.returncode}: {run.stderr}")
    return True


def writer():
    found, run = audit("writer")
    if needs_counters(run):
        return
    if run.returncode != 0:
        raise tap.Failed(run.stdout + run.stderr)
    problems = []
    for workload in WORKLOADS:
        shares = [found[workload, part, "%"] for part in PARTS]
        low, high = sum(s[0] for s in shares), sum(s[1] for s in shares)
        if not low <= 100.01 or not high >= 99.99:
            problems.append(f"{workload}: the parts are {low} to {high} % of the wall")
        if found[workload, "parked_total", "callers"] != (0, 0):
            problems.append(f"{workload}: parked")
        if found[workload, "wall", "us/write"][0] <= 0:
            problems.append(f"{workload}: took no time")
    runs = {workload: found[workload, "runs of live queries", "by 100 writes"] for workload in WORKLOADS}
    if runs["baseline"] != (0, 0) or runs["disjoint"] != (0, 0):
        problems.append(f"live queries ran that no write concerned: {runs}")
    tap.expect_none(problems)


def reader():
    found, run = audit("reader")
    if needs_counters(run):
        return
    if run.returncode != 0:
        raise tap.Failed(run.stdout + run.stderr)
    parts = ["prepare and bind", "SQLite step", "build", "call, lease, reset, free"]
    tap.expect_none([part for part in parts if found["point", part, "ns/query"][0] <= 0])
    if "not counted" not in run.stdout:
        counts = {part: low for (_, part, unit), (low, _) in found.items() if unit == "instructions/query"}
        rest = sum(count for part, count in counts.items() if part != "all")
        if not 1000 < counts["all"] < 100000 or abs(rest - counts["all"]) > 1 or min(counts.values()) <= 0:
            raise tap.Failed(f"{counts}")


def wrong_usage():
    for words in ([], ["nobody"], ["writer", "--json"], ["writer", "--no"]):
        run = subprocess.run([BENCH, "audit", *words], capture_output=True, text=True, check=False)
        if run.returncode != 2 or "--help" not in run.stderr:
            raise tap.Failed(f"{words}: exit status {run.returncode}: {run.stderr}")


if __name__ == "__main__":
    tap.main([
        ("the parts of a burst of writes are all of its time", writer),
        ("the parts of a point query", reader),
        ("wrong usage is told", wrong_usage),
    ])
