/* Opening the database; see database.h. */
#include "database.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

/* Where the header of a database file says which journal it has, and what it says there for the WAL. */
#define WRITE_VERSION_AT 18
#define WRITE_VERSION_WAL 2

int database_open(const char *path, uint32_t flags, rsq_db **out)
{
    rsq_open_options options = {.size = sizeof options, .flags = flags};
    rsq_error err;

    if (rsq_open(path, &options, out, &err) == RSQ_OK)
        return STATUS_OK;
    diag_sql(path, &err);
    return STATUS_OPEN;
}

/* Looks at the file before this process has any lock on it, which closing it here would drop. */
static bool is_in_wal_mode(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char version = 0;

    if (fd < 0)
        return false;
    if (pread(fd, &version, 1, WRITE_VERSION_AT) != 1)
        version = 0;
    close(fd);
    return version == WRITE_VERSION_WAL;
}

int database_open_for_reading(const char *path, rsq_db **out)
{
    uint32_t flags = RSQ_OPEN_READONLY;

    if (strcmp(path, ":memory:") == 0 || !*path) /* not files: there is nothing to change */
        flags = 0;
    else if (access(path, W_OK) == 0 && is_in_wal_mode(path))
        flags = RSQ_OPEN_NO_CREATE;
    return database_open(path, flags, out);
}
