/*
 * The command `resqlite`: finds the command that is asked for and runs it.
 *
 * It is a program like any other on top of <resqlite.h>; nothing of the
 * library's inside is used.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <resqlite.h>

#include "args.h"
#include "commands.h"
#include "diag.h"
#include "out.h"
#include "visible.h"

static const char help[] =
    "Usage: resqlite COMMAND DATABASE …\n"
    "\n"
    "  query   run one statement that reads, print its rows\n"
    "  explain print which commits would wake a live query\n"
    "  exec    run one statement that writes, or several\n"
    "  import  load a CSV, JSON or NDJSON file into a table\n"
    "  watch   print the rows of a query again whenever they change\n"
    "  backup  copy a database that may be in use\n"
    "\n"
    "resqlite COMMAND --help says more. resqlite --version prints the versions.\n"
    "\n"
    "Example:\n"
    "  resqlite import cities.db cities.json --table cities --infer\n"
    "  resqlite query cities.db 'SELECT name, lat FROM cities ORDER BY lat DESC LIMIT 3'\n"
    "\n"
    "Exit status:\n"
    "  0  success\n"
    "  1  the SQL or the data is wrong, or was refused\n"
    "  2  the command line is wrong\n"
    "  3  the database, or the file to import, cannot be opened\n"
    "  4  input, output, disk or memory failed\n";

static const struct command {
    const char *name;
    int (*run)(char **words);
} commands[] = {
    {"query", cmd_query},   {"explain", cmd_explain}, {"exec", cmd_exec},
    {"import", cmd_import}, {"watch", cmd_watch},     {"backup", cmd_backup},
};

enum { OPTION_VERSION = 1 };

static void print_version(void)
{
    out_puts("resqlite ");
    out_puts(rsq_version());
    out_puts(" (SQLite ");
    out_puts(rsq_sqlite_version());
    out_puts(")\n");
}

static int run(char **words)
{
    static const arg_option options[] = {
        {"version", 'V', false, OPTION_VERSION}, HELP_OPTION, {NULL, 0, false, 0}};
    args a = {.words = words, .options = options};
    const char *word;

    switch (args_next(&a, &word)) {
    case OPTION_HELP:
        out_puts(help);
        return STATUS_OK;
    case OPTION_VERSION:
        print_version();
        return STATUS_OK;
    case ARGS_WRONG:
        return STATUS_USAGE;
    case ARGS_END:
        return diag_usage(NULL, "which command?");
    default:
        break;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(a.words);
    }
    return diag_usage(NULL, "%s is not a command", word);
}

int main(int argc, char **argv)
{
    visible_init();
    out_init();
    return out_finish(run(argv + (argc > 0)));
}
