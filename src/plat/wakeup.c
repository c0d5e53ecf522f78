#include "plat/wakeup.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int rsq_wakeup_open(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void rsq_wakeup_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void rsq_wakeup_set(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);

    /* Full (EAGAIN) is as readable as set; nothing else can happen to an eventfd of ours. */
    assert(n == (ssize_t)sizeof one || errno == EAGAIN);
    (void)n;
}

void rsq_wakeup_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);

    assert(n == (ssize_t)sizeof count || errno == EAGAIN);
    (void)n;
}
