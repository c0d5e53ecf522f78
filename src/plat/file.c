#include "plat/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool rsq_path_is_memory(const char *path)
{
    return path[0] == '\0' || strcmp(path, ":memory:") == 0;
}

bool rsq_file_identify(const char *path, rsq_file_id *out)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    *out = (rsq_file_id){.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino};
    return true;
}

int rsq_file_make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

void rsq_file_remove(const char *path)
{
    (void)unlink(path);
}

bool rsq_file_map_follows(void)
{
#if defined(__linux__)
    return true;
#else
    return false;
#endif
}
