/* Standard output; see out.h. */
#include "out.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

static struct {
    char bytes[65536];
    size_t len;
    int error; /* errno of the write that failed */
} out;

void out_init(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void write_all(const char *bytes, size_t n)
{
    while (n && !out.error) {
        ssize_t written = write(STDOUT_FILENO, bytes, n);

        if (written >= 0) {
            bytes += written;
            n -= (size_t)written;
        } else if (errno != EINTR) {
            out.error = errno;
        }
    }
}

void out_write(const void *bytes, size_t n)
{
    if (n > sizeof out.bytes - out.len)
        out_flush();
    if (n > sizeof out.bytes) {
        write_all(bytes, n);
        return;
    }
    memcpy(out.bytes + out.len, bytes, n);
    out.len += n;
}

void out_puts(const char *s)
{
    out_write(s, strlen(s));
}

void out_take(strbuf *b)
{
    if (b->len)
        out_write(b->data, b->len);
    b->len = 0;
}

bool out_flush(void)
{
    write_all(out.bytes, out.len);
    out.len = 0;
    return !out.error;
}

/* Asked once, since it is a system call, and some forms are printed line by line. */
bool out_is_terminal(void)
{
    static int known = -1;

    if (known < 0)
        known = isatty(STDOUT_FILENO);
    return known;
}

bool out_failed(void)
{
    return out.error != 0;
}

int out_finish(int status)
{
    if (out_flush() || out.error == EPIPE)
        return status;
    diag_error("standard output: %s", strerror(out.error));
    return status == STATUS_OK ? STATUS_SYSTEM : status;
}
