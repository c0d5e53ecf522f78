#!/usr/bin/env python3
"""Write files as arrays of a C source, for programs that carry them.

    embed.py OUTPUT NAME=FILE...

Each becomes `const char NAME[]` with a zero behind it, in the order of the arguments; a missing file is an error.
An empty FILE is an empty array. An array of numbers, since a C11 compiler need not take a string of that length.
"""
import pathlib
import sys


def array(name, content):
    numbers = [str(byte if byte < 128 else byte - 256) for byte in content] + ["0"]
    lines = [",".join(numbers[at:at + 32]) for at in range(0, len(numbers), 32)]
    return f"const char {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main():
    output, *parts = sys.argv[1:]
    text = "/* Made by tools/embed.py. */\n"
    for part in parts:
        name, _, path = part.partition("=")
        text += f"extern const char {name}[];\n"
        text += array(name, pathlib.Path(path).read_bytes() if path else b"")
    pathlib.Path(output).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
