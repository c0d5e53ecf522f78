/* Driver of the cases for <resqlite/epoll.h>: one epoll instance that holds a timerfd too. */
#include "loop.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <resqlite/epoll.h>

#define WATCHES 4

struct watch {
    rsq_epoll_source source;
};

/* A source is looked at once more when an event of it was fetched before it was detached, so it stays. */
struct test_loop {
    int epfd;
    int timer;
    bool fired;
    watch watches[WATCHES];
};

test_loop *loop_new(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    test_loop *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->timer, &event);
    return l;
}

bool loop_free(test_loop *l)
{
    bool empty = true;

    for (size_t i = 0; i < WATCHES; i++)
        empty = empty && !l->watches[i].source.queue;
    close(l->timer);
    close(l->epfd);
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = l->watches;
    int rc;

    while (w->source.queue)
        w++;
    rc = rsq_epoll_attach(&w->source, l->epfd, q, (epoll_data_t){.ptr = w});
    w->source.max = max;
    if (rc == 0)
        *out = w;
    return rc;
}

void loop_detach(test_loop *l, watch *w)
{
    (void)l;
    rsq_epoll_detach(&w->source);
    rsq_epoll_detach(&w->source);
}

bool loop_watches(test_loop *l, int fd)
{
    (void)l;
    return loop_epoll_holds(fd);
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
    struct epoll_event events[1 + WATCHES];
    int n = epoll_wait(l->epfd, events, 1 + WATCHES, -1);
    uint64_t count;
    bool good = n > 0 || errno == EINTR;

    for (int i = 0; i < n; i++) {
        watch *w = events[i].data.ptr;

        if (w)
            good = rsq_epoll_dispatch(&w->source) == RSQ_OK && good;
        else if (read(l->timer, &count, sizeof count) > 0)
            l->fired = true;
    }
    return good;
}
