#include "exec/write.h"

#include <stddef.h>

void rsq_writes_append(rsq_writes *ws, rsq_write *write)
{
    write->next = NULL;
    if (ws->last)
        ws->last->next = write;
    else
        ws->first = write;
    ws->last = write;
    ws->count++;
}

rsq_write *rsq_writes_pop(rsq_writes *ws)
{
    rsq_write *write = ws->first;

    if (!write)
        return NULL;
    ws->first = write->next;
    if (!ws->first)
        ws->last = NULL;
    ws->count--;
    return write;
}

void rsq_writes_remove(rsq_writes *ws, rsq_write *write)
{
    rsq_write *before = NULL;

    for (rsq_write *at = ws->first; at != write; at = at->next)
        before = at;
    if (before)
        before->next = write->next;
    else
        ws->first = write->next;
    if (ws->last == write)
        ws->last = before;
    ws->count--;
}
