#include "disk.h"

#include <sqlite3.h>

#include <stdatomic.h>
#include <stddef.h>

/* The file behind it lies behind it. */
typedef struct disk_file {
    sqlite3_file base;
    sqlite3_file *real;
} disk_file;

static sqlite3_vfs disk, *usual;
static disk_judge *_Atomic judge;

static sqlite3_file *real(sqlite3_file *file)
{
    return ((disk_file *)(void *)file)->real;
}

static int ask(disk_op op)
{
    disk_judge *j = atomic_load(&judge);

    return j ? j(op) : SQLITE_OK;
}

/* --- what is asked about --- */

static int read_bytes(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    int rc = ask(DISK_READ);

    return rc ? rc : real(f)->pMethods->xRead(real(f), to, n, at);
}

/* A page of a memory map is read without a function: refused, it is read with one. */
static int fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **page)
{
    int rc = ask(DISK_READ);

    *page = NULL;
    return rc ? rc : real(f)->pMethods->xFetch(real(f), at, n, page);
}

static int write_bytes(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc = ask(DISK_WRITE);

    return rc ? rc : real(f)->pMethods->xWrite(real(f), from, n, at);
}

static int truncate_to(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = ask(DISK_TRUNCATE);

    return rc ? rc : real(f)->pMethods->xTruncate(real(f), size);
}

/* No test pulls the plug: that it was asked for is enough, and the real one takes its time. */
static int sync_file(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return ask(DISK_SYNC);
}

/* --- what is passed on --- */

static int close_file(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int check_reserved(sqlite3_file *f, int *is)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), is);
}

static int control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int sector_size(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int characteristics(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static int unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
    return real(f)->pMethods->xUnfetch(real(f), at, page);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = close_file,
    .xRead = read_bytes,
    .xWrite = write_bytes,
    .xTruncate = truncate_to,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = fetch,
    .xUnfetch = unfetch,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    disk_file *d = (disk_file *)(void *)file;
    int rc;

    (void)vfs;
    d->real = (sqlite3_file *)(void *)(d + 1);
    rc = usual->xOpen(usual, name, d->real, flags, out);
    d->base.pMethods = d->real->pMethods ? &methods : NULL;
    return rc;
}

int disk_install(void)
{
    usual = sqlite3_vfs_find(NULL);
    if (!usual || usual->iVersion < 3)
        return -1;
    disk = *usual;
    disk.zName = "disk";
    disk.pNext = NULL;
    disk.szOsFile = (int)sizeof(disk_file) + usual->szOsFile;
    disk.xOpen = open_file;
    return sqlite3_vfs_register(&disk, 1);
}

void disk_ask(disk_judge *j)
{
    atomic_store(&judge, j);
}
