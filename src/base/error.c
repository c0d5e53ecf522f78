#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* Whatever names and SQL a message quotes, it is one line that cannot steer a terminal. */
static void make_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
    }
}

/* A message that was cut may end inside a character: drop its first bytes. */
static void drop_half_character(char *text, size_t len)
{
    size_t back = 0;

    while (back < 4 && back < len && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < len && (unsigned char)text[len - 1 - back] >= 0xc0)
        text[len - 1 - back] = '\0';
}

rsq_code rsq_error_set(rsq_error *err, rsq_code code, const char *format, ...)
{
    va_list args;
    int wanted;

    if (!err)
        return code;

    memset(err, 0, sizeof *err);
    err->code = (int32_t)code;
    err->sql_offset = -1;
    err->row = -1;
    va_start(args, format);
    wanted = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (wanted >= (int)sizeof err->message)
        drop_half_character(err->message, sizeof err->message - 1);
    make_one_line(err->message);
    return code;
}
