#!/usr/bin/env python3
"""The libraries offer what the header declares, and nothing else.

    exports.py HEADER SHARED_LIBRARY STATIC_LIBRARY MODE

MODE is 'bundled' or 'system'. The names are compared in both directions: a function that is declared
and not exported breaks a program at link time, one that is exported and not declared becomes an ABI
that nobody decided on. With SQLite bundled, none of its names may be visible, or a program that links
an SQLite of its own would run a mixture of both.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

HEADER, SHARED, STATIC, MODE = sys.argv[1:]


def declared():
    """Names of the RSQ_API functions of the header."""
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(HEADER).read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.MULTILINE)
    return set(re.findall(r"\bRSQ_API\b[^;(]*?\b(\w+)\s*\(", text))


def defined(library, *options):
    """Names a library defines, without symbol versions."""
    names = set()
    for line in tap.run_command("nm", *options, "--defined-only", "--format=posix", library).splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[1] not in ("A",):  # A: the node of the version script itself
            names.add(fields[0].split("@")[0])
    return names


def dynamic_section(tag):
    """Values of one kind of entry of the shared library's dynamic section."""
    lines = tap.run_command("readelf", "--dynamic", "--wide", SHARED).splitlines()
    return [re.search(r"\[(.*)\]", line).group(1) for line in lines if f"({tag})" in line]


def header_declares_functions():
    if len(declared()) < 10:
        raise tap.Failed(f"only {sorted(declared())} found in {HEADER}: this test no longer reads it rightly")


def shared_exports_the_api():
    exported = defined(SHARED, "--dynamic")
    tap.expect_none(
        [f"declared, not exported: {name}" for name in sorted(declared() - exported)]
        + [f"exported, not declared: {name}" for name in sorted(exported - declared())]
    )


def static_defines_the_api():
    tap.expect_none([f"not defined: {name}" for name in sorted(declared() - defined(STATIC, "--extern-only"))])


def static_hides_no_surprise():
    """Whatever is global in the archive can clash in a program, so it has one of two known prefixes."""
    names = defined(STATIC, "--extern-only")
    known = re.compile(r"rsq_|sqlite3|__(asan|odr_asan|ubsan|tsan|sancov|start|stop)|___asan" if MODE == "bundled" else r"rsq_|__")
    tap.expect_none([f"global in the archive: {name}" for name in sorted(names) if not known.match(name)])


def soname_is_versioned():
    if dynamic_section("SONAME") != ["libresqlite.so.0"]:
        raise tap.Failed(f"SONAME {dynamic_section('SONAME')}")


def sqlite_is_where_it_should_be():
    linked = any(name.startswith("libsqlite3") for name in dynamic_section("NEEDED"))
    if linked != (MODE == "system"):
        raise tap.Failed(f"SQLite is {MODE}, and the shared library needs {dynamic_section('NEEDED')}")


def main():
    tap.main(
        [
            ("the header's functions are found", header_declares_functions),
            ("the shared library exports exactly the header's functions", shared_exports_the_api),
            ("the static library defines the header's functions", static_defines_the_api),
            ("global names of the static library have a known prefix", static_hides_no_surprise),
            ("the shared library's name carries its ABI version", soname_is_versioned),
            ("SQLite is inside when bundled and linked when the system's", sqlite_is_where_it_should_be),
        ]
    )


if __name__ == "__main__":
    main()
