#!/usr/bin/env python3
"""What the documents say holds: their programs compile and run, their commands work, their links resolve.

    readme.py --root SOURCE_ROOT --build BUILD_ROOT [--sanitize KINDS] [--only documents] COMPILER...

Code blocks of README.md are told apart by their info string:

    ```c            with main(): the first program, a file of its own; else declarations at file scope
    ```c fragment   statements, with `rsq_db *db` and `rsq_error err` in scope

All blocks but the first program make one program, the tour, which runs the fragments in their order on one
database. A ```sh block runs in an empty folder, except for its `make` lines, whose targets must exist.
With --only documents nothing is compiled or run.
"""
import argparse
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

FLAGS = ["-std=c11", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
# A name in backquotes that can only be meant as a file of this tree.
FILE = re.compile(r"`((?:src|include|docs|tests|tools|bench|cli|examples|experiments|third_party)/[\w./-]+)`")
# A struct at file scope: its name before or, for a static one, after its body.
STRUCT = re.compile(r"^(?:typedef |static )*struct (\w*) ?\{(.*?)^\} ?(\w*)", re.MULTILINE | re.DOTALL)
GUARD = re.compile(r"^\s+(?:rsq_mutex|_Atomic [\w ]+?) (\w+);", re.MULTILINE)
# The longest a first program may be, so that it fits a screen.
FIRST_LINES_MAX = 30
# Words a command of a README's block may begin with; anything else is not known to be safe in a test.
HARMLESS = ("cc", "./first", "printf", "echo", "resqlite")

TOUR = """{declarations}
{functions}
int main(int argc, char **argv)
{{
    static int (*const fragments[])(rsq_db *db) = {{ {names} }};
    rsq_db *db = NULL;
    rsq_error err;

    if (argc != 2 || rsq_open(argv[1], NULL, &db, &err) != RSQ_OK)
        return 1;
    for (size_t i = 0; i < sizeof fragments / sizeof fragments[0]; i++) {{
        if (fragments[i](db) != 0) {{
            fprintf(stderr, "fragment %zu failed\\n", i + 1);
            return 1;
        }}
    }}
    return rsq_close(db) == RSQ_OK ? 0 : 1;
}}
"""
FRAGMENT = """
static int fragment_{number}(rsq_db *db)
{{
    rsq_error err = {{ 0 }};

    (void)err;
    (void)db;
{text}
    return 0;
}}
"""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--sanitize", default="none")
    parser.add_argument("--only", choices=["documents"])
    parser.add_argument("compiler", nargs="*")
    return parser.parse_args()


OPTIONS = arguments()
ROOT = OPTIONS.root.resolve()
README = (ROOT / "README.md").read_text(encoding="utf-8")


def documents():
    """Every document of the tree, with its text."""
    for folder in (".", "docs", "experiments"):
        for path in sorted((ROOT / folder).glob("*.md")):
            yield path, path.read_text(encoding="utf-8")


def blocks(text, language, info=None):
    return [body for lang, more, body in BLOCK.findall(text) if lang == language and info in (None, more.strip())]


def first_program():
    with_main = [body for body in blocks(README, "c", "") if re.search(r"^int main\(", body, re.MULTILINE)]
    if len(with_main) != 1:
        raise tap.Failed(f"README.md has {len(with_main)} blocks with main(), not one")
    return with_main[0]


def tour_program():
    declarations = [body for body in blocks(README, "c", "") if not re.search(r"^int main\(", body, re.MULTILINE)]
    fragments = blocks(README, "c", "fragment")
    names = [f"fragment_{number}" for number in range(1, len(fragments) + 1)]
    functions = [FRAGMENT.format(number=number, text=textwrap.indent(text, "    ")) for number, text in enumerate(fragments, 1)]
    return TOUR.format(declarations="\n".join(declarations), functions="".join(functions), names=", ".join(names))


def compile_and_link(source, text, program):
    source.write_text(text, encoding="utf-8")
    sanitizer = [] if OPTIONS.sanitize == "none" else [f"-fsanitize={OPTIONS.sanitize}"]
    folder = OPTIONS.build / "src"
    tap.run_command(
        *OPTIONS.compiler, *FLAGS, *sanitizer, f"-I{ROOT / 'include'}", source, "-o", program,
        f"-L{folder}", "-lresqlite", f"-Wl,-rpath,{folder}",
    )


def first_program_is_the_example():
    example = (ROOT / "examples" / "first.c").read_text(encoding="utf-8")
    if first_program() != example:
        raise tap.Failed("the first program of README.md is not examples/first.c, byte for byte")
    if len(example.splitlines()) > FIRST_LINES_MAX:
        raise tap.Failed(f"examples/first.c has more than {FIRST_LINES_MAX} lines")


def first_program_compiles():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        compile_and_link(folder / "first.c", first_program(), folder / "first")
        tap.run_command(folder / "first", cwd=folder)


def tour_compiles_and_runs():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        compile_and_link(folder / "tour.c", tour_program(), folder / "tour")
        tap.run_command(folder / "tour", folder / "tour.db", timeout=60)


def commands(script):
    """The commands of a shell block: comments gone, continued lines joined."""
    joined = re.sub(r"\\\n|(?<=\|)\n", " ", script)
    for line in joined.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            yield line


def make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    problems = []
    for path, text in documents():
        lines = [line for script in blocks(text, "sh") for line in commands(script)]
        for line in lines:
            words = shlex.split(line)
            if words[0] != "make":
                continue
            targets = [word for word in words[1:] if "=" not in word]
            problems += [f"{path.name}: make {target}" for target in targets if target not in known]
    tap.expect_none(problems)


def shell_environment(folder):
    """The library and the command as if installed, the build's compiler as cc, one first.c to compile."""
    (folder / "bin").mkdir()
    # By its full name: the compiler may be called cc itself, also where a cache for compilers stands before it.
    command = " ".join(shlex.quote(shutil.which(word) or word) for word in OPTIONS.compiler)
    cc = folder / "bin" / "cc"
    cc.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    cc.chmod(0o755)
    (folder / "bin" / "resqlite").symlink_to(OPTIONS.build.resolve() / "cli" / "resqlite")
    (folder / "work").mkdir()
    (folder / "work" / "first.c").write_text(first_program(), encoding="utf-8")
    environment = dict(os.environ)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    environment["PKG_CONFIG_PATH"] = str(OPTIONS.build / "meson-uninstalled")
    environment["LD_LIBRARY_PATH"] = str(OPTIONS.build / "src")
    return environment


def shell_block_works(lines):
    """A case: the block's commands succeed."""

    def check():
        unknown = [line for line in lines if not line.startswith(HARMLESS)]
        if unknown:
            raise tap.Failed("not known to be safe in a test:\n" + "\n".join(unknown))
        if OPTIONS.sanitize != "none" and any(line.startswith("cc") for line in lines):
            raise tap.Skip("pkg-config knows nothing of a sanitizer build")
        if not (OPTIONS.build / "cli" / "resqlite").exists() and any("resqlite " in line for line in lines):
            raise tap.Skip("the command is not built")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            environment = shell_environment(folder)
            tap.run_command("sh", "-euc", "\n".join(lines), cwd=folder / "work", env=environment, timeout=60)

    return check


def anchors(text):
    """The anchors that a reader on the web gets for the headings of a document."""
    without_blocks = BLOCK.sub("", text)
    headings = re.findall(r"^#+ (.*)$", without_blocks, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links_resolve():
    problems = []
    for path, text in documents():
        for target in LINK.findall(BLOCK.sub("", text)):
            name, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = path.parent / name if name else path
            if not file.exists():
                problems.append(f"{path.relative_to(ROOT)}: {target}")
            elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
                problems.append(f"{path.relative_to(ROOT)}: no heading for {target}")
    tap.expect_none(problems)


def named_files_exist():
    problems = []
    for path, text in documents():
        problems += [f"{path.relative_to(ROOT)}: {name}" for name in FILE.findall(text) if not (ROOT / name).exists()]
    tap.expect_none(problems)


def named_functions_exist():
    """A name of ours is one that the source knows; one that is "not there yet" is not in the header."""
    header = (ROOT / "include" / "resqlite.h").read_text(encoding="utf-8")
    known = set(re.findall(r"\brsq_\w+", header))
    sources = sorted((ROOT / "src").rglob("*.[ch]")) + sorted((ROOT / "include" / "resqlite").glob("*.h"))
    for path in sources:
        known.update(re.findall(r"\brsq_\w+", path.read_text(encoding="utf-8")))
    problems = []
    for path, text in documents():
        missing = set(re.findall(r"\bno `(rsq_\w+)`", text))
        problems += [f"{path.name}: {name} is there" for name in missing if name in header]
        names = set(re.findall(r"`(rsq_\w+)(?:\(\))?`", text)) - missing
        problems += [f"{path.name}: {name} is not there" for name in sorted(names - known)]
    tap.expect_none(problems)


def options_are_described():
    header = (ROOT / "include" / "resqlite.h").read_text(encoding="utf-8")
    body = re.search(r"typedef struct rsq_open_options \{(.*?)\n\}", header, re.DOTALL).group(1)
    fields = re.findall(r"(\w+);\s*/\*\*<", body) + re.findall(r"(\w+);$", body, re.MULTILINE)
    tap.expect_none([f"README.md: no {field}" for field in fields if field != "size" and f"`{field}`" not in README])


def codes_are_described():
    header = (ROOT / "include" / "resqlite.h").read_text(encoding="utf-8")
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    body = re.search(r"typedef enum rsq_code \{(.*?)\n\}", header, re.DOTALL).group(1)
    codes = re.findall(r"^    (RSQ_\w+) = \d+", body, re.MULTILINE)
    tap.expect_none([f"docs/errors.md: no {code}" for code in codes if f"`{code}`" not in text])


def guards_are_described():
    """A mutex or an atomic that docs/threads.md does not name has no place in the lock order."""
    text = (ROOT / "docs" / "threads.md").read_text(encoding="utf-8")
    problems = []
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        for before, body, after in STRUCT.findall(path.read_text(encoding="utf-8")):
            names = [f"{before or after}.{field}" for field in GUARD.findall(body)]
            problems += [f"{path.relative_to(ROOT)}: {name}" for name in names if f"`{name}`" not in text]
    tap.expect_none(problems)


def wakes_are_tested():
    """Each line of the table of writes has its case, and each case its line."""
    text = (ROOT / "docs" / "live-queries.md").read_text(encoding="utf-8")
    test = (ROOT / "tests" / "integration" / "test_wakes.c").read_text(encoding="utf-8")
    first = re.findall(r"^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|", text, re.MULTILINE)
    lines = {name for names in first for name in re.findall(r"[a-z0-9-]+", names)}
    tested = set(re.findall(r'^    \{+"([a-z0-9-]+)",', test, re.MULTILINE))
    tested |= set(re.findall(r"^/\* ([a-z0-9-]+): ", test, re.MULTILINE))
    problems = [f"docs/live-queries.md: {name} has no case" for name in sorted(lines - tested)]
    tap.expect_none(problems + [f"test_wakes.c: {name} is in no line" for name in sorted(tested - lines)])


def main():
    cases = [
        ("links between documents resolve", links_resolve),
        ("files that documents name exist", named_files_exist),
        ("functions and types that documents name exist", named_functions_exist),
        ("make targets that documents name exist", make_targets_exist),
        ("README describes every option of rsq_open", options_are_described),
        ("docs/errors.md describes every code", codes_are_described),
        ("docs/live-queries.md and its test agree", wakes_are_tested),
        ("docs/threads.md names every mutex and every atomic", guards_are_described),
        ("the first program of README is examples/first.c", first_program_is_the_example),
    ]
    if not OPTIONS.only:
        cases += [
            ("the first program compiles and runs", first_program_compiles),
            ("the tour of README compiles and runs", tour_compiles_and_runs),
        ]
        # The targets of make are checked above: here they would build and test all over again.
        scripts = [[line for line in commands(script) if not line.startswith("make")] for script in blocks(README, "sh")]
        for number, lines in enumerate(scripts, 1):
            if lines:
                cases.append((f"shell block {number} of README works", shell_block_works(lines)))
    tap.main(cases)


if __name__ == "__main__":
    main()
