#!/usr/bin/env python3
"""Count the instructions of a fixed list of cases, with callgrind.

    instructions.py RSQ_BENCH [--filter GLOB] [--output FILE]

Prints the instructions of one operation for each peer, the ratio to the case's first peer, and the goals
that are limits on a ratio within 10 % of 1.00, which are judged by these counts rather than by a clock. The
counts repeat exactly; they leave out what the kernel does, so goals of peers that spend their time on system
calls are not judged by them. FILE can be given to `rsq-bench goals --instructions`; it holds what is judged.
The exit status is 1 if one of those goals is missed or a count failed.
"""
import argparse
import fnmatch
import pathlib
import re
import subprocess
import sys
import tempfile

# Case, operations in a block, peers.
CASES = [
    ("point/key", 2000, ["raw", "raw-tx", "raw-tx-typed", "resqlite", "resqlite-accessors", "resqlite-not-kept"]),
    ("statements/rotate-128", 2560, ["resqlite", "resqlite-128"]),
    ("rows/10", 500, ["raw", "resqlite", "resqlite-accessors"]),
    ("rows/100", 100, ["raw", "resqlite", "resqlite-accessors"]),
    ("rows/1000", 20, ["raw", "resqlite", "resqlite-accessors"]),
    ("rows/10000", 4, ["raw", "resqlite", "resqlite-accessors"]),
    ("json/10", 500, ["raw", "raw-json1", "resqlite"]),
    ("json/1000", 20, ["raw", "raw-json1", "resqlite"]),
    ("json/10000", 4, ["raw", "raw-json1", "resqlite"]),
    ("insert/sequential-100", 10, ["raw", "raw-hook", "resqlite"]),
    ("batch/100", 20, ["raw", "raw-hook", "resqlite"]),
    ("batch/1000", 10, ["raw", "raw-hook", "resqlite"]),
    ("batch/10000", 2, ["raw", "raw-hook", "resqlite"]),
    ("batch/wide-10000", 2, ["raw", "raw-hook", "resqlite"]),
    ("transaction/batch-100", 20, ["raw", "raw-hook", "resqlite"]),
    ("transaction/batch-1000", 10, ["raw", "raw-hook", "resqlite"]),
    ("transaction/dialogue", 200, ["raw", "raw-hook", "resqlite"]),
    ("transaction/nested-50", 20, ["raw", "raw-hook", "resqlite"]),
    ("transaction/nested-deep-50", 20, ["raw", "raw-hook", "resqlite"]),
    ("experiment/parameters", 5, ["raw-in-place", "raw-strlen", "raw-transient", "raw-each", "raw-packed"]),
]

# Peers that spend most of their time in the kernel.
SYSTEM = {("point/key", "resqlite-not-kept"), ("insert/sequential-100", "resqlite"), ("batch/100", "resqlite"),
          ("transaction/batch-100", "resqlite"), ("transaction/dialogue", "resqlite"),
          ("transaction/nested-50", "resqlite")}

COUNTED = "bench_counted_block"
COLLECTED = re.compile(r"Collected : (\d+)")
GOAL = re.compile(r"^  goal:  (\S+) / (\S+) <= ([\d.]+) \(")


def count(bench, case, peer, operations):
    """Instructions of one operation; None: it failed, and said why."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={COUNTED}",
             f"--callgrind-out-file={folder}/out", bench, "once", "--filter", case, "--peer", peer,
             "--ops", str(operations)],
            capture_output=True, text=True, check=False)
    found = COLLECTED.search(run.stderr)
    if run.returncode != 0 or not found:
        print(run.stderr, file=sys.stderr)
        return None
    return int(found.group(1)) / operations


def goals(bench, case):
    """Peer, peer it is compared with, limit: of the goals that counts can judge."""
    listing = subprocess.run([bench, "list", "--filter", case], capture_output=True, text=True, check=True)
    found = [GOAL.match(line) for line in listing.stdout.splitlines()]
    return [(g.group(1), g.group(2), float(g.group(3))) for g in found if g and 0.9 <= float(g.group(3)) <= 1.1]


def measure(bench, case, operations, peers, lines):
    """Print a case, append to the lines of the output file; false: failed, or a goal is missed."""
    counts = {}
    for peer in peers:
        value = count(bench, case, peer, operations)
        if value is None:
            return False
        counts[peer] = value
        ratio = value / counts[peers[0]]
        print(f"{case:24} {peer:20} {value:14,.0f}  {ratio:6.3f}", flush=True)
        if (case, peer) not in SYSTEM:
            lines.append(f"{case} {peer} {value:.1f}")
    well = True
    for peer, to, limit in goals(bench, case):
        if peer in counts and to in counts and (case, peer) not in SYSTEM:
            ratio = counts[peer] / counts[to]
            well = well and ratio <= limit
            verdict = "ok" if ratio <= limit else "MISSED"
            print(f"{'':24} goal: {peer} / {to} {ratio:.3f} <= {limit:.2f}  {verdict}", flush=True)
    return well


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("bench")
    arguments.add_argument("--filter", default="*")
    arguments.add_argument("--output")
    given = arguments.parse_args()
    lines = ["# instructions of one operation, user space: case, peer, count"]
    well = True

    print(f"{'case':24} {'peer':20} {'instructions':>14}  ratio")
    for case, operations, peers in CASES:
        if fnmatch.fnmatch(case, given.filter):
            well = measure(given.bench, case, operations, peers, lines) and well
    if given.output:
        pathlib.Path(given.output).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
