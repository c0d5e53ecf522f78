#!/usr/bin/env python3
"""The README's figures are those of the newest canonical run that is stored.

    figures.py SOURCE_ROOT
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

ROOT = pathlib.Path(sys.argv[1])
TOOL = ROOT / "tools" / "figures.py"
README = "# X\n\n<!-- figures: made by tools/figures.py -->\nold\n<!-- end of the figures -->\nafter\n"
HEADER = {"passes": 5, "cores": 2, "cpu": "a processor", "kernel": "Linux 6", "sqlite": "3.54.1 (bundled)"}


def tool(root, *arguments):
    """(exit status, what was printed)"""
    done = subprocess.run([sys.executable, TOOL, *arguments, root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def entry(case, peer, median):
    workload, name = case.split("/")
    return {"workload": workload, "case": name, "peer": peer, "median": median}


def tree(folder, *runs):
    """A root with these runs, (date, cases); the README is not written yet."""
    results = pathlib.Path(folder) / "bench" / "results"
    results.mkdir(parents=True)
    readme = pathlib.Path(folder) / "README.md"
    readme.write_text(README, encoding="utf-8")
    for date, cases in runs:
        document = {"header": HEADER, "cases": cases}
        (results / f"{date}-canonical.json").write_text(json.dumps(document), encoding="utf-8")
    return readme


def figures_are_fresh():
    status, printed = tool(ROOT)
    if status != 0:
        raise tap.Failed(printed)


def figures_are_those_of_the_run():
    """Every row of the README is worked out again from the file that it names, without the tool."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    page = re.search(r"From the run \[(bench/results/[\w.-]+)\.md\]", text)
    if not page:
        raise tap.Skip("no run is stored")
    if not (ROOT / f"{page.group(1)}.md").exists():
        raise tap.Failed(f"{page.group(1)}.md is not there")
    cases = json.loads((ROOT / f"{page.group(1)}.json").read_text(encoding="utf-8"))["cases"]
    medians = {f"{e['workload']}/{e['case']} {e['peer']}": e["median"] for e in cases}
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \| ([\d.,]+) \| ([\d.,]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    problems = [] if len(rows) > 5 else [f"only {len(rows)} rows"]
    for case, ours, by_hand, ratio in rows:
        ours, by_hand = (float(cell.replace(",", "")) for cell in (ours, by_hand))
        stored = medians[f"{case} resqlite"]
        if abs(ours - stored) > 0.001 + 0.01 * stored or abs(float(ratio) - ours / by_hand) > 0.01 + 0.02 * ours / by_hand:
            problems.append(f"{case}: {ours} {by_hand} {ratio}")
    tap.expect_none(problems)


def newest_run_is_shown():
    with tempfile.TemporaryDirectory() as folder:
        old = [entry("rows/10", "resqlite", 1), entry("rows/10", "raw", 1)]
        new = [entry("rows/10", "resqlite", 1.25), entry("rows/10", "raw", 2.5),
               entry("rows/1000", "resqlite", 7),  # without the other it is no comparison
               entry("peers/point", "resqlite", 0.5), entry("peers/point", "aiosqlite", 1234.5),
               entry("peers/json-1000", "sqlite3+json1", 88)]
        readme = tree(folder, ("2026-02-01", new), ("2026-01-31", old))
        status, printed = tool(folder)
        if status != 1 or "figures.py --write" not in printed or tool(folder, "--write") != (0, "") or tool(folder) != (0, ""):
            raise tap.Failed("stale figures are not found, or writing does not make them fresh")
        text = readme.read_text(encoding="utf-8")
        wanted = ["(bench/results/2026-02-01-canonical.md), 5 passes: 2 cores of a processor",
                  "| read 10 rows | `rows/10` | 1.25 | 2.50 | 0.50 |\n", "| point query | 0.500 |  |  |  | 1,234 |  |\n"
                  .replace("1,234", f"{1234.5:,.0f}"), "| 1,000 rows as JSON |  | 88.0 |", "after\n"]
        tap.expect_none([f"no {word!r}" for word in wanted if word not in text] +
                        [f"{word!r}" for word in ("old", "rows/1000") if word in text])


def no_run_is_said():
    with tempfile.TemporaryDirectory() as folder:
        readme = tree(folder)
        if tool(folder, "--write") != (0, "") or "No run is stored" not in readme.read_text(encoding="utf-8"):
            raise tap.Failed(readme.read_text(encoding="utf-8"))


def missing_markers_are_said():
    with tempfile.TemporaryDirectory() as folder:
        tree(folder).write_text("# X\n", encoding="utf-8")
        if tool(folder, "--write")[0] != 1:
            raise tap.Failed("a README without a place for figures is accepted")


tap.main([
    ("the README's figures are fresh", figures_are_fresh),
    ("the README's figures are those of the run it names", figures_are_those_of_the_run),
    ("the newest run is shown, without what it lacks", newest_run_is_shown),
    ("that no run is stored is said", no_run_is_said),
    ("a README without a place for figures is refused", missing_markers_are_said),
])
