/* One line on stderr, and an exit status; see diag.h. */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "strbuf.h"
#include "visible.h"

/* One write for the whole line, so that lines of several processes do not mix. */
static void print(strbuf *message)
{
    strbuf line = {0};

    strbuf_puts(&line, "resqlite: ");
    visible_text(&line, message->data, message->len, 0);
    strbuf_putc(&line, '\n');
    fflush(stderr);
    fwrite(line.data, 1, line.len, stderr);
    fflush(stderr);
    strbuf_fini(&line);
    strbuf_fini(message);
}

void diag_error(const char *format, ...)
{
    strbuf message = {0};
    va_list args;

    va_start(args, format);
    strbuf_vprintf(&message, format, args);
    va_end(args);
    print(&message);
}

int diag_usage(const char *command, const char *format, ...)
{
    strbuf message = {0};
    va_list args;

    va_start(args, format);
    strbuf_vprintf(&message, format, args);
    va_end(args);
    if (command)
        strbuf_printf(&message, " (see resqlite %s --help)", command);
    else
        strbuf_puts(&message, " (see resqlite --help)");
    print(&message);
    return STATUS_USAGE;
}

int diag_sql(const char *subject, const rsq_error *err)
{
    if (err->sql_offset >= 0)
        diag_error("%s: %s (at offset %d of the SQL)", subject, err->message, (int)err->sql_offset);
    else
        diag_error("%s: %s", subject, err->message);
    return diag_status(err);
}

int diag_status(const rsq_error *err)
{
    switch (err->code) {
    case RSQ_EIO:
    case RSQ_EFULL:
    case RSQ_ENOMEM:
        return STATUS_SYSTEM;
    case RSQ_ECANTOPEN:
    case RSQ_ENOTADB:
        return STATUS_OPEN;
    default:
        return STATUS_SQL;
    }
}
