#!/usr/bin/env python3
"""The examples of examples/loops end by themselves and print what their events say.

    examples.py PROGRAM...

Each of them opens a live query; its first result starts an asynchronous read, the answer starts a timer, the
timer writes, and the live query's second result ends the loop. A loop that loses a wake-up never ends.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

DEADLINE_S = 120
EXPECTED = """\
live: cities: 1
read: [{"name":"Oslo"}]
live: cities: 2
live: closed
"""


def case(program):
    def check():
        try:
            printed = tap.run_command(program, timeout=DEADLINE_S)
        except subprocess.TimeoutExpired as late:
            raise tap.Failed(f"runs for {DEADLINE_S} s; printed {late.stdout!r}") from None
        if printed != EXPECTED:
            raise tap.Failed(f"printed {printed!r}")

    return check


if __name__ == "__main__":
    tap.main([(f"{pathlib.Path(program).name} sees its events", case(program)) for program in sys.argv[1:]])
