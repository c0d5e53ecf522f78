/* What readers share; see import.h. */
#include "import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "utf8.h"

bool import_fail_at(reader *r, uint64_t offset, const char *format, ...)
{
    import_failure *f = r->failure;
    va_list args;

    if (f->happened)
        return false;
    f->happened = true;
    f->status = STATUS_SQL;
    f->placed = true;
    f->place = input_locate(r->in, offset);
    va_start(args, format);
    vsnprintf(f->message, sizeof f->message, format, args);
    va_end(args);
    return false;
}

bool import_check_input(reader *r)
{
    import_failure *f = r->failure;

    if (!r->in->error)
        return true;
    if (!f->happened) {
        f->happened = true;
        f->status = STATUS_SYSTEM;
        snprintf(f->message, sizeof f->message, "%s", strerror(r->in->error));
    }
    return false;
}

uint64_t import_field_offset(const reader *r, const import_row *row, size_t index)
{
    uint64_t known = row->fields[index].offset;

    return known != UINT64_MAX ? known : r->find_field(r, row, index);
}

bool import_column(reader *r, const char *name, size_t len, uint64_t offset, size_t guess, size_t *index)
{
    *index = columns_find(r->columns, name, len, guess);
    if (*index != COLUMNS_NONE)
        return true;
    if (len == 0)
        return import_fail_at(r, offset, "a column without a name");
    if (memchr(name, '\0', len))
        return import_fail_at(r, offset, "a column name with a NUL byte");
    *index = columns_add(r->columns, name, len);
    return r->on_column(r->ctx, r, *index, offset);
}
