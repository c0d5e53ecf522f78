#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

/* Whatever names and SQL a message quotes, it is one line that cannot steer a terminal. */
static void make_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
    }
}

/* Bytes of the UTF-8 character that begins at `text`, by its first byte; 0: none can begin so. */
static size_t character_size(const char *text)
{
    unsigned char first = (unsigned char)*text;
    size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;

    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

/* What a message quotes may have been cut inside a character, or be no UTF-8 at all: such bytes become '?'.
 */
static void make_text(char *text)
{
    while (*text) {
        size_t size = character_size(text);

        if (size == 0)
            *text = '?';
        text += size ? size : 1;
    }
}

rsq_code rsq_error_set(rsq_error *err, rsq_code code, const char *format, ...)
{
    va_list args;

    if (!err)
        return code;

    memset(err, 0, sizeof *err);
    err->code = (int32_t)code;
    err->sql_offset = -1;
    err->row = -1;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    make_one_line(err->message);
    make_text(err->message);
    return code;
}

rsq_error *rsq_error_copy(const rsq_error *err)
{
    rsq_error *copy = err ? rsq_alloc(sizeof *copy) : NULL;

    if (copy)
        *copy = *err;
    return copy;
}
