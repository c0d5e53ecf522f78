#!/usr/bin/env python3
"""tools/run-tests.py counts what really happened: its count is what everything else is judged by."""
import importlib.util
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1]))
import tap

spec = importlib.util.spec_from_file_location("run_tests", HERE.parents[2] / "tools" / "run-tests.py")
run_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_tests)

# name, result and exit status Meson logs, output of the program, cases (passed, skipped, failed)
TABLE = [
    ("all cases pass", "OK", 0, "1..2\nok 1 - a\nok 2 - b\n", (2, 0, 0)),
    ("a case fails", "FAIL", 1, "1..2\nok 1 - a\nnot ok 2 - b\n", (1, 0, 1)),
    ("a failing case and its exit status are one failure", "ERROR", 1, "1..1\nnot ok 1 - a\n", (0, 0, 1)),
    ("a case is skipped", "OK", 0, "1..2\nok 1 - a\nok 2 - b # SKIP why\n", (1, 1, 0)),
    ("all cases are skipped", "SKIP", 0, "1..1\nok 1 - a # SKIP why\n", (0, 1, 0)),
    ("a case is skipped in cmocka's way", "FAIL", 0, "1..2\nok 1 - a\nnot ok 2 # SKIP skipped\n", (1, 1, 0)),
    ("a failed case with its explanation", "FAIL", 1, "1..2\nnot ok 1 - a\n# why\n# not ok\nok 2 - b\n", (1, 0, 1)),
    ("the whole program is skipped", "SKIP", 0, "1..0 # SKIP why\n", (0, 1, 0)),
    ("a crash after a good case", "ERROR", -11, "1..2\nok 1 - a\n", (1, 0, 1)),
    ("a crash after a failed case counts beside it", "ERROR", -11, "1..2\nnot ok 1 - a\n", (0, 0, 2)),
    ("an exit that leaves out cases", "OK", 0, "1..3\nok 1 - a\n", (1, 0, 1)),
    ("a sanitizer's complaint after the last case", "ERROR", 1, "1..1\nok 1 - a\n", (1, 0, 1)),
    ("out of time", "TIMEOUT", -15, "1..2\nok 1 - a\n", (1, 0, 1)),
    ("nothing printed and exit status 0", "SKIP", 0, "", (0, 0, 1)),
    ("a program without TAP passes", "OK", 0, "all is well\n", (1, 0, 0)),
    ("a program without TAP fails", "FAIL", 1, "", (0, 0, 1)),
    ("cases without a number or name", "OK", 0, "1..2\nok\nok 2\n", (2, 0, 0)),
    ("names without dashes and with words like ok", "OK", 0, "1..2\nok 1 a\nok 2 - is ok\nokay\n", (2, 0, 0)),
]


def case(result, status, output, expected):
    def check():
        count = run_tests.Count()
        count.add_program({"name": "p", "result": result, "returncode": status, "stdout": output})
        found = (count.passed, count.skipped, len(count.failed))
        if found != expected:
            raise tap.Failed(f"expected (passed, skipped, failed) {expected}, found {found}: {count.failed}")

    return check


def died_says_why():
    count = run_tests.Count()
    report = "WARNING: data race\n" + "    #0 f\n" * 100
    count.add_program({"name": "p", "result": "ERROR", "returncode": 66, "stdout": "1..2\nok 1 - a\n", "stderr": report})
    said = count.failed[0].splitlines()
    if said[:2] != ["p: ERROR, exit status 66", "# WARNING: data race"] or said[-1] != "# (61 lines more)":
        raise tap.Failed(f"found {said}")


if __name__ == "__main__":
    tap.main([(name, case(*rest)) for name, *rest in TABLE]
             + [("a program that died is named with what it said", died_says_why)])
