#!/usr/bin/env python3
"""Copy files, but only if each one is the file it should be.

    checked_copy.py SHA256SUMS FILE... FOLDER

Each FILE is compared with the line of its base name in SHA256SUMS (the form of sha256sum), then all
are written to FOLDER. If one differs, nothing is written, the file is named, and the exit status is 1.
The bytes that were checked are the bytes that are written: nothing can change in between. A copy that
is already right is left alone, so that a fresh node_modules does not make Ninja compile SQLite again.
"""
import hashlib
import pathlib
import sys


def read_sums(path):
    """{base name: hash} of a file of sha256sum's form."""
    sums = {}
    for line in path.read_text().splitlines():
        digest, name = line.split()
        sums[name] = digest
    return sums


def main():
    sums_path, *files, folder = map(pathlib.Path, sys.argv[1:])
    sums = read_sums(sums_path)
    contents = {}
    for path in files:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != sums.get(path.name):
            sys.exit(
                f"error: {path} is not the file this project was checked with\n"
                f"  expected SHA-256 {sums.get(path.name, '(none)')} (in {sums_path})\n"
                f"  found            {digest}\n"
                "  Remove node_modules and run `make` to install it anew."
            )
        contents[path.name] = data
    for name, data in contents.items():
        copy = folder / name
        if not copy.exists() or copy.read_bytes() != data:
            copy.write_bytes(data)


if __name__ == "__main__":
    main()
