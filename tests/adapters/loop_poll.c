/* Driver of the cases for <resqlite/poll.h>: an array of slots, a timerfd in the first one. */
#include "loop.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <resqlite/poll.h>

#define WATCHES 4

struct watch {
    rsq_poll_source source;
};

/* The adapter leaves the storage of sources to the loop, which looks at all of them in each turn. */
struct test_loop {
    int timer;
    bool fired;
    watch watches[WATCHES];
};

test_loop *loop_new(void)
{
    test_loop *l = calloc(1, sizeof *l);

    if (l)
        l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return l;
}

bool loop_free(test_loop *l)
{
    bool empty = true;

    for (size_t i = 0; i < WATCHES; i++)
        empty = empty && !l->watches[i].source.queue;
    close(l->timer);
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = l->watches;
    int rc;

    while (w->source.queue)
        w++;
    rc = rsq_poll_attach(&w->source, q);
    w->source.max = max;
    if (rc == 0)
        *out = w;
    return rc;
}

void loop_detach(test_loop *l, watch *w)
{
    (void)l;
    rsq_poll_detach(&w->source);
    rsq_poll_detach(&w->source);
}

bool loop_watches(test_loop *l, int fd)
{
    struct pollfd slot;
    bool watched = false;

    for (size_t i = 0; i < WATCHES; i++) {
        rsq_poll_fill(&l->watches[i].source, &slot);
        watched = watched || slot.fd == fd;
    }
    return watched;
}

void loop_timer(test_loop *l, unsigned ms)
{
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};

    l->fired = false;
    timerfd_settime(l->timer, 0, &when, NULL);
}

bool loop_fired(const test_loop *l)
{
    return l->fired;
}

bool loop_turn(test_loop *l)
{
    struct pollfd slots[1 + WATCHES] = {{.fd = l->timer, .events = POLLIN}};
    uint64_t count;
    bool good = true;

    for (size_t i = 0; i < WATCHES; i++)
        rsq_poll_fill(&l->watches[i].source, &slots[1 + i]);
    if (poll(slots, 1 + WATCHES, -1) < 1)
        return errno == EINTR;
    if (slots[0].revents && read(l->timer, &count, sizeof count) > 0)
        l->fired = true;
    for (size_t i = 0; i < WATCHES; i++)
        good = rsq_poll_dispatch(&l->watches[i].source, &slots[1 + i]) == RSQ_OK && good;
    return good;
}
