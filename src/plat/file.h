/*
 * What file a path names, without opening it: closing any descriptor of a file
 * drops all locks that the process has on it, SQLite's too.
 */
#ifndef RSQ_PLAT_FILE_H
#define RSQ_PLAT_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* The same for all names and links of one file while it exists. */
typedef struct rsq_file_id {
    uint64_t device;
    uint64_t inode;
} rsq_file_id;

/* SQLite's names for a database that is in no file, and is each connection's own. */
bool rsq_path_is_memory(const char *path);

/* False: there is no such file, or it cannot be looked at. Symbolic links are followed. */
bool rsq_file_identify(const char *path, rsq_file_id *out);

/* Make an empty file where there is none, with SQLite's default permissions. 0, or an errno. */
int rsq_file_make(const char *path);
void rsq_file_remove(const char *path);

/* Does a shared memory map show what becomes of its file, also when that is cut off and grows again? */
bool rsq_file_map_follows(void);

static inline bool rsq_file_id_equal(rsq_file_id a, rsq_file_id b)
{
    return a.device == b.device && a.inode == b.inode;
}

#endif
