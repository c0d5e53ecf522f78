/* Another process that writes to the database with plain SQLite. */
#ifndef ORACLE_FOREIGN_H
#define ORACLE_FOREIGN_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct foreign {
    pid_t pid; /* 0: not started */
    int to, from;
} foreign;

/* `aux`: a second file, or NULL. Run SQL there and wait for its end; started when first used. False: it
 * failed, which a statement may. */
bool foreign_run(foreign *f, const char *path, const char *aux, const char *sql);
void foreign_stop(foreign *f);

/* The other side: `program --foreign PATH [AUX]`. */
int foreign_main(const char *path, const char *aux);

#endif
