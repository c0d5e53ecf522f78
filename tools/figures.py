#!/usr/bin/env python3
"""Write the README's figures: those of the newest canonical run in bench/results.

    figures.py [--write] [ROOT]

Without --write it says whether they are stale, and then the exit status is 1. Which figures are shown is decided by
the two tables below; a case that the run does not have is left out.
"""
import json
import pathlib
import sys

BEGIN, END = "<!-- figures: made by tools/figures.py -->\n", "<!-- end of the figures -->\n"
NONE = "No run is stored in this version; `make bench` prints the figures of your machine.\n"

# What is done, the case, the peer it is set against.
BY_HAND = [
    ("read 10 rows", "rows/10", "raw"),
    ("read 1,000 rows", "rows/1000", "raw"),
    ("read 10,000 rows", "rows/10000", "raw"),
    ("1,000 rows as JSON, SQLite's own JSON by hand", "json/1000", "raw-json1"),
    ("point query", "point/key", "raw"),
    ("100 single inserts", "insert/sequential-100", "raw"),
    ("100 single inserts, asynchronous and together", "insert/together-100", "raw"),
    ("batch of 1,000", "batch/1000", "raw"),
    ("interactive transaction", "transaction/dialogue", "raw"),
    ("insert, then the event of a count; by hand: the query again", "event/count", "raw"),
    ("update one of 10,000 watched keys, then its event; by hand: that query again", "keyed/hit-10000", "raw"),
    ("an operation of a chat, nine of ten read", "chat/mix", "raw"),
]
LIBRARIES = ["resqlite", "sqlite3", "better-sqlite3", "sqlitecpp", "aiosqlite", "pglite"]
JOBS = [
    ("read 1,000 rows", "peers/rows-1000"),
    ("1,000 rows as JSON", "peers/json-1000"),
    ("point query", "peers/point"),
    ("query of 500 rows", "peers/parameterised"),
    ("single insert", "peers/insert"),
    ("batch of 1,000", "peers/batch-1000"),
    ("insert, then the new count", "peers/live-count"),
    ("update, then the 100 new rows", "peers/live-rows-100"),
]


def number(value):
    """Three digits that say something."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def rows_by_hand(found):
    for job, case, to in BY_HAND:
        ours, theirs = found.get((case, "resqlite")), found.get((case, to))
        if ours and theirs:
            yield f"| {job} | `{case}` | {number(ours['median'])} | {number(theirs['median'])} | {ours['median'] / theirs['median']:.2f} |\n"


def rows_of_libraries(found):
    for job, case in JOBS:
        medians = [found.get((case, name)) for name in LIBRARIES]
        # JSON by hand is SQLite's own.
        medians[1] = medians[1] or found.get((case, "sqlite3+json1"))
        if any(medians):
            yield f"| {job} | " + " | ".join(number(m["median"]) if m else "" for m in medians) + " |\n"


def text_of(path):
    """What stands between the markers; `path`: the document of a run."""
    document = json.loads(path.read_text(encoding="utf-8"))
    header = document["header"]
    found = {(f"{entry['workload']}/{entry['case']}", entry["peer"]): entry for entry in document["cases"]}
    page = f"bench/results/{path.stem}.md"
    text = (f"From the run [{page}]({page}), {header['passes']} pass{'' if header['passes'] == 1 else 'es'}: {header['cores']} cores of {header['cpu']}, "
            f"{header['kernel']}, SQLite {header['sqlite']}. Medians, in microseconds an operation.\n\n"
            "| job | case | resqlite | by hand | ratio |\n|---|---|--:|--:|--:|\n")
    text += "".join(rows_by_hand(found))
    libraries = "".join(rows_of_libraries(found))
    if libraries:
        text += "\nBeside other libraries, on the same plans; sqlite3 is the C loop by hand:\n\n"
        text += "| job | " + " | ".join(LIBRARIES) + " |\n|---|" + "--:|" * len(LIBRARIES) + "\n" + libraries
    return text


def fresh(root):
    """(README's path, its text with the figures of the newest canonical run); the text is None without markers."""
    readme = root / "README.md"
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    runs = sorted((root / "bench" / "results").glob("*-canonical.json"))
    return readme, before + begin + (text_of(runs[-1]) if runs else NONE) + end + after if begin and end else None


def main():
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parents[1]
    readme, text = fresh(root)
    if text is None:
        print("README.md: no place for the figures")
    elif "--write" in sys.argv[1:]:
        readme.write_text(text, encoding="utf-8")
        return 0
    elif readme.read_text(encoding="utf-8") == text:
        return 0
    else:
        print("README.md: its figures are not those of bench/results; tools/figures.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
