/* The file that is imported; see input.h. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "mem.h"
#include "strbuf.h"

#define BLOCK_BYTES ((size_t)128 * 1024)

static ssize_t read_some(int fd, void *bytes, size_t n)
{
    ssize_t got;

    do {
        got = read(fd, bytes, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        n -= (size_t)written;
    }
    return true;
}

/* A file without a name, which is gone when it is closed. */
static int temporary_file(void)
{
    const char *folder = getenv("TMPDIR");
    strbuf path = {0};
    int fd;

    strbuf_printf(&path, "%s/resqlite-import-XXXXXX", folder && *folder ? folder : "/tmp");
    strbuf_cstr(&path);
    fd = mkstemp(path.data);
    if (fd >= 0)
        unlink(path.data);
    strbuf_fini(&path);
    return fd;
}

/* Replace a descriptor that cannot be rewound by a copy of all that comes out of it. */
static int spool(input *in)
{
    int copy = temporary_file();
    char *block = mem_alloc(BLOCK_BYTES, 1);
    ssize_t got = -1;
    bool ok = copy >= 0;

    while (ok && (got = read_some(in->fd, block, BLOCK_BYTES)) > 0)
        ok = write_all(copy, block, (size_t)got);
    ok = ok && got == 0 && lseek(copy, 0, SEEK_SET) == 0;
    free(block);
    if (!ok) {
        diag_error("%s: cannot be copied into a temporary file: %s", in->name, strerror(errno));
        if (copy >= 0)
            close(copy);
        return STATUS_SYSTEM;
    }
    if (in->fd != STDIN_FILENO)
        close(in->fd);
    in->fd = copy;
    in->origin = 0;
    return STATUS_OK;
}

int input_open(input *in, const char *path, bool twice)
{
    struct stat info;
    int status = STATUS_OK;

    memset(in, 0, sizeof *in);
    in->mark.line = 1;
    in->name = path;
    if (strcmp(path, "-") == 0) {
        in->name = "stdin";
        in->fd = STDIN_FILENO;
    } else {
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (in->fd >= 0 && fstat(in->fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        input_close(in);
        in->fd = -1;
        errno = EISDIR;
    }
    if (in->fd < 0) {
        diag_error("%s: %s", path, strerror(errno));
        return STATUS_OPEN;
    }
    in->origin = lseek(in->fd, 0, SEEK_CUR);
    if (twice && in->origin < 0)
        status = spool(in);
    if (status == STATUS_OK && fstat(in->fd, &info) == 0 && S_ISREG(info.st_mode) &&
        info.st_size > in->origin)
        in->size = (uint64_t)(info.st_size - in->origin);
    if (status != STATUS_OK)
        input_close(in);
    else
        in->data = mem_alloc(in->capacity = BLOCK_BYTES, 1);
    return status;
}

bool input_rewind(input *in)
{
    in->len = 0;
    in->start = 0;
    in->ended = false;
    in->mark.offset = 0;
    in->mark.line = 1;
    in->mark.line_start = 0;
    if (lseek(in->fd, in->origin, SEEK_SET) == in->origin)
        return true;
    in->error = errno;
    return false;
}

void input_skip_bom(input *in)
{
    while (in->len < 3 && input_more(in))
        continue;
    if (in->len < 3 || memcmp(in->data, "\xef\xbb\xbf", 3) != 0)
        return;
    in->mark.offset = 3;
    in->mark.line_start = 3;
}

/* Room for one more block: by dropping what lies before the mark if that is the larger part, else by growing.
 */
static void make_room(input *in)
{
    size_t done = (size_t)(in->mark.offset - in->start);

    if (in->capacity - in->len >= BLOCK_BYTES)
        return;
    if (done >= in->len / 2) {
        memmove(in->data, in->data + done, in->len - done);
        in->len -= done;
        in->start += done;
    }
    if (in->capacity - in->len < BLOCK_BYTES) {
        in->capacity = mem_grow(in->capacity, in->len + BLOCK_BYTES);
        in->data = mem_resize(in->data, in->capacity, 1);
    }
}

bool input_more(input *in)
{
    ssize_t got;

    if (in->ended)
        return false;
    make_room(in);
    got = read_some(in->fd, in->data + in->len, BLOCK_BYTES);
    if (got < 0)
        in->error = errno;
    if (got <= 0) {
        in->ended = true;
        return false;
    }
    in->len += (size_t)got;
    return true;
}

uint64_t input_end(const input *in)
{
    return in->start + in->len;
}

const char *input_at(const input *in, uint64_t offset)
{
    return in->data + (size_t)(offset - in->start);
}

/* Lines end with LF, CR LF or CR alone. */
static void count_lines(const input *in, uint64_t from, uint64_t to, uint64_t *line, uint64_t *line_start)
{
    const char *p = input_at(in, from), *stop = input_at(in, to), *end = in->data + in->len;

    for (; p < stop; p++) {
        if (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n'))) {
            (*line)++;
            *line_start = in->start + (uint64_t)(p + 1 - in->data);
        }
    }
}

void input_set_mark(input *in, uint64_t offset)
{
    count_lines(in, in->mark.offset, offset, &in->mark.line, &in->mark.line_start);
    in->mark.offset = offset;
}

input_place input_locate(const input *in, uint64_t offset)
{
    uint64_t line = in->mark.line, line_start = in->mark.line_start;

    count_lines(in, in->mark.offset, offset, &line, &line_start);
    return (input_place){line, offset - line_start + 1};
}

void input_close(input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->data);
    in->data = NULL;
}
