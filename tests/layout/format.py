#!/usr/bin/env python3
"""All C files are as clang-format leaves them.

    format.py SOURCE_ROOT CLANG_FORMAT      check
    format.py --write SOURCE_ROOT CLANG_FORMAT

Versions of clang-format differ in what they make of the same settings, so only one major version
judges; another one skips the test with its reason.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

MAJOR = "14"  # Debian 12's
FOLDERS = ["include", "src", "cli", "server", "bench", "examples", "tests"]


def c_files(root, folder):
    files = (path for path in (root / folder).rglob("*.[ch]") if "node_modules" not in path.parts)
    return sorted(path for path in files if path.is_file())


def major_version(command):
    text = tap.run_command(command, "--version")
    return re.search(r"version (\d+)", text).group(1)


def case(root, folder, command):
    def check():
        files = c_files(root, folder)
        if not files:
            raise tap.Skip("no C files")
        if major_version(command) != MAJOR:
            raise tap.Skip(f"clang-format {major_version(command)} is here, {MAJOR} judges")
        done = subprocess.run(
            [command, "--style=file", "--dry-run", "-Werror", *files], capture_output=True, text=True, check=False
        )
        places = dict.fromkeys(re.findall(r"^(.*?:\d+):\d+: error: code should be", done.stderr, re.MULTILINE))
        if done.returncode != 0:
            lines = [f"{place}: not as clang-format leaves it" for place in places]
            raise tap.Failed("\n".join(lines[:20] or [done.stderr]) + "\n`make format` does it")

    return check


def main():
    arguments = sys.argv[1:]
    write = arguments[0] == "--write"
    root, command = arguments[1:] if write else arguments
    root = pathlib.Path(root)
    if not write:
        tap.main(
            [
                (f"{folder} is formatted", case(root, folder, command))
                for folder in FOLDERS
                if (root / folder).is_dir()
            ]
        )
    if major_version(command) != MAJOR:
        sys.exit(f"error: {command} is version {major_version(command)}; the sources are formatted with {MAJOR}")
    files = [str(path) for folder in FOLDERS for path in c_files(root, folder)]
    subprocess.run([command, "--style=file", "-i", *files], check=True)


if __name__ == "__main__":
    main()
