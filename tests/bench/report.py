#!/usr/bin/env python3
"""The report of rsq-bench: everything is in the one file, whatever a file of results contains, and charts are drawn.

    report.py RSQ_BENCH HAS_UPLOT

HAS_UPLOT: yes or no. The results are made by hand. What needs a browser is skipped where there is no Chromium that
runs.
"""
import html.parser
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH, HAS_UPLOT = sys.argv[1], sys.argv[2] == "yes"
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
PERCENTS = [0, 1, *range(5, 100, 5), 99, 100]
WIDTH, HEIGHT = 1200, 2400
VOID = {"meta", "br", "dt", "dd", "tr", "th", "td", "p", "input", "link"}


def entry(workload, case, peer, median, to="raw"):
    quantiles = [median * (0.8 + percent / 200) for percent in PERCENTS]
    return {
        "workload": workload, "case": case, "peer": peer, "unit": "us/read", "median": median, "p90": 1.2 * median,
        "p99": 1.3 * median, "mad": 0.01 * median, "n": 15, "ratio_to": to, "ratio": median / 10, "ratio_low": 0.9,
        "ratio_high": 1.1, "quantiles": quantiles, "passes": [median] * 3,
        "memory": {"rss_kib": [100], "heap_kib": [50], "allocations": [1], "wal_kib": [0]},
    }


def results(label="plain", date="2026-01-31T00:00:00Z", more=()):
    cases = [
        entry("rows", str(size), peer, factor * size)
        for size in (10, 100, 1000)
        for peer, factor in (("raw", 1.0), ("resqlite", 0.5))
    ]
    cases += [entry("point", "key", "raw", 3.0), entry("point", "key", "resqlite", 0.5), *more]
    peers = {"a-peer": "1.2 <of Node 20>", "another": "MISSING: not installed"}
    return {"header": {"label": label, "date": date, "cores": 2, "cpu": "one", "peers": peers}, "cases": cases}


def report(*documents):
    """The page that is made of the documents."""
    with tempfile.TemporaryDirectory() as name:
        paths = []
        for number, document in enumerate(documents):
            paths.append(pathlib.Path(name) / f"{number}.json")
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
        return tap.run_command(BENCH, "report", *paths)


class Page(html.parser.HTMLParser):
    """The words of the tables, the attributes that fetch, the tags that are open."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.fetches, self.open, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.fetches += [value for name, value in attributes if name in ("src", "href") and not value.startswith("#")]
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.cells and self.open and self.open[-1] not in ("script", "style"):
            self.cells[-1] += data


def tables_hold_every_figure():
    text = report(results())
    page = Page(text)
    cells = {cell.strip() for cell in page.cells}
    wanted = ["rows/1000", "resqlite", "500", "0.500", "1.00", "10: 5  100: 50  1000: 500"]
    have = {re.sub("\u00a0", " ", cell) for cell in cells}
    tap.expect_none([f"no cell {word!r}" for word in wanted if not any(word.split()[0] in cell for cell in have)])
    tap.expect_none([f"</{tag}> does not fit" for tag in page.wrong] + [f"<{tag}> is left open" for tag in page.open])


def peers_are_told_with_their_versions():
    text = report(results())
    tap.expect_none([f"no {word}" for word in ("<dt>a-peer<dd>1.2 &lt;of Node 20&gt;", "<dt>another<dd>MISSING: not installed")
                     if word not in text])


def published_figures_are_those_of_the_document():
    """The same table is in docs/benchmarks.md, cell by cell."""
    section = report(results()).partition('<h2 id="published">')[2]
    rows = [re.split("<t[hd][^>]*>", line)[1:] for line in section.splitlines() if line.startswith("<tr><th>")][1:]
    page = DOCUMENT.read_text(encoding="utf-8").partition("## Published figures")[2].partition("\n## ")[0]
    lines = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")]
    if len(rows) < 50 or rows != lines[1:]:
        raise tap.Failed("\n".join(f"{row}" for row in rows if row not in lines) or f"{len(rows)} rows, {len(lines)} lines")
    known = tap.run_command(BENCH, "list", "--slow")
    tap.expect_none([f"no case {row[1]}" for row in rows if f"\n{row[1]} (" not in "\n" + known])


def page_fetches_nothing():
    text = report(results())
    tap.expect_none(Page(text).fetches + re.findall(r"@import|url\(", text))


def names_are_escaped():
    evil = '</script><script>document.title="taken"</script>&<b "quoted">'
    text = report(results(label=evil, more=[entry(evil, evil, evil, 5.0), entry(evil, evil, "resqlite" + evil, 6.0)]))
    page = Page(text)
    if "<b " in text or 'document.title="taken"</script>' in text or page.wrong or page.open:
        raise tap.Failed("a name was taken for a tag")
    figures = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    if HAS_UPLOT and json.loads(figures.group(1))["runs"][0]["label"] != evil:
        raise tap.Failed("the label did not come through")


def newest_is_shown_whatever_the_order():
    old, new = results("old", "2026-01-01T00:00:00Z"), results("new", "2026-02-01T00:00:00Z")
    for order in ((old, new), (new, old)):
        text = report(*order)
        if "<dt>Run<dd>new" not in text or not text.index("old<br>") < text.index("new<br>"):
            raise tap.Failed("the newest run is not the one that is shown")
    if "There is one run so far" not in report(old):
        raise tap.Failed("a single run has a history")


def wrong_use_is_refused():
    for arguments in ((), ("/nonexistent/file",)):
        done = subprocess.run([BENCH, "report", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 2 or done.stdout or not done.stderr:
            raise tap.Failed(f"{arguments}: exit status {done.returncode}")


def chromium(page, *arguments):
    """What Chromium prints about the page; where it is missing or does not get as far, the case is skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise tap.Skip("no chromium here; with Debian: apt-get install chromium")
    if not HAS_UPLOT:
        raise tap.Skip("built without uPlot, so there are no charts")
    with tempfile.TemporaryDirectory() as profile:
        try:
            done = subprocess.run(
                [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
                 f"--window-size={WIDTH},{HEIGHT}", *arguments, f"file://{page}"],
                capture_output=True, text=True, check=False, timeout=100,
            )
        except subprocess.TimeoutExpired as late:
            raise tap.Skip("chromium did not end in time") from late
    if done.returncode != 0:
        raise tap.Skip(f"chromium does not run here: exit status {done.returncode}")
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "Uncaught" in line]
    tap.expect_none(errors)
    return done.stdout


def with_page(check):
    def case():
        with tempfile.TemporaryDirectory() as name:
            page = pathlib.Path(name) / "report.html"
            page.write_text(report(results("old", "2026-01-01T00:00:00Z"), results()), encoding="utf-8")
            check(page)

    return case


def charts_are_drawn(page):
    dom = chromium(page, "--dump-dom")
    if not dom:
        raise tap.Skip("chromium printed nothing")
    # Two workloads of bars, one curve, one distribution, two of history.
    drawn = re.search(r'data-charts="(\d+)"', dom)
    if not drawn or drawn.group(1) != "6" or dom.count("<canvas") != 6:
        raise tap.Failed(f"{drawn and drawn.group(0)}, {dom.count('<canvas')} canvases")
    if "slope 1.00" not in dom or "point/key</option>" not in dom:
        raise tap.Failed("no slope, or no choice of cases")


def rows_of(png):
    """Width, height and the rows of a PNG, still filtered: enough to see that they differ."""
    width, height = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        data += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw = zlib.decompress(data)
    stride = len(raw) // height
    return width, height, [raw[row * stride + 1:(row + 1) * stride] for row in range(height)]


def page_is_a_picture(page):
    picture = page.with_name("page.png")
    chromium(page, f"--screenshot={picture}")
    if not picture.exists():
        raise tap.Skip("chromium made no picture")
    width, height, rows = rows_of(picture.read_bytes())
    if (width, height) != (WIDTH, HEIGHT) or len(set(rows)) < 200:
        raise tap.Failed(f"{width} × {height}, {len(set(rows))} different rows")


def main():
    tap.main([
        ("tables hold every figure", tables_hold_every_figure),
        ("peers are told with their versions", peers_are_told_with_their_versions),
        ("published figures are those of docs/benchmarks.md", published_figures_are_those_of_the_document),
        ("the page fetches nothing", page_fetches_nothing),
        ("names are escaped", names_are_escaped),
        ("the newest run is shown, whatever the order", newest_is_shown_whatever_the_order),
        ("wrong use is refused", wrong_use_is_refused),
        ("charts are drawn, without an error", with_page(charts_are_drawn)),
        ("the page is a picture", with_page(page_is_a_picture)),
    ])


if __name__ == "__main__":
    main()
