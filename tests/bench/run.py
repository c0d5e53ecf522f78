#!/usr/bin/env python3
"""rsq-bench as a program: what it refuses, what it writes, what its exit status says.

    run.py RSQ_BENCH

Nothing here looks at a time. Results that are compared are made from one another, so they do not depend on how
busy the machine is.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH = sys.argv[1]


def bench(*arguments, status=0):
    """(standard output, standard error) of a run that must end with the exit status."""
    done = subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != status:
        raise tap.Failed(
            f"exit status {done.returncode}, not {status}: {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        )
    return done.stdout, done.stderr


def refused(*arguments):
    """A case: wrong usage, with one line that says why and nothing measured."""

    def check():
        out, err = bench(*arguments, status=2)
        if out or len(err.splitlines()) != 1 or not err.startswith("rsq-bench: "):
            raise tap.Failed(f"printed {out!r} and {err!r}")

    return check


def measured(folder, label, *more):
    """The document of a labelled run of one small case."""
    bench("run", label, "--quick", "--filter", "rows/10", "--repeat", 3, "--results", folder, "--dir", folder, *more)
    [path] = folder.glob(f"*-{label}.json")
    return path, json.loads(path.read_text(encoding="utf-8"))


def rewritten(path, document, change):
    """A copy of a document with each of the library's entries changed."""
    copy = json.loads(json.dumps(document))
    for entry in copy["cases"]:
        change(entry)
    path.write_text(json.dumps(copy), encoding="utf-8")
    return path


def quiet(entry):
    """As if the machine had been idle: five passes of the same."""
    entry.update(median=10.0, p90=10.0, p99=10.0, mad=0.0, passes=[10.0] * 5, noisy=False)
    entry["memory"] = {key: [64.0] * 5 for key in entry["memory"]}


def slower(entry):
    quiet(entry)
    if entry["peer"].startswith("resqlite"):
        entry.update(median=12.0, passes=[12.0] * 5)


def labelled_run_writes_results():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path, document = measured(folder, "first", "--json", folder / "lines")
        header, cases = document["header"], document["cases"]
        if header["label"] != "first" or header["passes"] != 3 or path.name != f"{header['date'][:10]}-first.json":
            raise tap.Failed(f"{path.name}: {header}")
        for entry in cases:
            wanted = {"workload", "case", "peer", "unit", "median", "p90", "p99", "mad", "n", "ratio_to", "ratio"}
            tap.expect_none([f"no {key}" for key in sorted(wanted - set(entry))])
            if len(entry["passes"]) != 3 or entry["detectable"] < 0:
                raise tap.Failed(str(entry))
            if any(len(row) != 3 for row in entry["memory"].values()) or not entry["memory"]:
                raise tap.Failed(str(entry["memory"]))
        lines = [json.loads(line) for line in (folder / "lines").read_text(encoding="utf-8").splitlines()]
        if lines[0]["header"] != header or [line["peer"] for line in lines[1:]] != [e["peer"] for e in cases]:
            raise tap.Failed("the lines of --json are not those of the document")
        page = path.with_suffix(".md").read_text(encoding="utf-8")
        tap.expect_none([f"{entry['peer']} is not in the page" for entry in cases if entry["peer"] not in page])
        # A second run must not lose the first.
        bench("run", "first", "--quick", "--filter", "rows/10", "--results", folder, status=2)


def labelled_run_tells_versions():
    """Of peers that are programs: what they are, or that they are missing."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bench("run", "peers", "--quick", "--repeat", 1, "--filter", "peers/point", "--results", folder)
        [path] = folder.glob("*-peers.json")
        peers = json.loads(path.read_text(encoding="utf-8"))["header"]["peers"]
        page = path.with_suffix(".md").read_text(encoding="utf-8")
        if sorted(peers) != ["aiosqlite", "better-sqlite3", "pglite", "sqlitecpp"]:
            raise tap.Failed(str(peers))
        tap.expect_none([f"{peer}: {version}" for peer, version in peers.items()
                         if not re.search(r"MISSING: |\d+\.\d+", version) or f"- {peer}: {version}\n" not in page])


def run_compares():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path, document = measured(folder, "before")

        def gone(entry):
            quiet(entry)
            entry["case"] = "11"

        # What is not measured here cannot be missing: the filter left it out.
        other = rewritten(folder / "other.json", document, gone)
        out, _ = bench("run", "--quick", "--filter", "rows/10", "--compare-to", other, "--gate")
        if "0 missing" not in out or " new" not in out:
            raise tap.Failed(out)
        measured(folder, "after", "--compare-to", path)
        [page] = folder.glob("*-after.md")
        if "## Comparison" not in page.read_text(encoding="utf-8"):
            raise tap.Failed("the page has no comparison")


def compare_and_its_gate():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _, document = measured(folder, "any")
        good = rewritten(folder / "good.json", document, quiet)
        bad = rewritten(folder / "bad.json", document, slower)
        out, _ = bench("compare", good, bad)
        if "2 stable regressions" not in out:
            raise tap.Failed(out)
        bench("compare", good, bad, "--gate", status=1)
        bench("compare", good, good, "--gate")
        out, _ = bench("compare", bad, good, "--gate")
        if "2 stable wins" not in out:
            raise tap.Failed(out)
        document["header"]["cpu"] = "another"
        out, _ = bench("compare", rewritten(folder / "else.json", document, quiet), good)
        if "WARNING: another processor" not in out:
            raise tap.Failed(out)


def malformed_results_are_refused():
    with tempfile.TemporaryDirectory() as name:
        file = pathlib.Path(name) / "file"
        for text in ("", "{", "[]", '{"cases":[{}]}', '{"header":{}}\nnot JSON'):
            file.write_text(text, encoding="utf-8")
            _, err = bench("compare", file, file, status=2)
            if f"{file}:" not in err:
                raise tap.Failed(f"{text!r}: {err!r}")
        file.write_text('{"header":{}}\nnot JSON', encoding="utf-8")
        if f"{file}:2:" not in bench("compare", file, file, status=2)[1]:
            raise tap.Failed("the line is not told")


def goals_are_held_to_what_is_stored():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _, document = measured(folder, "canonical")

        def better(entry):
            for goal in entry["goals"]:
                goal.update(ratio=1e-6, low=1e-6, high=1e-6)

        def worse(entry):
            for goal in entry["goals"]:
                goal.update(ratio=1e6, low=1e6, high=1e6)

        arguments = ("goals", "--quick", "--filter", "rows/10", "--stored")
        out, _ = bench(*arguments, rewritten(folder / "better.json", document, better), status=1)
        if "WORSE than stored" not in out or "1 worse than stored" not in out:
            raise tap.Failed(out)
        # Whether the goal itself is met is a matter of the machine, so the exit status is not looked at here.
        for stored in ("--stored", rewritten(folder / "worse.json", document, worse)), ("--results", folder):
            done = subprocess.run(
                [BENCH, "goals", "--quick", "--filter", "rows/10", *map(str, stored)],
                capture_output=True, text=True, check=False, timeout=240,
            )
            if "worse than stored in" not in done.stdout or (stored[0] == "--stored" and "0 worse" not in done.stdout):
                raise tap.Failed(done.stdout + done.stderr)
        document["header"]["cpu"] = "another"
        other = rewritten(folder / "other.json", document, better)
        done = subprocess.run(
            [BENCH, *arguments, str(other)], capture_output=True, text=True, check=False, timeout=240
        )
        if "WORSE" in done.stdout or "another machine" not in done.stderr:
            raise tap.Failed(done.stdout + done.stderr)
        # What was asked for is looked at before what is stored.
        refused("goals", "--area", "none", "--stored", other)()


def memory_of_one_peer():
    # The second begins with the write that is number 0, the third looks for other libraries first; the last is live.
    for case in ("rows/100", "event/long-blob", "peers/point", "peers/live-count"):
        out, _ = bench("once", "--memory", "--filter", case, "--peer", "resqlite")
        rss, heap, allocations, wal = map(float, out.split())
        if rss < 0 or allocations < 1 or wal < 0 or heap != heap:
            raise tap.Failed(f"{case}: {out}")


def cases_by_name_only_are_not_part_of_a_run():
    everything, _ = bench("list")
    named, _ = bench("list", "--filter", "experiment/*")
    everything += bench("list", "--all")[0]
    if "experiment/" in everything or "experiment/" not in named:
        raise tap.Failed("experiments are to be listed if a filter names them, and only then")
    for option, shown in (None, ()), ("--slow", ("large/",)), ("--all", ("large/", "peers/")):
        listed, _ = bench("list", *([option] if option else []))
        if shown != tuple(word for word in ("large/", "peers/") if f"\n{word}" in listed):
            raise tap.Failed(f"{option}: not {shown}")


def experiments_run():
    """Each of them, with peers that agree: that they can be measured again is their purpose."""
    names = re.findall(r"^experiment/(\S+)", bench("list", "--filter", "experiment/*")[0], re.MULTILINE)
    out, _ = bench("experiment", "--quick")
    tap.expect_none([f"{name} has no figures" for name in names if f"experiment/{name} " not in out])


def nothing_is_left_behind():
    with tempfile.TemporaryDirectory() as name:
        bench("run", "--quick", "--filter", "rows/10", "--dir", name)
        bench("once", "--memory", "--filter", "rows/10", "--peer", "raw", "--dir", name)
        left = [path.name for path in pathlib.Path(name).iterdir()]
        tap.expect_none(left)


def main():
    wrong = [
        ("an unknown command", ("fly",)),
        ("an unknown option", ("run", "--fast")),
        ("an option without its value", ("run", "--filter")),
        ("a filter that matches nothing", ("run", "--filter", "none/*")),
        ("an experiment that there is not", ("experiment", "none")),
        ("an area that there is not", ("goals", "--area", "none")),
        ("two labels", ("run", "one", "two")),
        ("a label that is a path", ("run", "../one")),
        ("a label that is empty", ("run", "")),
        ("no passes", ("run", "one", "--repeat", "0")),
        ("half a pass", ("run", "one", "--repeat", "0.5")),
        ("too many passes", ("run", "one", "--repeat", "33")),
        ("a pass less than none", ("run", "one", "--repeat", "-1")),
        ("a gate without a comparison", ("run", "--quick", "--filter", "rows/10", "--gate")),
        ("a comparison with nothing", ("run", "--filter", "rows/10", "--compare-to", "/nonexistent/file")),
        ("results where there is no folder", ("run", "one", "--filter", "rows/10", "--results", "/nonexistent")),
        ("databases where there is no folder", ("run", "--filter", "rows/10", "--dir", "/nonexistent")),
        ("one file to compare", ("compare", "/nonexistent/file")),
        ("three files to compare", ("compare", "a", "b", "c")),
        ("once without a peer", ("once", "--filter", "rows/10")),
        ("once with no operations", ("once", "--filter", "rows/10", "--peer", "raw", "--ops", "0")),
        ("once with something else than a number", ("once", "--filter", "rows/10", "--peer", "raw", "--ops", "5x")),
    ]
    cases = [(f"is refused: {name}", refused(*arguments)) for name, arguments in wrong]
    cases += [
        ("a labelled run writes a document and a page", labelled_run_writes_results),
        ("a labelled run tells the versions of other libraries", labelled_run_tells_versions),
        ("a run is compared with an earlier one", run_compares),
        ("stored results are compared, and a gate stops a regression", compare_and_its_gate),
        ("malformed results are refused, with the line", malformed_results_are_refused),
        ("goals are held to what is stored, on the same machine", goals_are_held_to_what_is_stored),
        ("the memory of one peer", memory_of_one_peer),
        ("experiments are not part of a run", cases_by_name_only_are_not_part_of_a_run),
        ("experiments run", experiments_run),
        ("nothing is left behind", nothing_is_left_behind),
    ]
    tap.main(cases)


if __name__ == "__main__":
    main()
