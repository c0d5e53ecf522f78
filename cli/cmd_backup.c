/* resqlite backup: copy a database that may be in use. */
#include "commands.h"

#include <stddef.h>

#include <resqlite.h>

#include "args.h"
#include "database.h"
#include "diag.h"
#include "out.h"
#include "progress.h"

static const char help[] =
    "Usage: resqlite backup DATABASE FILE [OPTION…]\n"
    "\n"
    "Copies a database, as it is at one commit, into a new file, while others read and\n"
    "write it. A file that exists is not written over; a copy that fails leaves nothing.\n"
    "\n"
    "  -q, --quiet    no bar on a terminal\n"
    "\n"
    "Example:\n"
    "  resqlite backup shop.db shop-monday.db\n"
    "\n"
    "Exit status: 0 success, 2 usage, 3 cannot open, or the file exists, 4 disk failed.\n";

enum { OPTION_QUIET = 1 };

typedef struct backup {
    const char *database, *file; /* borrowed */
    bool help, quiet;
    progress progress;
    bool began;
} backup;

static bool tell(uint64_t done, uint64_t pages, void *ctx)
{
    backup *b = ctx;

    if (!b->began)
        progress_begin(&b->progress, "copying", pages);
    b->began = true;
    progress_update(&b->progress, done, done);
    return true;
}

static int run(backup *b, rsq_db *db)
{
    rsq_backup_options opts = {.size = sizeof opts, .progress = tell, .ctx = b};
    rsq_error err;
    rsq_code code;

    progress_init(&b->progress, b->quiet);
    b->progress.unit = "pages";
    code = rsq_backup(db, b->file, &opts, NULL, &err);
    progress_erase(&b->progress);
    if (code == RSQ_OK)
        return STATUS_OK;
    diag_error("%s: %s", b->file, err.message);
    return code == RSQ_EINVAL || code == RSQ_ECANTOPEN ? STATUS_OPEN : diag_status(&err);
}

static int take_plain(backup *b, const char *word)
{
    if (b->file)
        return diag_usage("backup", "one word too many: %s", word);
    *(b->database ? &b->file : &b->database) = word;
    return STATUS_OK;
}

static int parse(backup *b, char **words)
{
    static const arg_option options[] = {
        {"quiet", 'q', false, OPTION_QUIET}, HELP_OPTION, {NULL, 0, false, 0}};
    args a = {.command = "backup", .words = words, .options = options};
    int status = STATUS_OK;
    const char *word;

    while (status == STATUS_OK) {
        switch (args_next(&a, &word)) {
        case OPTION_HELP:
            b->help = true;
            return STATUS_OK;
        case OPTION_QUIET:
            b->quiet = true;
            break;
        case ARGS_PLAIN:
            status = take_plain(b, word);
            break;
        case ARGS_END:
            return b->file ? STATUS_OK : diag_usage("backup", "which database, and into which file?");
        default:
            return STATUS_USAGE;
        }
    }
    return status;
}

int cmd_backup(char **words)
{
    backup b = {.help = false};
    int status = parse(&b, words);
    rsq_db *db;

    if (b.help) {
        out_puts(help);
        return status;
    }
    if (status == STATUS_OK)
        status = database_open_for_reading(b.database, &db);
    if (status == STATUS_OK) {
        status = run(&b, db);
        rsq_close(db);
    }
    return status;
}
