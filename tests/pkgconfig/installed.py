#!/usr/bin/env python3
"""A program builds against the installed library with nothing but pkg-config.

    installed.py BUILD_DIR SOURCE PREFIX MODE MESON PKG_CONFIG COMPILER...

The build is installed into a temporary folder with DESTDIR, and pkg-config is told that this folder is
the root of the system. For the static case the shared library is removed there, so that `-lresqlite`
can only mean the archive.
"""
import os
import pathlib
import shlex
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BUILD, SOURCE, PREFIX, MODE, MESON, PKG_CONFIG = sys.argv[1:7]
COMPILER = sys.argv[7:]


class Stage:
    """The build, installed below a temporary folder."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder) / "root"
        self.work = pathlib.Path(folder)
        self.prefix = self.root / pathlib.Path(PREFIX).relative_to("/")
        tap.run_command(
            *shlex.split(MESON), "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.root
        )

    def one(self, pattern):
        """The one installed file of that name."""
        found = list(self.prefix.rglob(pattern))
        if len(found) != 1:
            raise tap.Failed(f"{len(found)} files {pattern} below {self.prefix}")
        return found[0]

    def flags(self, *options):
        """What pkg-config says about the installed library; other packages are the system's."""
        environment = dict(
            os.environ,
            PKG_CONFIG_PATH=str(self.one("resqlite.pc").parent),
            PKG_CONFIG_SYSROOT_DIR=str(self.root),
        )
        return shlex.split(tap.run_command(PKG_CONFIG, *options, "resqlite", env=environment))

    def build_and_run(self, name, *options, library_path=None):
        """Compile first.c with pkg-config's flags, run it, and require its line of output."""
        program = self.work / name
        tap.run_command(*COMPILER, SOURCE, "-o", program, *self.flags(*options, "--cflags", "--libs"))
        environment = dict(os.environ)
        if library_path:
            environment["LD_LIBRARY_PATH"] = str(library_path)
        output = tap.run_command(program, self.work / f"{name}.db", env=environment)
        if output != "it works\n":
            raise tap.Failed(f"printed {output!r}")
        return program


def needed(program):
    """Shared libraries a program asks for."""
    lines = tap.run_command("readelf", "--dynamic", "--wide", program).splitlines()
    return " ".join(line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line)


def files_are_installed(stage):
    def check():
        for pattern in ("resqlite.h", "resqlite.pc", "libresqlite.a", "libresqlite.so", "libresqlite.so.0"):
            stage.one(pattern)
        extra = [str(path) for path in stage.prefix.rglob("*sqlite3*")]
        tap.expect_none([f"not ours to install: {path}" for path in extra])

    return check


def version_is_the_header_s(stage):
    def check():
        said = stage.flags("--modversion")[0]
        if f'#define RSQ_VERSION "{said}"' not in stage.one("resqlite.h").read_text(encoding="utf-8"):
            raise tap.Failed(f"resqlite.pc says {said}, resqlite.h something else")

    return check


def shared_library_serves(stage):
    def check():
        library = stage.one("libresqlite.so")
        program = stage.build_and_run("shared", library_path=library.parent)
        if "libresqlite.so.0" not in needed(program):
            raise tap.Failed(f"needs {needed(program)}, not the shared library")
        if "libsqlite3" in needed(program):
            raise tap.Failed("a program that uses the shared library has to name SQLite")

    return check


def command_finds_its_library(stage):
    """Wherever it was installed: most prefixes are not among the folders that the loader knows."""
    def check():
        found = list(stage.prefix.glob("bin/resqlite"))
        if not found:
            raise tap.Skip("the command is not built")
        environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
        tap.run_command(found[0], "--version", env=environment)

    return check


def static_library_serves(stage):
    def check():
        for path in stage.prefix.rglob("libresqlite.so*"):
            path.unlink()
        program = stage.build_and_run("static", "--static")
        if "libresqlite" in needed(program):
            raise tap.Failed(f"needs {needed(program)}")
        if ("libsqlite3" in needed(program)) != (MODE == "system"):
            raise tap.Failed(f"SQLite is {MODE}, and the program needs {needed(program)}")

    return check


def main():
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(folder)
        tap.main(
            [
                ("header, libraries and pkg-config file are installed", files_are_installed(stage)),
                ("the pkg-config file has the header's version", version_is_the_header_s(stage)),
                ("a program builds and runs with the shared library", shared_library_serves(stage)),
                ("the command runs from where it was installed", command_finds_its_library(stage)),
                ("a program builds and runs with the static library", static_library_serves(stage)),
            ]
        )


if __name__ == "__main__":
    main()
