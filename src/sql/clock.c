#include "sql/clock.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/alloc.h"
#include "plat/thread.h"

/* One for each VFS that was the default when a connection was opened: in nearly all programs one. Never
 * freed, since SQLite keeps them for good. */
typedef struct clock_vfs {
    sqlite3_vfs vfs; /* what SQLite sees; `pAppData` is the VFS behind it */
    struct clock_vfs *next;
    char name[64];
} clock_vfs;

static struct {
    rsq_mutex mu;
    clock_vfs *first; /* under mu */
} clocks = {.mu = RSQ_MUTEX_INIT};

static _Thread_local uint64_t reads;

uint64_t rsq_clock_reads(void)
{
    return reads;
}

static sqlite3_vfs *behind(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/* The time is in milliseconds of the Julian day. */
static int current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    reads++;
    return behind(vfs)->xCurrentTimeInt64(behind(vfs), now);
}

static int current_time(sqlite3_vfs *vfs, double *now)
{
    reads++;
    return behind(vfs)->xCurrentTime(behind(vfs), now);
}

/* Everything else is passed on. A file belongs to the VFS that opened it, so files never come this way. */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    return behind(vfs)->xOpen(behind(vfs), name, file, flags, out);
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync)
{
    return behind(vfs)->xDelete(behind(vfs), name, sync);
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return behind(vfs)->xAccess(behind(vfs), name, flags, out);
}

static int full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    return behind(vfs)->xFullPathname(behind(vfs), name, size, out);
}

static void *dl_open(sqlite3_vfs *vfs, const char *name)
{
    return behind(vfs)->xDlOpen(behind(vfs), name);
}

static void dl_error(sqlite3_vfs *vfs, int size, char *message)
{
    behind(vfs)->xDlError(behind(vfs), size, message);
}

static void (*dl_sym(sqlite3_vfs *vfs, void *library, const char *name))(void)
{
    return behind(vfs)->xDlSym(behind(vfs), library, name);
}

static void dl_close(sqlite3_vfs *vfs, void *library)
{
    behind(vfs)->xDlClose(behind(vfs), library);
}

static int randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return behind(vfs)->xRandomness(behind(vfs), size, out);
}

static int sleep_us(sqlite3_vfs *vfs, int us)
{
    return behind(vfs)->xSleep(behind(vfs), us);
}

static int last_error(sqlite3_vfs *vfs, int size, char *message)
{
    return behind(vfs)->xGetLastError(behind(vfs), size, message);
}

static int set_system_call(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr call)
{
    return behind(vfs)->xSetSystemCall(behind(vfs), name, call);
}

static sqlite3_syscall_ptr get_system_call(sqlite3_vfs *vfs, const char *name)
{
    return behind(vfs)->xGetSystemCall(behind(vfs), name);
}

static const char *next_system_call(sqlite3_vfs *vfs, const char *name)
{
    return behind(vfs)->xNextSystemCall(behind(vfs), name);
}

/* SQLite calls what a VFS of that version has, and is not NULL. */
#define VERSION_MAX 3

static sqlite3_vfs make_vfs(sqlite3_vfs *base)
{
    sqlite3_vfs v = {.iVersion = base->iVersion < VERSION_MAX ? base->iVersion : VERSION_MAX,
                     .szOsFile = base->szOsFile,
                     .mxPathname = base->mxPathname,
                     .pAppData = base,
                     .xOpen = open_file,
                     .xDelete = base->xDelete ? delete_file : NULL,
                     .xAccess = access_file,
                     .xFullPathname = full_pathname,
                     .xRandomness = randomness,
                     .xSleep = sleep_us,
                     .xCurrentTime = current_time,
                     .xGetLastError = base->xGetLastError ? last_error : NULL};

    if (base->xDlOpen) {
        v.xDlOpen = dl_open;
        v.xDlError = dl_error;
        v.xDlSym = dl_sym;
        v.xDlClose = dl_close;
    }
    if (base->iVersion >= 2 && base->xCurrentTimeInt64)
        v.xCurrentTimeInt64 = current_time_int64;
    if (base->iVersion >= 3 && base->xSetSystemCall) {
        v.xSetSystemCall = set_system_call;
        v.xGetSystemCall = get_system_call;
        v.xNextSystemCall = next_system_call;
    }
    return v;
}

static clock_vfs *add_locked(sqlite3_vfs *base)
{
    clock_vfs *c = rsq_alloc_zero(sizeof *c);
    sqlite3_vfs *second = base->pNext;
    static unsigned number;

    if (!c)
        return NULL;
    /* The address tells apart what has the same name. */
    (void)snprintf(c->name, sizeof c->name, "resqlite-%.20s-%p-%u", base->zName, (void *)base, number++);
    c->vfs = make_vfs(base);
    c->vfs.zName = c->name;
    if (sqlite3_vfs_register(&c->vfs, 0) != SQLITE_OK) {
        rsq_free(c);
        return NULL;
    }
    /* SQLite puts it behind the default, and takes what is there when that is unregistered. */
    if (second)
        (void)sqlite3_vfs_register(second, 0);
    c->next = clocks.first;
    clocks.first = c;
    return c;
}

/* Made for it, and not for one that had its address before? */
static bool is_of(const clock_vfs *c, sqlite3_vfs *base)
{
    sqlite3_vfs now = make_vfs(base);

    return c->vfs.pAppData == base && c->vfs.iVersion == now.iVersion && c->vfs.szOsFile == now.szOsFile &&
           c->vfs.mxPathname == now.mxPathname && c->vfs.xDelete == now.xDelete &&
           c->vfs.xDlOpen == now.xDlOpen && c->vfs.xGetLastError == now.xGetLastError &&
           c->vfs.xCurrentTimeInt64 == now.xCurrentTimeInt64 && c->vfs.xSetSystemCall == now.xSetSystemCall;
}

const char *rsq_clock_vfs(void)
{
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);
    clock_vfs *c;

    if (!base)
        return NULL;
    rsq_mutex_lock(&clocks.mu);
    for (c = clocks.first; c && !is_of(c, base); c = c->next)
        ;
    if (!c)
        c = add_locked(base);
    rsq_mutex_unlock(&clocks.mu);
    return c ? c->name : NULL;
}
