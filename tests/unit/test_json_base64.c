/*
 * Blobs to JSON strings, against encoders that go bit by bit.
 *
 * Every blob is read from a block of exactly its size and written to one of
 * exactly the documented size, so the sanitizer sees one byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "json/json.h"

#define SEED UINT64_C(0x5eed0003)

static unsigned char *random_bytes(uint64_t *state, size_t n)
{
    unsigned char *bytes = malloc(n ? n : 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)next_random(state);
    return bytes;
}

static char base64_character(unsigned six)
{
    if (six < 26)
        return (char)('A' + six);
    if (six < 52)
        return (char)('a' + six - 26);
    if (six < 62)
        return (char)('0' + six - 52);
    return six == 62 ? '+' : '/';
}

/* The bits in order, six to a character, zeros after the last, `=` up to a multiple of four. */
static void check_base64(const unsigned char *bytes, size_t n)
{
    size_t size = rsq_json_base64_size(n);
    char *room = malloc(size);
    size_t at = 1;

    assert_non_null(room);
    assert_ptr_equal(rsq_json_base64(room, bytes, n), room + size);
    if (room[0] != '"' || room[size - 1] != '"')
        fail_msg("%zu bytes: not quoted", n);
    for (size_t bit = 0; bit < 8 * n; bit += 6) {
        unsigned six = 0;

        for (size_t i = bit; i < bit + 6; i++)
            six = six << 1 | (i < 8 * n ? bytes[i / 8] >> (7 - i % 8) & 1u : 0);
        if (room[at] != base64_character(six))
            fail_msg("%zu bytes: wrong at character %zu", n, at - 1);
        at++;
    }
    for (; at % 4 != 1; at++) {
        if (room[at] != '=')
            fail_msg("%zu bytes: wrong padding", n);
    }
    assert_int_equal(at, size - 1);
    free(room);
}

static void check_hex(const unsigned char *bytes, size_t n)
{
    size_t size = rsq_json_hex_size(n);
    char *room = malloc(size);

    assert_non_null(room);
    assert_ptr_equal(rsq_json_hex(room, bytes, n), room + size);
    assert_true(room[0] == '"' && room[size - 1] == '"');
    for (size_t i = 0; i < 2 * n; i++) {
        unsigned four = i % 2 ? bytes[i / 2] & 15u : bytes[i / 2] >> 4;

        if (room[1 + i] != (char)(four < 10 ? '0' + four : 'a' + four - 10))
            fail_msg("%zu bytes: wrong at character %zu", n, i);
    }
    free(room);
}

/* J06 and the examples of RFC 4648. */
static void j06_base64_by_name(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"\xde", 1, "\"3g==\""},
        {"\xde\xad", 2, "\"3q0=\""},
        {"\xde\xad\xbe", 3, "\"3q2+\""},
        {"Hello!", 6, "\"SGVsbG8h\""},
        {"f", 1, "\"Zg==\""},
        {"fo", 2, "\"Zm8=\""},
        {"foo", 3, "\"Zm9v\""},
        {"foob", 4, "\"Zm9vYg==\""},
        {"fooba", 5, "\"Zm9vYmE=\""},
        {"foobar", 6, "\"Zm9vYmFy\""},
        {"\xff\xff\xff", 3, "\"////\""},
    };
    char room[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *end = rsq_json_base64(room, rows[i].bytes, rows[i].n);

        *end = 0;
        assert_string_equal(room, rows[i].json);
        assert_int_equal(end - room, rsq_json_base64_size(rows[i].n));
    }
}

static void hex_by_name(void **state)
{
    char room[16];

    (void)state;
    *rsq_json_hex(room, "\xde\xad\xbe\xef", 4) = 0;
    assert_string_equal(room, "\"deadbeef\"");
    *rsq_json_hex(room, "\0\x09\x10\xff", 4) = 0;
    assert_string_equal(room, "\"000910ff\"");
    *rsq_json_hex(room, "", 0) = 0;
    assert_string_equal(room, "\"\"");
}

/* A blob without bytes may have no address: SQLite gives NULL for it. */
static void null_blob_of_no_bytes(void **state)
{
    char room[2];

    (void)state;
    assert_ptr_equal(rsq_json_base64(room, NULL, 0), room + 2);
    assert_memory_equal(room, "\"\"", 2);
    assert_ptr_equal(rsq_json_hex(room, NULL, 0), room + 2);
    assert_memory_equal(room, "\"\"", 2);
}

/* J07: every length of 0 to 200, and those around the sizes of blocks. */
static void j07_every_length(void **state)
{
    static const size_t lengths[] = {4096, 4097, 65537, 1024 * 1024};
    uint64_t random = SEED;

    (void)state;
    for (size_t n = 0; n <= 200; n++) {
        for (int round = 0; round < 20; round++) {
            unsigned char *bytes = random_bytes(&random, n);

            check_base64(bytes, n);
            check_hex(bytes, n);
            free(bytes);
        }
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char *bytes = random_bytes(&random, lengths[i]);

        check_base64(bytes, lengths[i]);
        check_hex(bytes, lengths[i]);
        free(bytes);
    }
}

/* J07: each byte value at each of the first 12 places, which are two rounds of the loop. */
static void j07_every_byte_value(void **state)
{
    unsigned char bytes[17] = {0};

    (void)state;
    for (size_t place = 0; place < 12; place++) {
        for (int c = 0; c < 256; c++) {
            bytes[place] = (unsigned char)c;
            check_base64(bytes, sizeof bytes);
            check_hex(bytes, sizeof bytes);
        }
        bytes[place] = 0x5a;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(j06_base64_by_name),    cmocka_unit_test(hex_by_name),
        cmocka_unit_test(null_blob_of_no_bytes), cmocka_unit_test(j07_every_length),
        cmocka_unit_test(j07_every_byte_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
