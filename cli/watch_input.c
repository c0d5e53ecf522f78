/* Statements from standard input; see watch_input.h. */
#include "watch_input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

void watch_input_read(watch_input *in)
{
    char block[16384];
    ssize_t got = read(STDIN_FILENO, block, sizeof block);

    if (got > 0) {
        strbuf_add(&in->buffer, block, (size_t)got);
        return;
    }
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got < 0)
        diag_error("stdin: %s", strerror(errno));
    in->ended = true;
}

static char *end_of_line(const watch_input *in)
{
    size_t left = in->buffer.len - in->taken;

    return left ? memchr(in->buffer.data + in->taken, '\n', left) : NULL;
}

bool watch_input_waits(const watch_input *in)
{
    return end_of_line(in) || (in->ended && in->taken < in->buffer.len);
}

const char *watch_input_line(watch_input *in)
{
    char *line, *end;

    if (in->taken && !end_of_line(in)) { /* what is left is the start of a line: to the front with it */
        in->buffer.len -= in->taken;
        memmove(in->buffer.data, in->buffer.data + in->taken, in->buffer.len);
        in->taken = 0;
    }
    if (!watch_input_waits(in))
        return NULL;
    strbuf_cstr(&in->buffer);
    line = in->buffer.data + in->taken;
    end = end_of_line(in);
    if (!end)
        end = in->buffer.data + in->buffer.len;
    in->taken = (size_t)(end - in->buffer.data) + (end < in->buffer.data + in->buffer.len);
    if (end > line && end[-1] == '\r')
        end--;
    *end = '\0';
    in->number++;
    return line;
}

void watch_input_fini(watch_input *in)
{
    strbuf_fini(&in->buffer);
}
