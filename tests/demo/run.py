#!/usr/bin/env python3
"""Runs the demo as `make demo` does, for a second: run.py DEMO CITIES_JSON RESQLITE."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402

demo, cities, command = sys.argv[1:4]
folder = tempfile.TemporaryDirectory()
database = os.path.join(folder.name, "demo.db")


def run(source=cities):
    environment = dict(os.environ, DEMO_SECONDS="1")
    return subprocess.run(
        [demo, source, database, command], capture_output=True, text=True, check=False, env=environment, timeout=120
    )


def expect(condition, text, done):
    if not condition:
        raise tap.Failed(f"{text}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")


def refuses_a_missing_source():
    done = run(os.path.join(folder.name, "missing.json"))
    expect(done.returncode != 0, "a missing file was accepted", done)
    expect(len(done.stderr.splitlines()) >= 1, "no message", done)


def imports_and_runs():
    done = run()
    expect(done.returncode == 0, "it failed", done)
    expect("GeoNames" in done.stdout, "the source of the data is not named", done)
    northernmost = tap.run_command(command, "query", database, "SELECT name FROM cities ORDER BY lat DESC LIMIT 1")
    expect("Longyearbyen" in northernmost, "the northernmost city is another: " + northernmost, done)
    expect(re.search(r"^After the last write", done.stdout, re.M), "the final check did not run", done)


def second_run_reuses_the_database():
    before = os.stat(database).st_ino
    done = run()
    expect(done.returncode == 0, "it failed", done)
    expect(os.stat(database).st_ino == before, "the database was made anew", done)


tap.main([
    ("a missing source is refused", refuses_a_missing_source),
    ("the cities are imported and the main job runs", imports_and_runs),
    ("a second run reuses the database", second_run_reuses_the_database),
])
