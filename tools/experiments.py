#!/usr/bin/env python3
"""Check the pages of experiments/, and write what follows from them.

    experiments.py [--write] [ROOT]

A page has a number, a title, a status, a date, a table of what was measured, and says which changes it does not
explain. From the pages and signals.json follow the index in experiments/README.md (between its markers) and
experiments/history.md; --write writes both. Without it, problems are printed, one a line, what is stale among
them, and the exit status is 1 if there are any.
"""
import json
import pathlib
import re
import sys

NAME = re.compile(r"^(\d{4})-[a-z0-9-]+\.md$")
STATUSES = ("running", "accepted", "rejected", "measured", "superseded by")
HEADINGS = ("Problem", "Hypothesis", "Approach", "Command", "Results", "Decision")
BEGIN, END = "<!-- index: made by tools/experiments.py -->\n", "<!-- end of the index -->\n"

# Keys of a direction in signals.json, and what they must be.
DIRECTION = {"name": str, "direction": str, "status": str, "reading": str, "evidence": list, "notes": list,
             "candidates": list, "blocked_by": list}
DIRECTION_STATUSES = ("settled", "open", "blocked")


class Page:
    """What a page says of itself; problems are what it should say and does not."""

    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        self.name, self.number = path.name, NAME.match(path.name).group(1)
        self.problems = []
        self.title = self.find(rf"\A# {self.number} (.+)$", text, f"first line is not '# {self.number} Title'")
        self.status = self.find(r"^- \*\*Status:\*\* (.+)$", text, "no status")
        self.date = self.find(r"^- \*\*Date:\*\* (\d{4}-\d{2}-\d{2})$", text, "no date")
        question = re.search(r"^- \*\*Question:\*\* (.+)$", text, re.MULTILINE)
        self.question = question.group(1) if question else self.title
        if self.status and not self.status.startswith(STATUSES):
            self.problems.append(f"{self.name}: status {self.status!r} is none of {', '.join(STATUSES)}")
        self.sections(text)

    def find(self, pattern, text, problem):
        match = re.search(pattern, text, re.MULTILINE)
        if not match:
            self.problems.append(f"{self.name}: {problem}")
        return match.group(1) if match else ""

    def sections(self, text):
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        self.problems += [f"{self.name}: no heading {name!r}" for name in HEADINGS if name not in headings]
        if not re.search(r"^\|[-:| ]+\|$", text, re.MULTILINE):
            self.problems.append(f"{self.name}: no table of what was measured")
        if not re.search(r"not explain", text, re.IGNORECASE):
            self.problems.append(f"{self.name}: does not say which changes it does not explain")

    @property
    def word(self):
        """The status without what follows it."""
        return re.split(r"[:;,(]", self.status)[0].strip()


def read_pages(folder):
    """(pages by number, problems)"""
    pages, problems = [], []
    for path in sorted(folder.glob("*.md")):
        if NAME.match(path.name):
            pages.append(Page(path))
        elif path.name not in ("README.md", "history.md"):
            problems.append(f"{path.name}: not NNNN-short-name.md")
    numbers = [page.number for page in pages]
    problems += [f"{number}: there twice" for number in sorted(set(numbers)) if numbers.count(number) > 1]
    for page in pages:
        problems += page.problems
    return pages, problems


def candidate_problems(direction):
    problems = []
    for candidate in direction["candidates"]:
        if not isinstance(candidate, dict) or set(candidate) != {"idea", "reopens"} or not all(candidate.values()):
            problems.append(f"{direction['name']}: a candidate has an idea and what reopens it: {candidate!r}")
    return problems


def direction_problems(direction, numbers):
    """What is wrong with one entry of signals.json."""
    if not isinstance(direction, dict) or set(direction) != set(DIRECTION):
        return [f"signals.json: a direction has the keys {', '.join(DIRECTION)}: {str(direction)[:60]}"]
    name = direction["name"]
    problems = [
        f"signals.json: {name}: {key} is no {kind.__name__}"
        for key, kind in DIRECTION.items() if not isinstance(direction[key], kind)
    ]
    if problems:
        return problems
    if direction["status"] not in DIRECTION_STATUSES:
        problems.append(f"signals.json: {name}: status {direction['status']!r} is none of {DIRECTION_STATUSES}")
    problems += [f"signals.json: {name}: there is no page {page}" for page in direction["evidence"] if page not in numbers]
    if direction["status"] == "settled" and not direction["evidence"]:
        problems.append(f"signals.json: {name}: settled without evidence")
    if direction["status"] == "blocked" and not direction["blocked_by"]:
        problems.append(f"signals.json: {name}: blocked by nothing")
    problems += [f"signals.json: {name}: {key} is empty" for key in ("name", "direction", "reading") if not direction[key]]
    return problems + [f"signals.json: {problem}" for problem in candidate_problems(direction)]


def read_signals(folder, pages):
    """(directions, problems)"""
    try:
        signals = json.loads((folder / "signals.json").read_text(encoding="utf-8"))
    except ValueError as wrong:
        return [], [f"signals.json: {wrong}"]
    directions = signals.get("directions") if isinstance(signals, dict) else None
    if not isinstance(directions, list) or signals.get("version") != 1:
        return [], ["signals.json: not version 1 with directions"]
    numbers = {page.number for page in pages}
    problems = [problem for direction in directions for problem in direction_problems(direction, numbers)]
    names = [direction.get("name") for direction in directions if isinstance(direction, dict)]
    problems += [f"signals.json: {name}: there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return directions, problems


def index(pages):
    lines = ["| number | question | status |", "|---|---|---|"]
    lines += [f"| [{page.number}]({page.name}) | {page.question} | {page.word} |" for page in pages]
    return "\n".join(lines) + "\n"


def history(pages, directions):
    by_number = {page.number: page for page in pages}
    named = {number for direction in directions for number in direction["evidence"]}
    text = "# History of the experiments\n\nMade by `tools/experiments.py` from the pages and from `signals.json`.\n\n"
    text += "## By date\n\n| date | page | status |\n|---|---|---|\n"
    for page in sorted(pages, key=lambda page: (page.date, page.number)):
        text += f"| {page.date} | [{page.number} {page.title}]({page.name}) | {page.status} |\n"
    text += "\n## By direction\n"
    for direction in directions:
        text += f"\n### {direction['name']}\n\n{direction['direction']} *{direction['status'].capitalize()}.* {direction['reading']}\n"
        lines = [f"[{by_number[n].number} {by_number[n].title}]({by_number[n].name}): {by_number[n].word}" for n in direction["evidence"]]
        lines += direction["notes"]
        lines += [f"Could be tried: {one['idea']} Reopened by: {one['reopens']}" for one in direction["candidates"]]
        lines += [f"Has to be measured first: {one}" for one in direction["blocked_by"]]
        text += "".join(["\n"] + [f"- {line}\n" for line in lines]) if lines else ""
    rest = [page for page in pages if page.number not in named]
    if rest:
        text += "\n### In no direction yet\n\n"
        text += "".join(f"- [{page.number} {page.title}]({page.name}): {page.word}\n" for page in rest)
    return text


def readme_with(text, pages):
    """The README with its index replaced; None: it has no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + index(pages) + end + after if begin and end else None


def problems_of(root, write=False):
    """Everything that is wrong below a root; with `write`, what is generated is written first."""
    folder = root / "experiments"
    pages, problems = read_pages(folder)
    directions, wrong = read_signals(folder, pages)
    problems += wrong
    if wrong:
        return problems
    readme = folder / "README.md"
    for path, fresh in ((readme, readme_with(readme.read_text(encoding="utf-8"), pages)),
                        (folder / "history.md", history(pages, directions))):
        if fresh is None:
            problems.append(f"{path.name}: no place for the index")
        elif write:
            path.write_text(fresh, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != fresh:
            problems.append(f"{path.name}: stale; tools/experiments.py --write")
    return problems


def main():
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parents[1]
    problems = problems_of(root, "--write" in sys.argv[1:])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
