#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

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
    return code;
}
