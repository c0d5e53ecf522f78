/*
 * Text to JSON strings: rows by name, and generated texts against a plain
 * encoder that goes byte by byte and decodes as the WHATWG encoding standard
 * describes it.
 *
 * Every text is read from a block of exactly its size and written to one of
 * exactly rsq_json_string_size(), so the sanitizer sees one byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "json/json.h"

#define SEED UINT64_C(0x5eed0002)
#define REPLACEMENT "\xef\xbf\xbd"
#define LENGTH_MAX 4096

/* ---------------------------------------------------- the plain encoder -- */

typedef struct output {
    char bytes[6 * LENGTH_MAX + 2];
    size_t size;
} output;

static void append(output *o, const char *bytes, size_t n)
{
    memcpy(o->bytes + o->size, bytes, n);
    o->size += n;
}

static void append_ascii(output *o, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[8];

    for (size_t i = 0; i < sizeof letters - 1; i += 2) {
        if ((unsigned char)letters[i] == c) {
            text[0] = '\\';
            text[1] = letters[i + 1];
            append(o, text, 2);
            return;
        }
    }
    if (c < 0x20)
        append(o, text, (size_t)snprintf(text, sizeof text, "\\u%04x", c));
    else
        append(o, (const char *)&c, 1);
}

/* The decoder of the WHATWG encoding standard: its variables, its order of questions. */
static void encode_plainly(output *o, const unsigned char *s, size_t n)
{
    unsigned needed = 0, seen = 0, lower = 0x80, upper = 0xbf;

    o->size = 0;
    append(o, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned c = s[i];

        if (needed == 0) {
            if (c < 0x80)
                append_ascii(o, s[i]);
            else if (c >= 0xc2 && c <= 0xdf)
                needed = 1;
            else if (c >= 0xe0 && c <= 0xef) {
                lower = c == 0xe0 ? 0xa0 : 0x80;
                upper = c == 0xed ? 0x9f : 0xbf;
                needed = 2;
            } else if (c >= 0xf0 && c <= 0xf4) {
                lower = c == 0xf0 ? 0x90 : 0x80;
                upper = c == 0xf4 ? 0x8f : 0xbf;
                needed = 3;
            } else
                append(o, REPLACEMENT, 3);
            continue;
        }
        if (c < lower || c > upper) {
            append(o, REPLACEMENT, 3);
            needed = seen = 0;
            lower = 0x80;
            upper = 0xbf;
            i--; /* this byte again, as a first one */
            continue;
        }
        lower = 0x80;
        upper = 0xbf;
        if (++seen == needed) {
            append(o, (const char *)s + i - needed, needed + 1);
            needed = seen = 0;
        }
    }
    if (needed)
        append(o, REPLACEMENT, 3);
    append(o, "\"", 1);
}

/* ------------------------------------------------------------- checking -- */

static _Noreturn void fail_text(const char *what, const char *s, size_t n)
{
    char hex[3 * 64 + 1] = "";

    for (size_t i = 0; i < n && i < 64; i++)
        snprintf(hex + 3 * i, 4, "%02x ", (unsigned char)s[i]);
    fail_msg("%s, text of %zu bytes: %s", what, n, hex);
    abort();
}

/* `s` is written as `expected`, and nothing around it is read or written. */
static void check_as(const char *s, size_t n, const char *expected, size_t size)
{
    char *text = malloc(n ? n : 1);
    char *room = malloc(size);
    char *end;

    assert_non_null(text);
    assert_non_null(room);
    memcpy(text, s, n);
    if (rsq_json_string_size(text, n) != size)
        fail_text("wrong size", s, n);
    if (size > rsq_json_string_bound(n))
        fail_text("above the bound", s, n);
    end = rsq_json_string(room, text, n);
    if (end != room + size || memcmp(room, expected, size) != 0)
        fail_text("wrong bytes", s, n);
    free(text);
    free(room);
}

static void check(const char *s, size_t n)
{
    static output expected;

    assert_true(n <= LENGTH_MAX);
    encode_plainly(&expected, (const unsigned char *)s, n);
    check_as(s, n, expected.bytes, expected.size);
}

/* ----------------------------------------------------------------- rows -- */

typedef struct row {
    const char *name;
    const char *text;
    size_t size;
    const char *json;
} row;

/* clang-format off */
#define ROW(name, text, json) {name, text, sizeof text - 1, "\"" json "\""}
/* clang-format on */

static void check_rows(const row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(rows[i].json);
        char *room = malloc(rsq_json_string_bound(rows[i].size) + 1);
        char *end;

        assert_non_null(room);
        end = rsq_json_string(room, rows[i].text, rows[i].size);
        *end = 0;
        if (strcmp(room, rows[i].json) != 0)
            fail_msg("%s: expected %s, got %s", rows[i].name, rows[i].json, room);
        free(room);
        check_as(rows[i].text, rows[i].size, rows[i].json, size);
    }
}

/* J03, J13: what must be escaped, and how. */
static void j03_j13_escapes_by_name(void **state)
{
    static const row rows[] = {
        ROW("empty", "", ""),
        ROW("plain", "hello", "hello"),
        ROW("J03", "quote\"slash\\newline\ntab\t", "quote\\\"slash\\\\newline\\ntab\\t"),
        ROW("letters", "\b\f\n\r\t", "\\b\\f\\n\\r\\t"),
        ROW("first controls", "\x01\x02\x07", "\\u0001\\u0002\\u0007"),
        ROW("vertical tab", "\x0b", "\\u000b"),
        ROW("escape", "\x1b[0m", "\\u001b[0m"),
        ROW("last control", "\x1f", "\\u001f"),
        ROW("space is none", " ", " "),
        ROW("delete is none", "\x7f", "\x7f"),
        ROW("solidus is none", "</script>", "</script>"),
        ROW("J13, NUL alone", "\0", "\\u0000"),
        ROW("J13, NUL inside", "a\0b\0", "a\\u0000b\\u0000"),
        ROW("line separators", "\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa8\xe2\x80\xa9"),
        ROW("two, three and four bytes", "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80",
            "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"),
        ROW("noncharacter", "\xef\xbf\xbf", "\xef\xbf\xbf"),
        ROW("replacement character itself", REPLACEMENT, REPLACEMENT),
        ROW("last code point", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

/* A text without bytes may have no address. */
static void null_text_of_no_bytes(void **state)
{
    char room[2];

    (void)state;
    assert_int_equal(rsq_json_string_size(NULL, 0), 2);
    assert_ptr_equal(rsq_json_string(room, NULL, 0), room + 2);
    assert_memory_equal(room, "\"\"", 2);
}

#define FFFD REPLACEMENT

/* Each maximal subpart becomes one U+FFFD. The last four rows are examples of the Unicode standard. */
static void invalid_utf8_by_name(void **state)
{
    static const row rows[] = {
        ROW("lone continuation", "a\x80z", "a" FFFD "z"),
        ROW("continuations", "\x80\xbf", FFFD FFFD),
        ROW("cut after one of two", "\xc3", FFFD),
        ROW("cut after two of three", "\xe6\xbc", FFFD),
        ROW("cut after three of four", "\xf0\x9f\x98", FFFD),
        ROW("quote inside a sequence", "\xe6\xbc\"", FFFD "\\\""),
        ROW("overlong slash", "\xc0\xaf", FFFD FFFD),
        ROW("overlong NUL of three", "\xe0\x80\x80", FFFD FFFD FFFD),
        ROW("overlong of four", "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD),
        ROW("high surrogate", "\xed\xa0\x80", FFFD FFFD FFFD),
        ROW("surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", FFFD FFFD FFFD FFFD FFFD FFFD),
        ROW("below the surrogates", "\xed\x9f\xbf", "\xed\x9f\xbf"),
        ROW("above U+10FFFF", "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD),
        ROW("five bytes", "\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD),
        ROW("fe and ff", "\xfe\xff", FFFD FFFD),
        ROW("table 3-8", "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"),
        ROW("table 3-9", "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"),
        ROW("table 3-10", "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"),
        ROW("table 3-11", "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A"),
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

/* ------------------------------------------------------------ generated -- */

/* J10: a byte that needs care, at each edge of a block, in texts that end at each edge of a block. */
static void j10_special_bytes_at_block_edges(void **state)
{
    static const size_t lengths[] = {0,  1,  15, 16, 17, 31, 32,  33,  47,  48,  49,  63,  64,  65,
                                     79, 80, 81, 95, 96, 97, 127, 128, 129, 255, 256, 257, 1024};
    static const char specials[] = {'"', '\\', 1, '\n', 0, (char)0x80, (char)0xff};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i];
        const size_t places[] = {0, 7, 8, 15, 16, n - 1};

        memset(text, 'x', n);
        check(text, n);
        for (size_t j = 0; n > 0 && j < sizeof places / sizeof places[0]; j++) {
            for (size_t k = 0; places[j] < n && k < sizeof specials; k++) {
                text[places[j]] = specials[k];
                check(text, n);
                text[places[j]] = 'x';
            }
        }
    }
}

/* J10, further: each of 256 bytes at each place of each text of up to 40 bytes. */
static void every_byte_at_every_place(void **state)
{
    char text[40];

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t n = 1; n <= sizeof text; n++) {
        for (size_t place = 0; place < n; place++) {
            for (int c = 0; c < 256; c++) {
                text[place] = (char)c;
                check(text, n);
            }
            text[place] = 'x';
        }
    }
}

static size_t put_code_point(char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xc0 | c >> 6);
        p[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xe0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 63));
        p[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (char)(0xf0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 63));
    p[2] = (char)(0x80 | (c >> 6 & 63));
    p[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* J10: every code point from U+0080 on is copied, not only the Chinese ones; 64 of them in each text. */
static void j10_every_code_point_is_copied(void **state)
{
    char quoted[64 * 4 + 2] = "\"";

    (void)state;
    for (uint32_t first = 0x80; first < 0x110000; first += 64) {
        size_t n = 0;

        if (first >= 0xd800 && first < 0xe000)
            continue; /* surrogates are no characters */
        for (uint32_t c = first; c < first + 64; c++)
            n += put_code_point(quoted + 1 + n, c);
        quoted[n + 1] = '"';
        check_as(quoted + 1, n, quoted, n + 2);
    }
}

/* All pairs of bytes; of three and four those around each limit. At the end of the text and before it. */
static void every_start_of_a_sequence(void **state)
{
    static const unsigned char limits[] = {0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    const size_t n = sizeof limits;
    char text[8] = "....abcd";

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        text[0] = (char)(pair >> 8);
        text[1] = (char)pair;
        check(text, 2);
        if (pair < 0x8000 || (pair & 15) > 1)
            continue;
        for (size_t i = 0; i < n * n; i++) {
            text[2] = (char)limits[i / n];
            text[3] = (char)limits[i % n];
            check(text, 3);
            check(text, 4);
            check(text, 8);
        }
    }
}

/* J09: random texts of every mixture: clean, escapes, accents, CJK, emoji, and bytes of any kind. */
static void j09_random_texts(void **state)
{
    uint64_t random = SEED;
    char text[400];

    (void)state;
    for (int round = 0; round < 40000; round++) {
        unsigned care = (unsigned)(next_random(&random) % 64); /* of 64 characters */
        size_t length = next_random(&random) % (round % 16 ? 64 : 390);
        size_t n = 0;

        while (n < length) {
            uint64_t r = next_random(&random);

            if (r % 64 >= care) {
                text[n++] = (char)(' ' + (r >> 8) % 95);
                continue;
            }
            switch (r >> 8 & 7) {
            case 0:
            case 1:
                text[n++] = (char)(r >> 16 & 0x1f);
                break;
            case 2:
                text[n++] = (char)(r >> 16);
                break;
            case 3:
                n += put_code_point(text + n, (uint32_t)(r >> 16) % 0x110000);
                break;
            case 4:
                n += put_code_point(text + n, 0x1f300 + (uint32_t)(r >> 16) % 0x300);
                break;
            case 5:
                n += put_code_point(text + n, 0x4e00 + (uint32_t)(r >> 16) % 0x5000);
                break;
            default:
                n += put_code_point(text + n, 0xa0 + (uint32_t)(r >> 16) % 0x100);
                break;
            }
        }
        check(text, n);
    }
}

/* The bound is met by a text of controls, so it cannot be lower. */
static void bound_is_reached(void **state)
{
    char text[100];

    (void)state;
    memset(text, 1, sizeof text);
    for (size_t n = 0; n <= sizeof text; n++)
        assert_int_equal(rsq_json_string_size(text, n), rsq_json_string_bound(n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(j03_j13_escapes_by_name),   cmocka_unit_test(null_text_of_no_bytes),
        cmocka_unit_test(invalid_utf8_by_name),      cmocka_unit_test(j10_special_bytes_at_block_edges),
        cmocka_unit_test(every_byte_at_every_place), cmocka_unit_test(j10_every_code_point_is_copied),
        cmocka_unit_test(every_start_of_a_sequence), cmocka_unit_test(j09_random_texts),
        cmocka_unit_test(bound_is_reached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
