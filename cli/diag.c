/* One line on stderr, and an exit status; see diag.h. */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* The library's messages name what a program has to use; at a shell it is something else. */
static const struct {
    const char *program, *shell;
} remedies[] = {
    {"use rsq_execute()", "use resqlite exec"},
    {"use rsq_transaction() or rsq_begin()", "give all statements to one resqlite exec"},
    {"use RSQ_STREAM_VOLATILE", "use resqlite watch --refresh"},
};

void diag_message(strbuf *out, const char *subject, const rsq_error *err)
{
    strbuf_printf(out, "%s: ", subject);
    for (const char *rest = err->message; *rest;) {
        size_t i = 0, n = sizeof remedies / sizeof *remedies;

        while (i < n && strncmp(rest, remedies[i].program, strlen(remedies[i].program)) != 0)
            i++;
        if (i < n)
            strbuf_puts(out, remedies[i].shell);
        else
            strbuf_putc(out, *rest);
        rest += i < n ? strlen(remedies[i].program) : 1;
    }
    if (err->sql_offset >= 0)
        strbuf_printf(out, " (at offset %d of the SQL)", (int)err->sql_offset);
}

int diag_sql(const char *subject, const rsq_error *err)
{
    strbuf message = {0};

    diag_message(&message, subject, err);
    print(&message);
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
