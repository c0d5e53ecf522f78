#!/usr/bin/env python3
"""The experiments are whole, their signals valid, and what is made from them is fresh.

    experiments.py SOURCE_ROOT
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

ROOT = pathlib.Path(sys.argv[1])
TOOL = ROOT / "tools" / "experiments.py"
PAGE = """# 0001 Short name

- **Status:** accepted
- **Date:** 2026-01-31
- **Question:** Is it fast?

## Problem
## Hypothesis
## Approach
## Command
## Results
| a | b |
|---|---|
| 1 | 2 |

## Not explained
Nothing.

## Decision
"""
DIRECTION = {"name": "reads", "direction": "Faster reads.", "status": "settled", "reading": "They are.",
             "evidence": ["0001"], "notes": [], "candidates": [], "blocked_by": []}
README = "# Experiments\n\n<!-- index: made by tools/experiments.py -->\n<!-- end of the index -->\n"


def tool(root, *arguments):
    """(exit status, what was printed)"""
    done = subprocess.run([sys.executable, TOOL, *arguments, root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def everything_is_well():
    status, printed = tool(ROOT)
    if status != 0:
        raise tap.Failed(printed)


def tree(folder, page=PAGE, direction=None, name="0001-short-name.md"):
    """A root with one page, with what follows from it already written."""
    experiments = pathlib.Path(folder) / "experiments"
    shutil.rmtree(experiments, ignore_errors=True)
    experiments.mkdir()
    (experiments / name).write_text(page, encoding="utf-8")
    (experiments / "README.md").write_text(README, encoding="utf-8")
    signals = {"version": 1, "directions": [{**DIRECTION, **(direction or {})}]}
    (experiments / "signals.json").write_text(json.dumps(signals), encoding="utf-8")
    tool(folder, "--write")
    return experiments


def a_good_tree_is_accepted():
    with tempfile.TemporaryDirectory() as folder:
        experiments = tree(folder)
        if tool(folder) != (0, ""):
            raise tap.Failed(str(tool(folder)))
        if "| [0001](0001-short-name.md) | Is it fast? | accepted |" not in (experiments / "README.md").read_text(encoding="utf-8"):
            raise tap.Failed("the index lacks the page")


def found(what, **changes):
    """A case: a tree with this change is refused, and the message says it."""

    def check():
        with tempfile.TemporaryDirectory() as folder:
            tree(folder, **changes)
            status, printed = tool(folder)
            if status != 1 or what not in printed:
                raise tap.Failed(f"exit status {status}: {printed}")

    return check


def stale_files_are_found():
    with tempfile.TemporaryDirectory() as folder:
        experiments = tree(folder)
        (experiments / "0002-another.md").write_text(PAGE.replace("0001", "0002"), encoding="utf-8")
        status, printed = tool(folder)
        if status != 1 or "README.md: stale" not in printed or "history.md: stale" not in printed:
            raise tap.Failed(printed)
        if tool(folder, "--write") != (0, "") or tool(folder) != (0, ""):
            raise tap.Failed("writing does not make them fresh")


def commands_of_pages_exist():
    """An experiment that a page names can be measured: it is in the table of the benchmark."""
    cases = (ROOT / "bench" / "trials" / "cases.c").read_text(encoding="utf-8")
    problems = []
    for path in sorted((ROOT / "experiments").glob("0*.md")):
        for name in re.findall(r"rsq-bench experiment ([\w-]+)", path.read_text(encoding="utf-8")):
            if f'"{name}' not in cases:
                problems.append(f"{path.name}: {name}")
    tap.expect_none(problems)


def main():
    tap.main([
        ("experiments/ is whole and fresh", everything_is_well),
        ("the experiments that pages name exist", commands_of_pages_exist),
        ("a good tree is accepted", a_good_tree_is_accepted),
        ("stale files are found", stale_files_are_found),
        ("found: no date", found("no date", page=PAGE.replace("**Date:**", "**Day:**"))),
        ("found: no status", found("no status", page=PAGE.replace("**Status:**", "**State:**"))),
        ("found: an unknown status", found("status 'good'", page=PAGE.replace("accepted", "good"))),
        ("found: no table", found("no table", page=PAGE.replace("|---|---|\n", ""))),
        ("found: a missing heading", found("no heading 'Decision'", page=PAGE.replace("## Decision", "## End"))),
        ("found: nothing unexplained", found("does not explain", page=PAGE.replace("## Not explained", "## Rest"))),
        ("found: another number in the title", found("first line", page=PAGE.replace("# 0001", "# 0002"))),
        ("found: a page with no number", found("not NNNN", name="short.md")),
        ("found: evidence that there is not", found("no page 0009", direction={"evidence": ["0009"]})),
        ("found: settled without evidence", found("settled without", direction={"evidence": []})),
        ("found: blocked by nothing", found("blocked by nothing", direction={"status": "blocked"})),
        ("found: a direction's unknown status", found("is none of", direction={"status": "good"})),
        ("found: a candidate without what reopens it", found("candidate", direction={"candidates": [{"idea": "x"}]})),
        ("found: a direction with another key", found("has the keys", direction={"more": 1})),
        ("found: notes that are no list", found("notes is no list", direction={"notes": "x"})),
    ])


if __name__ == "__main__":
    main()
