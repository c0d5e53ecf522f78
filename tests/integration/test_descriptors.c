/*
 * Nobody but SQLite opens or closes the database, its log or the log's index.
 *
 * POSIX drops all locks that a process holds on a file when any descriptor of that file is closed, so one
 * careless open() and close() would let another process write in the middle of a transaction. SQLite knows,
 * and keeps descriptors open as long as it must; so what is traced here is that nobody else touches them, by
 * putting the linker's wrapper in front of the library's calls, and a function of ours in the place of the
 * calls that SQLite makes. What that is good for is looked at from outside: the locks, as another process
 * sees them.
 */
#include "fixture.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"

/* ------------------------------------------------------------------- the trace -- */

static _Thread_local bool inside_sqlite;
static atomic_size_t by_sqlite, by_others;
static char watched[320]; /* a prefix of the paths that count; empty: none does */
static char culprit[640]; /* what was done to one of them, by whom it may not be */

int __real_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __real_close(int fd);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fopen64(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_close(int fd);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

static void note(const char *what, const char *path)
{
    if (!watched[0] || strncmp(path, watched, strlen(watched)) != 0)
        return;
    if (inside_sqlite) {
        atomic_fetch_add(&by_sqlite, 1);
        return;
    }
    atomic_fetch_add(&by_others, 1);
    snprintf(culprit, sizeof culprit, "%s %s", what, path);
}

int __wrap_open(const char *path, int flags, ...)
{
    note("open", path);
    return __real_open(path, flags, 0600);
}

int __wrap_open64(const char *path, int flags, ...)
{
    note("open", path);
    return __real_open64(path, flags, 0600);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    note("fopen", path);
    return __real_fopen(path, mode);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    note("fopen", path);
    return __real_fopen64(path, mode);
}

int __wrap_close(int fd)
{
    char link[64], path[320];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        note("close", path);
    }
    return __real_close(fd);
}

/* What SQLite calls instead of open() and close(). */
static int sqlite_open(const char *path, int flags, int mode)
{
    int fd;

    (void)mode;
    inside_sqlite = true;
    fd = open(path, flags, 0600);
    inside_sqlite = false;
    return fd;
}

static int sqlite_close(int fd)
{
    int rc;

    inside_sqlite = true;
    rc = close(fd);
    inside_sqlite = false;
    return rc;
}

static void trace(const fixture *f)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

    assert_non_null(vfs);
    assert_int_equal(vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)sqlite_open), SQLITE_OK);
    assert_int_equal(vfs->xSetSystemCall(vfs, "close", (sqlite3_syscall_ptr)sqlite_close), SQLITE_OK);
    atomic_store(&by_sqlite, 0);
    atomic_store(&by_others, 0);
    snprintf(watched, sizeof watched, "%s", f->path);
}

static void expect_clean(void)
{
    if (atomic_load(&by_others) > 0)
        print_error("not by SQLite: %s\n", culprit);
    assert_int_equal(atomic_load(&by_others), 0);
}

/* ------------------------------------------------------------------- the locks -- */

/* Is a lock of this process on a byte of the file in another one's way? In a child, whose own descriptors and
 * locks are no business of this one. */
static bool is_locked(const char *path, const char *suffix, off_t at, off_t length)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = length};
        char name[400];
        int fd;

        snprintf(name, sizeof name, "%s%s", path, suffix);
        fd = __real_open(name, O_RDWR);
        if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0)
            _exit(2);
        _exit(lock.l_type == F_UNLCK ? 1 : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

/* As SQLite's file format says: the byte of the log's index that a writer locks, and those of the database
 * that everybody who uses it shares. */
#define WRITE_LOCK 120
#define SHARED_FIRST (0x40000000 + 2)
#define SHARED_SIZE 510

/* A look at all that opens or closes something: opening, reading, writing, live queries, refused opens. */
static void use_everything(fixture *f, const char *other_name)
{
    const rsq_open_options wrong = {.size = sizeof wrong, .cache_bytes = 1 << 20};
    const rsq_open_options readonly = {.size = sizeof readonly, .flags = RSQ_OPEN_READONLY};
    const rsq_attach itself[] = {{"itself", f->path}};
    const rsq_open_options attach = {.size = sizeof attach, .attach = itself, .nattach = 1};
    rsq_db *db = NULL;

    WANT(f, RSQ_EINVAL, rsq_open(f->path, &wrong, &db, &f->err));
    WANT(f, RSQ_EINVAL, rsq_open(f->path, &attach, &db, &f->err));
    db = fixture_open_path(f, other_name, NULL);
    EXPECT_ROWS_IN(f, db, "SELECT count(*) FROM items", "0");
    WANT_CODE(RSQ_OK, rsq_close(db));
    db = fixture_open_path(f, other_name, &readonly);
    EXPECT_ROWS_IN(f, db, "SELECT count(*) FROM items", "0");
    WANT_CODE(RSQ_OK, rsq_close(db));
}

/* While a transaction runs, others open and close the same file by several names: its locks stay, and nobody
 * but SQLite touched a descriptor. */
static void locks_survive_opens_and_closes(void **state)
{
    fixture *f = *state;
    const rsq_open_options opts = {.size = sizeof opts, .cache_bytes = 2 << 20};
    char *hard = fixture_file(f, "hard.db");
    parked *p;
    probe *live;

    trace(f);
    fixture_open(f, &opts);
    EXEC(f, SCHEMA);
    assert_int_equal(link(f->path, hard), 0);
    live = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(live, "0");
    assert_false(is_locked(f->path, "-shm", WRITE_LOCK, 1));
    p = fixture_park(f, f->db);
    assert_true(is_locked(f->path, "-shm", WRITE_LOCK, 1));
    assert_true(is_locked(f->path, "", SHARED_FIRST, SHARED_SIZE));
    for (int i = 0; i < 3; i++) {
        use_everything(f, f->path);
        use_everything(f, hard);
        assert_true(is_locked(f->path, "-shm", WRITE_LOCK, 1));
        assert_true(is_locked(f->path, "", SHARED_FIRST, SHARED_SIZE));
    }
    parked_go(p);
    parked_join(p);
    EXPECT_REACHES(live, "2");
    assert_false(is_locked(f->path, "-shm", WRITE_LOCK, 1));
    fixture_close(f);
    EXPECT_END(live);
    expect_clean();
    assert_true(atomic_load(&by_sqlite) > 0);
    watched[0] = '\0';
    free(hard);
}

/* The trace sees what it is there to see. */
static void the_trace_sees_a_culprit(void **state)
{
    fixture *f = *state;
    int fd;

    trace(f);
    fixture_open(f, NULL);
    assert_int_equal(atomic_load(&by_others), 0);
    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(atomic_load(&by_others), 2);
    watched[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(locks_survive_opens_and_closes),
        CASE(the_trace_sees_a_culprit),
    };

    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
