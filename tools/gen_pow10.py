#!/usr/bin/env python3
"""Write, or check, the table of powers of ten behind the shortest decimal form of a double.

    gen_pow10.py > src/json/pow10.inc      write it
    gen_pow10.py --check FILE              exit 1 if FILE is not what would be written

Row e of the table is 10**e as a 128-bit integer whose top bit is set, rounded up. It is computed
with whole numbers only, so there is nothing to trust in the result but the rounding rule. What
does need trust is that 128 bits are enough for every double, and that the integer logarithms in
number.c are right over their range. Both are proved here, for every binary exponent, before a row
is written: see prove_exact().
"""
import sys
from math import gcd

EXPONENT_MIN = -292  # of ten, for the largest double
EXPONENT_MAX = 324  # of ten, for the smallest
BINARY_MIN = -1074  # of the unit of the last place
BINARY_MAX = 971
SIGNIFICAND_BITS = 53
FRACTION_BITS = 68  # looked at by round_to_odd()


def floor_log2(numerator, denominator):
    """The largest n with 2**n <= numerator / denominator."""
    n = numerator.bit_length() - denominator.bit_length()
    fits = numerator >= denominator << n if n >= 0 else numerator << -n >= denominator
    return n if fits else n - 1


def ratio_pow10(e):
    return (10**e, 1) if e >= 0 else (1, 10**-e)


def row(e):
    """10**e scaled to [2**127, 2**128), rounded up."""
    numerator, denominator = ratio_pow10(e)
    shift = 127 - floor_log2(numerator, denominator)
    if shift >= 0:
        numerator <<= shift
    else:
        denominator <<= -shift
    return -(-numerator // denominator)


# The integer logarithms, spelled as number.c spells them.
def floor_log10_pow2(q):
    return (q * 1262611) >> 22


def floor_log10_three_quarters_pow2(q):
    return (q * 1262611 - 524031) >> 22


def floor_log2_pow10(e):
    return (e * 1741647) >> 19


def prove_logarithms():
    for e in range(EXPONENT_MIN, EXPONENT_MAX + 1):
        assert floor_log2_pow10(e) == floor_log2(*ratio_pow10(e)), e
    for q in range(BINARY_MIN, BINARY_MAX + 1):
        numerator, denominator = (4 << q, 4) if q >= 0 else (4, 4 << -q)
        for factor, k in ((4, floor_log10_pow2(q)), (3, floor_log10_three_quarters_pow2(q))):
            value = factor * numerator // 4
            for bound, below in ((k, True), (k + 1, False)):
                up, down = ratio_pow10(bound)
                assert (up * denominator <= value * down) == below, (q, factor)


def first_between(a, m, low, high):
    """The smallest x >= 0 with low <= a * x % m <= high, or None. 0 < low <= high < m."""
    a %= m
    if a == 0:
        return None
    x = -(-low // a)
    if a * x <= high:
        return x
    # No multiple of a lies between the two before the first wrap, so ask how many wraps it
    # takes: the same question with a as the modulus, as in Euclid's algorithm.
    y = first_between(m, a, -high % a, -low % a)
    return None if y is None else -(-(low + m * y) // a)


def prove_exact():
    """Rounding to odd with the table gives what exact arithmetic gives, for every double.

    number.c needs x = b * 2**q / 10**k, for b = 4c and its two boundaries 4c - 2 and 4c + 2,
    rounded down, with the last bit set if anything was cut off. It computes x + error instead,
    where 0 <= error < 2**-68 because b << h is below 2**60, and looks at the first 68 bits of the
    fraction. For a whole x the error does not reach them. For any other x all is right if its
    fraction is at least 2**-68 away from 0 and from 1, so no b may come closer. (64 bits would not
    do: 8887055249355788 * 2**664 comes as near as 2**-65.4.)
    """
    for q in range(BINARY_MIN, BINARY_MAX + 1):
        k = floor_log10_pow2(q)
        h = q + floor_log2_pow10(-k) + 1
        assert EXPONENT_MIN <= -k <= EXPONENT_MAX and h >= 1
        assert (4 << SIGNIFICAND_BITS) << h < 1 << 60, q

        # All the even b at once: x = i * a / m.
        a, m = scaled_ratio(2, q, k)
        margin = -(-m >> FRACTION_BITS) - 1  # the largest remainder that is too close
        if margin >= 1:
            for low, high in ((1, margin), (m - margin, m - 1)):
                i = first_between(a, m, low, high)
                assert i is None or i > 2 << SIGNIFICAND_BITS, (q, i)

        # A power of two: the lower boundary is 4c - 1, and k may be one less.
        k = floor_log10_three_quarters_pow2(q)
        h = q + floor_log2_pow10(-k) + 1
        assert EXPONENT_MIN <= -k <= EXPONENT_MAX and h >= 1
        c = 1 << (SIGNIFICAND_BITS - 1)
        for b in (4 * c - 1, 4 * c, 4 * c + 2):
            assert b << h < 1 << 60
            a, m = scaled_ratio(b, q, k)
            rest = a % m
            assert rest == 0 or m <= rest << FRACTION_BITS <= (m << FRACTION_BITS) - m, (q, b)


def scaled_ratio(b, q, k):
    """b * 2**q / 10**k in lowest terms."""
    up, down = ratio_pow10(-k)
    if q >= 0:
        up <<= q
    else:
        down <<= -q
    common = gcd(b * up, down)
    return b * up // common, down // common


def table():
    lines = [
        "/* Generated by tools/gen_pow10.py; do not edit. */",
        "#define POW10_MIN (%d)" % EXPONENT_MIN,
        "#define POW10_MAX %d" % EXPONENT_MAX,
        "",
        "/* 10^e, its top bit at bit 127, rounded up: upper and lower half. */",
        "static const uint64_t pow10_table[POW10_MAX - POW10_MIN + 1][2] = {",
    ]
    for e in range(EXPONENT_MIN, EXPONENT_MAX + 1):
        g = row(e)
        assert g >> 127 == 1
        high, low = g >> 64, g & (1 << 64) - 1
        lines.append("    {UINT64_C(0x%016x), UINT64_C(0x%016x)}, /* %d */" % (high, low, e))
    lines.append("};")
    return "\n".join(lines) + "\n"


def main(arguments):
    sys.setrecursionlimit(10000)
    prove_logarithms()
    prove_exact()
    text = table()
    if not arguments:
        sys.stdout.write(text)
        return 0
    if len(arguments) == 2 and arguments[0] == "--check":
        with open(arguments[1], encoding="ascii") as file:
            if file.read() == text:
                return 0
        sys.stderr.write("%s: differs from what tools/gen_pow10.py writes\n" % arguments[1])
        return 1
    sys.stderr.write("usage: gen_pow10.py [--check FILE]\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
