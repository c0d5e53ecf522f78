#include "foreign.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SQL_MAX 8192

extern char **environ;

static bool read_all(int fd, void *bytes, size_t n)
{
    char *at = bytes;

    while (n > 0) {
        ssize_t got = read(fd, at, n);

        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    return write(fd, bytes, n) == (ssize_t)n; /* less than a pipe holds */
}

static void start(foreign *f, const char *path, const char *aux)
{
    char *argv[] = {(char *)"stream-oracle", (char *)"--foreign", (char *)path, (char *)aux, NULL};
    posix_spawn_file_actions_t actions;
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        abort();
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    if (posix_spawn(&f->pid, "/proc/self/exe", &actions, NULL, argv, environ) != 0) {
        perror("posix_spawn");
        abort();
    }
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    f->to = to[1];
    f->from = from[0];
}

bool foreign_run(foreign *f, const char *path, const char *aux, const char *sql)
{
    uint32_t len = (uint32_t)strlen(sql);
    int32_t rc;

    if (len >= SQL_MAX)
        return false;
    if (!f->pid)
        start(f, path, aux);
    if (!write_all(f->to, &len, sizeof len) || !write_all(f->to, sql, len) ||
        !read_all(f->from, &rc, sizeof rc)) {
        fprintf(stderr, "the other process is gone\n");
        abort();
    }
    return rc == SQLITE_OK;
}

void foreign_stop(foreign *f)
{
    if (!f->pid)
        return;
    close(f->to);
    close(f->from);
    waitpid(f->pid, NULL, 0);
    f->pid = 0;
}

static bool attach(sqlite3 *db, const char *aux)
{
    char *sql = sqlite3_mprintf("ATTACH %Q AS aux; PRAGMA aux.synchronous = OFF", aux);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    sqlite3_free(sql);
    return rc == SQLITE_OK;
}

int foreign_main(const char *path, const char *aux)
{
    char sql[SQL_MAX];
    sqlite3 *db = NULL;
    uint32_t len;

    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON", NULL, NULL, NULL) !=
            SQLITE_OK ||
        (aux && !attach(db, aux)))
        return 2;
    while (read_all(STDIN_FILENO, &len, sizeof len) && len < sizeof sql && read_all(STDIN_FILENO, sql, len)) {
        int32_t rc;

        sql[len] = '\0';
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (!sqlite3_get_autocommit(db))
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        if (!write_all(STDOUT_FILENO, &rc, sizeof rc))
            break;
    }
    sqlite3_close(db);
    return 0;
}
