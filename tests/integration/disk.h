/*
 * A disk that does what a test wants: a VFS of SQLite over the usual one, which asks a function of the test
 * before each operation. For programs that are linked with the same SQLite as the library.
 */
#ifndef RSQ_TESTS_DISK_H
#define RSQ_TESTS_DISK_H

typedef enum disk_op { DISK_READ, DISK_WRITE, DISK_SYNC, DISK_TRUNCATE } disk_op;

/** What becomes of an operation: SQLITE_OK lets it happen. Called on any thread. */
typedef int disk_judge(disk_op op);

/** Make it SQLite's default, before anything is opened. 0: done. */
int disk_install(void);

/** Ask this function from now on; NULL: none. */
void disk_ask(disk_judge *judge);

#endif
