#!/usr/bin/env python3
"""Each public header compiles alone, as each language we promise, without a warning.

    header.py INCLUDE_DIR COMPILER...

COMPILER is a C compiler's command; the C++ cases run with the C++ compiler of the same family, and
every case also runs with the other family, where it is installed.
"""
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wundef", "-Werror"]
C_WARNINGS = WARNINGS + ["-Wstrict-prototypes", "-Wmissing-prototypes"]
STANDARDS = [
    ("c99", "c", C_WARNINGS),
    ("c11", "c", C_WARNINGS),
    ("c++17", "c++", WARNINGS),
]
# The inline functions must also compile where they are used, so one of each kind is called.
PROGRAM = """
#include <{header}>
int main(void);
int main(void)
{{
    rsq_value v[2] = {{ rsq_integer(1), rsq_text("one") }};
    rsq_open_options open_options = RSQ_OPEN_OPTIONS_INIT;
    rsq_call_options call_options = RSQ_CALL_OPTIONS_INIT;
    return v[0].as.i == 1 && open_options.size && call_options.size ? 0 : 1;
}}
"""


def compilers(language, given):
    """The commands to try for a language, the build's own compiler first."""
    if language == "c":
        others = [[name] for name in ("gcc", "clang") if name not in pathlib.Path(given[-1]).name]
        return [given] + [other for other in others if shutil.which(other[0])]
    return [[name] for name in ("g++", "clang++") if shutil.which(name)]


def case(header, include_dir, standard, language, warnings, given):
    """A function that compiles a program which includes only this header."""

    def check():
        found = compilers(language, given)
        if not found:
            raise tap.Skip(f"no {language} compiler")
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / ("alone.c" if language == "c" else "alone.cpp")
            source.write_text(PROGRAM.format(header=header.name))
            for compiler in found:
                tap.run_command(
                    *compiler, f"-std={standard}", *warnings, f"-I{include_dir}", "-fsyntax-only", source
                )

    return check


def main():
    include_dir, *given = sys.argv[1:]
    cases = []
    for header in sorted(pathlib.Path(include_dir).glob("*.h")):
        for standard, language, warnings in STANDARDS:
            cases.append(
                (
                    f"{header.name} alone as {standard}",
                    case(header, include_dir, standard, language, warnings, given),
                )
            )
    tap.main(cases)


if __name__ == "__main__":
    main()
