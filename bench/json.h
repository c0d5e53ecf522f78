/* A text as JSON string, for the report's own lines. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdio.h>

static inline void bench_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

#endif
