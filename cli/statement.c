/* DB SQL [parameters]; see statement.h. */
#include "statement.h"

#include <stddef.h>

#include "diag.h"

int statement_take(statement *s, const char *command, int option, const char *value)
{
    if (format_option(&s->format, option))
        return STATUS_OK;
    if (option == ARGS_PLAIN && !s->database) {
        s->database = value;
        return STATUS_OK;
    }
    if (option == ARGS_PLAIN && !s->sql) {
        s->sql = value;
        return STATUS_OK;
    }
    return params_take(&s->params, command, option, value);
}

int statement_finish(statement *s, const char *command)
{
    if (!s->database)
        return diag_usage(command, "%s: which database?", command);
    if (!s->sql)
        return diag_usage(command, "%s: which SQL?", command);
    params_finish(&s->params);
    return STATUS_OK;
}

int statement_parse(statement *s, const char *command, char **words)
{
    static const arg_option options[] = {PARAM_OPTIONS, FORMAT_OPTIONS, HELP_OPTION, {NULL, 0, false, 0}};
    args a = {.command = command, .words = words, .options = options};
    const char *value;
    int option, status = STATUS_OK;

    while (status == STATUS_OK && !s->help && (option = args_next(&a, &value)) != ARGS_END) {
        if (option == OPTION_HELP)
            s->help = true;
        else
            status = option == ARGS_WRONG ? STATUS_USAGE : statement_take(s, command, option, value);
    }
    return status == STATUS_OK && !s->help ? statement_finish(s, command) : status;
}

void statement_fini(statement *s)
{
    params_fini(&s->params);
}
