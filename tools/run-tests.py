#!/usr/bin/env python3
"""Run the tests of a Meson build directory and count their cases.

    run-tests.py BUILD_DIR [ARGUMENT OF meson test]...

Meson counts programs; a program here holds many cases, so the cases are counted from the TAP lines
that Meson logged. A program that crashed, ran out of time or printed no case at all counts as one
failed case. What failed is named again after all output, a program that died with the beginning of what it
said on standard error: there a sanitizer's report has its cause. The last line is `N passed, N failed`; the exit
status is 0 only if nothing failed and something passed.
"""
import json
import pathlib
import re
import subprocess
import sys

CASE = re.compile(r"^(not )?ok\b[ \t]*(\d*)[ \t]*(?:-[ \t]*)?(.*)((?:\n#.*)*)", re.MULTILINE)
SKIPPED = re.compile(r"#\s*SKIP\b", re.IGNORECASE)
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL", "SKIP")
SAID_LINES = 40


def said(record):
    """What a program said on standard error, as the TAP comment of a failure; its beginning, if it is long."""
    lines = (record.get("stderr") or "").splitlines()
    more = [f"({len(lines) - SAID_LINES} lines more)"] if len(lines) > SAID_LINES else []
    return "".join(f"\n# {line}" for line in lines[:SAID_LINES] + more)


class Count:
    """How many cases passed and were skipped, and what to say about each that failed."""

    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = []

    def add_case(self, program, case):
        not_ok, number, name, detail = case.groups()
        # First, because cmocka says "not ok # SKIP", which Meson takes for a failure.
        if SKIPPED.search(name):
            self.skipped += 1
        elif not_ok:
            self.failed.append(f"{program}: {name or 'case ' + number}{detail}")
        else:
            self.passed += 1

    def add_program(self, record):
        """Add one line of Meson's testlog.json."""
        program, output, result = record["name"], record.get("stdout") or "", record["result"]
        cases = list(CASE.finditer(output))
        failed_before = len(self.failed)
        for case in cases:
            self.add_case(program, case)

        planned = sum(map(int, PLAN.findall(output)))
        died = result == "TIMEOUT" or record["returncode"] < 0 or len(cases) < planned
        unexplained = result not in GOOD and len(self.failed) == failed_before
        if died or (unexplained and (record["returncode"] != 0 or not cases)):
            self.failed.append(f"{program}: {result}, exit status {record['returncode']}{said(record)}")
        elif not cases and result == "SKIP" and record["returncode"] == 0 and not PLAN.search(output):
            self.failed.append(f"{program}: printed no test case")
        elif not cases and result == "SKIP":
            self.skipped += 1
        elif not cases:
            self.passed += 1


def main():
    build, *arguments = sys.argv[1:]
    log = pathlib.Path(build) / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *arguments]
    status = subprocess.run(command, check=False).returncode

    count = Count()
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            count.add_program(json.loads(line))
    if not count.passed and not count.failed:
        count.failed.append(f"meson test: exit status {status}, no test was run")

    print()
    for name in count.failed:
        print(f"failed: {name}")
    if count.skipped:
        print(f"{count.skipped} skipped")
    print(f"{count.passed} passed, {len(count.failed)} failed", flush=True)
    sys.exit(1 if count.failed else 0)


if __name__ == "__main__":
    main()
