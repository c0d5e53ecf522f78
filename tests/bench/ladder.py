#!/usr/bin/env python3
"""`rsq-bench ladder`: every rung does every job, and all of them bring back the same rows.

    ladder.py RSQ_BENCH

The program itself compares the sums over all values that the rungs of a case brought back, and the rows that
they inserted, and fails if they differ; here we see that no rung is left out, and that it says what is wrong.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH = sys.argv[1]
RUNGS = ["same-thread", "futex-parked", "futex-spinning", "condvar", "eventfd-poll", "thread-per-query",
         "pool-condvar", "pool-futex"]
POOLS = ["pool-futex", "pool-futex-copied", "thread-per-query", "thread-per-query-copied"]
LIBRARY = ["resqlite", "resqlite-wait"]
QUEUE = ["resqlite-queue"]
FORMS = ["flat", "records"]
# Where they are installed; see tests/bench/peers.py.
PROGRAMS = ["better-sqlite3", "aiosqlite", "sqlitecpp"]


def run(*arguments):
    return subprocess.run([BENCH, "ladder", "--quick", *arguments], capture_output=True, text=True, check=False)


def lines(*arguments):
    """The JSON lines of a run, by case and rung; the first line, the machine, is left out."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lines"
        done = run("--json", path, *arguments)
        if done.returncode != 0:
            raise tap.Failed(f"exit status {done.returncode}\n{done.stderr}")
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if "header" not in found[0]:
        raise tap.Failed("the first line is not the header")
    return {(line["case"], line["peer"]): line for line in found[1:]}


def expect_cases(found, expected):
    """`expected`: {case: rungs}; nothing may be missing or more."""
    wanted = {(case, rung) for case, rungs in expected.items() for rung in rungs}
    found = [name for name in found if name[1] not in PROGRAMS]
    tap.expect_none([f"missing: {name}" for name in sorted(wanted - set(found))] +
                    [f"unexpected: {name}" for name in sorted(set(found) - wanted)])


def expect_phases(found):
    """The quantiles are in order, and a rung tells its phases; the others, which are called as a whole, do not."""
    problems = []
    for name, line in found.items():
        if not 0 <= line["min"] <= line["median"] <= line["p95"] <= line["p99"]:
            problems.append(f"{name}: not in order: {line}")
        if (line["peer"] in RUNGS + ["pool-futex-closure"]) != ("request" in line):
            problems.append(f"{name}: phases: {line}")
    tap.expect_none(problems)


def hand_offs():
    expected = {"hand-off/nothing": RUNGS}
    expected.update({f"hand-off/{form}-{n}": RUNGS + ["pool-futex-closure"] for form in FORMS for n in (1, 10)})
    found = lines("--filter", "hand-off/*")
    expect_cases(found, expected)
    expect_phases(found)


def transfers():
    found = lines("--filter", "transfer/*")
    expect_cases(found, {f"transfer/{form}-{n}": POOLS for form in FORMS for n in (1, 10, 50, 1000)})


def callers():
    found = lines("--filter", "callers-*")
    expect_cases(found, {f"callers-{n}/{form}-1": RUNGS for form in FORMS for n in (1, 2, 4, 8)})


def look_ups():
    found = lines("--filter", "look-up/*")
    expected = {f"look-up/{form}-by-{n}": RUNGS + LIBRARY for form in FORMS for n in (2, 4, 8)}
    expected.update({f"look-up/{form}-by-1": RUNGS + LIBRARY + QUEUE for form in FORMS})
    expect_cases(found, expected)
    expect_phases(found)


def inserts():
    found = lines("--filter", "insert/*")
    expect_cases(found, {"insert/each": RUNGS + LIBRARY + QUEUE})


def crossings():
    found = lines("--filter", "crossing")
    expect_cases(found, {f"crossing/{form}": ["handing over", "a thread for each query"] for form in FORMS})


def wrong_use():
    problems = []
    for arguments in (["--filter", "no such case"], ["--nonsense"], ["--filter"], ["a word"],
                      ["--json", "/nowhere/at/all"], ["--dir", "/nowhere/at/all"]):
        done = run(*arguments)
        if done.returncode != 2 or not done.stderr:
            problems.append(f"{arguments}: exit status {done.returncode}: {done.stderr}")
    tap.expect_none(problems)


tap.main([
    ("hand-offs through every rung, in phases", hand_offs),
    ("answers copied and given away", transfers),
    ("one, two, four and eight callers", callers),
    ("look-ups through every rung and the library", look_ups),
    ("inserts through every rung and the library", inserts),
    ("where copying begins to lose", crossings),
    ("wrong use is said and is status 2", wrong_use),
])
