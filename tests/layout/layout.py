#!/usr/bin/env python3
"""The tree keeps the shape that docs/architecture.md and HACKING describe.

    layout.py SOURCE_ROOT

Includes point one way, SQLite is seen in one folder only, programs see the public header only,
operating systems are told apart in one folder only, and every source file is part of the build.
"""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

# Which folders of src/ a file of each folder may include; its own always. The order is the one of the
# layers, lowest first: a folder that is added is added here, below all that use it.
MAY_INCLUDE = {
    "plat": set(),
    "base": {"plat"},
    "result": {"base", "plat"},
    "json": {"result", "base", "plat"},
    "sql": {"json", "result", "base", "plat"},
    "exec": {"sql", "json", "result", "base", "plat"},
    "stream": {"exec", "sql", "json", "result", "base", "plat"},
    "api": {"stream", "exec", "sql", "json", "result", "base", "plat"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.MULTILINE)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b((?:.*\\\n)*.*)", re.MULTILINE)
SYSTEM_NAME = re.compile(
    r"\b(__linux__|__linux|__gnu_linux__|__APPLE__|__MACH__|_WIN32|_WIN64|__unix__|__unix|__ANDROID__|"
    r"__FreeBSD__|__NetBSD__|__OpenBSD__|__DragonFly__|__CYGWIN__|__sun|__HAIKU__)\b"
)
# Headers of one system or of its threads; portable C and plain POSIX files are free to all.
SYSTEM_HEADER = re.compile(r"^(pthread\.h|threads\.h|semaphore\.h|sched\.h|linux/.*|sys/(eventfd|epoll|event|syscall)\.h)$")

ROOT = pathlib.Path(sys.argv[1])


def sources(*folders, suffixes=(".c", ".h")):
    """All source files below the folders, with their text; a folder that does not exist has none."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file() and "node_modules" not in path.parts:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def without_comments(text):
    """The text with its comments blanked out, lines kept."""
    return re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group(0)), text, flags=re.DOTALL)


def includes(text):
    """(line number, is quoted, name) of each include."""
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)


def src_folders_are_known():
    found = {path.name for path in (ROOT / "src").iterdir() if path.is_dir() and any(path.rglob("*.[ch]"))}
    tap.expect_none([f"src/{name} has no place among the layers" for name in sorted(found - set(MAY_INCLUDE))])


def includes_point_down(folder):
    """A case: files of one folder of src/ include only what lies below it."""
    allowed = MAY_INCLUDE[folder] | {folder}

    def check():
        problems = []
        for path, text in sources(f"src/{folder}"):
            for line, quoted, name in includes(text):
                if not quoted or name == "resqlite.h":
                    continue
                target = name.split("/")[0]
                if target not in allowed:
                    problems.append(f'{path}:{line}: "{name}" is not below {folder}/')
                elif not (ROOT / "src" / name).is_file():
                    problems.append(f'{path}:{line}: "{name}" is not a file of src/ (includes are rooted there)')
        tap.expect_none(problems)

    return check


def own_header_comes_first():
    """Proof that the header needs nothing before it. internal.h of the folder may stand before."""
    problems = []
    for path, text in sources("src", suffixes=(".c",)):
        own = str(path.with_suffix(".h").relative_to("src"))
        shared = str(path.parent.relative_to("src") / "internal.h")
        quoted = [name for _, is_quoted, name in includes(text) if is_quoted]
        first = next(includes(text), (0, False, ""))[2]
        if own in quoted and first not in (own, shared):
            problems.append(f"{path}: its own header is not its first include")
    tap.expect_none(problems)


def sqlite_is_seen_in_one_folder():
    allowed = ("src/sql/", "bench/raw/", "tests/")
    problems = []
    for path, text in sources("include", "src", "cli", "server", "bench", "examples"):
        if str(path).startswith(allowed):
            continue
        problems += [
            f"{path}:{line}: {name}" for line, _, name in includes(text) if re.match(r"sqlite3?(ext)?\.h$", name)
        ]
    tap.expect_none(problems)


def programs_see_the_public_header_only():
    problems = []
    for path, text in sources("cli", "server", "bench", "examples"):
        for line, quoted, name in includes(text):
            if not quoted or name == "resqlite.h":
                continue
            near = ((ROOT / path).parent / name, ROOT / path.parts[0] / name)
            inside = [p for p in near if p.is_file() and (ROOT / path.parts[0]).resolve() in p.resolve().parents]
            if not inside:
                problems.append(f'{path}:{line}: "{name}" is not a file of {path.parts[0]}/')
    tap.expect_none(problems)


def public_header_stands_alone():
    problems = []
    for path, text in sources("include"):
        problems += [f"{path}:{line}: {name}" for line, quoted, name in includes(text) if quoted]
    tap.expect_none(problems)


def systems_are_told_apart_in_plat():
    problems = []
    for path, text in sources("include", "src", "cli", "server", "bench", "examples"):
        if str(path).startswith("src/plat/"):
            continue
        for match in CONDITION.finditer(text):
            name = SYSTEM_NAME.search(match.group(1))
            if name:
                problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {name.group(0)}")
    tap.expect_none(problems)


def system_headers_stay_in_plat():
    problems = []
    for path, text in sources("include", "src"):
        # An adapter is for the loop of one system, and includes its header.
        if not str(path).startswith(("src/plat/", "include/resqlite/")):
            problems += [f"{path}:{line}: <{name}>" for line, _, name in includes(text) if SYSTEM_HEADER.match(name)]
    tap.expect_none(problems)


def every_source_is_built():
    """A .c file that no meson.build names would rot unseen."""
    built = {}
    for path in [p for p in ROOT.rglob("meson.build") if "node_modules" not in p.parts]:
        for name in re.findall(r"'([^'\n]+\.c)'", path.read_text(encoding="utf-8")):
            built[(path.parent / name).resolve()] = path
    problems = [
        f"{path}: not in a meson.build"
        for path, _ in sources("src", "cli", "server", "bench", "examples", "tests", suffixes=(".c",))
        if (ROOT / path).resolve() not in built
    ]
    tap.expect_none(problems)


def lock_files_name_no_server():
    problems = []
    for folder in (".", "bench/peers"):
        lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
        for name, package in lock["packages"].items():
            if "resolved" in package:
                problems.append(f"{folder}: {name or 'root'}: has an address")
            if name and not package.get("integrity", "").startswith("sha512-"):
                problems.append(f"{folder}: {name}: has no integrity hash")
    tap.expect_none(problems)


def nothing_is_left_to_do():
    """Open ends belong into the issue tracker, and a test that asserts with assert() asserts nothing here."""
    problems = []
    for path, text in sources("include", "src", "cli", "server", "bench", "examples", "tests"):
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                problems.append(f"{path}:{number}: {line.strip()}")
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            if path.parts[0] == "tests" and re.search(r"(?<!\w)assert\s*\(", line):
                problems.append(f"{path}:{number}: assert() is off in the default build; use cmocka's")
    tap.expect_none(problems)


def main():
    cases = [("every folder of src is a known layer", src_folders_are_known)]
    cases += [(f"includes of src/{folder} point down", includes_point_down(folder)) for folder in MAY_INCLUDE]
    cases += [
        ("a source file includes its own header first", own_header_comes_first),
        ("sqlite3.h is included in src/sql, bench/raw and tests only", sqlite_is_seen_in_one_folder),
        ("programs include the public header only", programs_see_the_public_header_only),
        ("the public header includes standard headers only", public_header_stands_alone),
        ("operating systems are told apart in src/plat only", systems_are_told_apart_in_plat),
        ("headers of one system are included in src/plat only", system_headers_stay_in_plat),
        ("every source file is built", every_source_is_built),
        ("the lock files have hashes and no addresses", lock_files_name_no_server),
        ("no open end and no idle assertion in the sources", nothing_is_left_to_do),
    ]
    tap.main(cases)


if __name__ == "__main__":
    main()
