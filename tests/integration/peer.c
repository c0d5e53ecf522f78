#include "peer.h"

#include <sys/wait.h>
#include <unistd.h>

typedef struct peer {
    foreign process;
    bool runs;
    char answer[256];
} peer;

/* One for each test at most; the teardown ends it when a failed assertion jumped over its end. */
static peer other;

static void helper_path(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    char *slash;

    assert_true(n > 0);
    out[n] = 0;
    slash = strrchr(out, '/');
    assert_non_null(slash);
    snprintf(slash + 1, size - (size_t)(slash + 1 - out), "raw_commits");
}

const char *peer_answer(void)
{
    size_t have = 0;

    for (;;) {
        ssize_t n = read(other.process.from, other.answer + have, sizeof other.answer - 1 - have);

        assert_true(n > 0);
        have += (size_t)n;
        if (other.answer[have - 1] == '\n')
            break;
        assert_true(have < sizeof other.answer - 1);
    }
    other.answer[have - 1] = 0;
    if (strncmp(other.answer, "error:", 6) == 0)
        fail_msg("the other process: %s", other.answer);
    return other.answer;
}

void peer_send(const char *command)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s\n", command);

    assert_int_equal(write(other.process.to, line, (size_t)n), n);
}

const char *peer_ask(const char *command)
{
    peer_send(command);
    return peer_answer();
}

int64_t peer_value(const char *command)
{
    return strtoll(peer_ask(command), NULL, 10);
}

void peer_start(const char *path)
{
    char helper[1024];
    char *argv[3] = {helper, (char *)(uintptr_t)path, NULL};

    helper_path(helper, sizeof helper);
    foreign_spawn(&other.process, argv);
    other.runs = true;
    assert_string_equal(peer_answer(), "ok");
}

int peer_stop(void)
{
    int status = -1;

    close(other.process.to);
    close(other.process.from);
    other.runs = false;
    return waitpid(other.process.pid, &status, 0) == other.process.pid && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

const char *peer_said(void)
{
    return other.answer;
}

bool peer_runs(void)
{
    return other.runs;
}
