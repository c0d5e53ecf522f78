/*
 * A descriptor that polls readable while it is set: an eventfd. Set and clear
 * are levels, not counts. Thread: any; the caller orders set against clear.
 */
#ifndef RSQ_PLAT_WAKEUP_H
#define RSQ_PLAT_WAKEUP_H

/* The descriptor, close-on-exec; or -1 with errno set. */
int rsq_wakeup_open(void);
void rsq_wakeup_close(int fd);
void rsq_wakeup_set(int fd);
void rsq_wakeup_clear(int fd);

#endif
