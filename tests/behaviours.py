"""Check tests/behaviours.txt: what became of each behaviour that the reference's tests check.

One line per behaviour: its id, then one of
    tested FILE:FUNCTION...   the tests that check it; their names or the comments above them name the id
    later AREA                it belongs to a part that is not built yet
    replaced REASON           it makes no sense here, or something else stands for it: a sentence

A list like this is only worth something if it cannot rot: each id must be there once, each test must exist,
say the id and be in its program's table, and no test may be written and then forgotten in the table.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)

import tap  # noqa: E402  (found through the line above)

LIST = os.path.join(HERE, "behaviours.txt")
AREAS = ("reads", "writes", "streams", "operations")

# Letter and highest number of each section of the reference. P10 was never given to anything.
RANGES = {
    "L": 11, "E": 9, "R": 30, "J": 15, "W": 15, "B": 11, "T": 24, "S": 33, "K": 5, "D": 5,
    "C": 9, "O": 8, "G": 6, "I": 10, "X": 2, "P": 11, "M": 3,
}
NEVER_GIVEN = {"P10"}

# A test of cmocka with the comment above it, and an entry of a program's table of tests.
TEST = re.compile(r"(/\*(?:[^*]|\*(?!/))*\*/\n)?static void (\w+)\(void \*\*state\)\n\{")
IN_TABLE = re.compile(r"\b(?:CASE|cmocka_unit_test\w*)\((\w+)")
MACRO = re.compile(r"^#define (?:.*\\\n)*.*\n", re.MULTILINE)


def expected_ids():
    """All ids of the reference, in its order."""
    ids = [f"{letter}{n:02d}" for letter, last in RANGES.items() for n in range(1, last + 1)]
    return [name for name in ids if name not in NEVER_GIVEN]


def lines():
    """(line number, text) of the list, without comments and empty lines."""
    with open(LIST, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield number, text


def entries():
    """(line number, id, state, rest) of each line; a part that is missing is empty."""
    for number, text in lines():
        parts = text.split(None, 2) + ["", ""]
        yield number, parts[0], parts[1], parts[2]


def tests_of(path):
    """{function: comment} of the cmocka tests of a file."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return {match.group(2): match.group(1) or "" for match in TEST.finditer(file.read())}


def table_of(path):
    """Names in the table of a test program."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return IN_TABLE.findall(MACRO.sub("", file.read()))


def names(function, comment):
    """Ids that a test says it checks: those in its comment, and the parts of its name like j07."""
    return set(re.findall(r"\b[A-Z]\d\d\b", comment)) | set(re.findall(r"\b[A-Z]\d\d\b", by_name(function)))


def by_name(function):
    """The parts of a function's name in capitals: J07 EVERY LENGTH."""
    return function.upper().replace("_", " ")


def test_files():
    """Paths of all test programs that are written in C."""
    for kind in ("unit", "integration"):
        folder = os.path.join(HERE, kind)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.startswith("test_") and name.endswith(".c"):
                yield f"tests/{kind}/{name}"


def every_id_once():
    """Each id of the reference has a line, and no id has two."""
    found = [name for _, name, _, _ in entries()]
    expected = expected_ids()
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is no id of the reference" for name in found if name not in expected]
    problems += [f"{name} is there {found.count(name)} times" for name in expected if found.count(name) > 1]
    tap.expect_none(problems)


def in_order():
    """The list is in the reference's order, so that a reader finds a line."""
    order = {name: place for place, name in enumerate(expected_ids())}
    known = [(number, order[name]) for number, name, _, _ in entries() if name in order]
    tap.expect_none(
        [f"line {b[0]} belongs further up" for a, b in zip(known, known[1:]) if b[1] < a[1]]
    )


def each_line_is_well_formed():
    """tested FILE:FUNCTION..., later AREA or replaced REASON, and nothing else."""
    problems = []
    for number, name, state, rest in entries():
        if state == "tested":
            good = bool(rest) and all(re.fullmatch(r"tests/[\w/]+\.c:\w+", place) for place in rest.split())
        elif state == "later":
            good = rest in AREAS
        else:
            good = state == "replaced" and len(rest.split()) >= 4 and rest.endswith(".")
        if not good:
            problems.append(f"line {number}: {name} {state} {rest}")
    tap.expect_none(problems)


def tested_means_a_test():
    """Each function named exists, and the comment above it names the id."""
    problems = []
    for number, name, state, rest in entries():
        for place in rest.split() if state == "tested" else []:
            path, _, function = place.partition(":")
            if not os.path.isfile(os.path.join(ROOT, path)):
                problems.append(f"line {number}: there is no {path}")
            elif function not in tests_of(path):
                problems.append(f"line {number}: there is no test {function} in {path}")
            elif name not in names(function, tests_of(path)[function]):
                problems.append(f"line {number}: neither {function} nor the comment above it names {name}")
    tap.expect_none(problems)


def named_means_listed():
    """Ids that a test's comment begins with, or that its name has, are listed as tested by it."""
    listed = {
        (name, place) for _, name, state, rest in entries() if state == "tested" for place in rest.split()
    }
    problems = []
    for path in test_files():
        for function, comment in tests_of(path).items():
            opening = re.match(r"/\* ((?:[A-Z]\d\d(?:, | and |(?=\W)))+)", comment)
            said = (opening.group(1) if opening else "") + by_name(function)
            for name in sorted(names("", said)):
                if (name, f"{path}:{function}") not in listed:
                    problems.append(f"{path}: {function} names {name}, but is not listed for it")
    tap.expect_none(problems)


def each_test_is_in_its_table():
    """A test that is written but not in the table of its program would never run."""
    problems = []
    for path in test_files():
        written, table = list(tests_of(path)), table_of(path)
        problems += [f"{path}: {name} is in no table" for name in written if name not in table]
        problems += [f"{path}: {name} is in the table twice" for name in set(table) if table.count(name) > 1]
    tap.expect_none(problems)


if __name__ == "__main__":
    tap.main([
        ("each behaviour of the reference has one line", every_id_once),
        ("the list is in the reference's order", in_order),
        ("each line is well formed", each_line_is_well_formed),
        ("what is listed as tested has a test that says so", tested_means_a_test),
        ("a test that names a behaviour is listed", named_means_listed),
        ("each test is in its program's table", each_test_is_in_its_table),
    ])
