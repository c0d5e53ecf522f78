#include "text.h"

#include <sqlite3.h>

char *replace_all(const char *text, const char *what, const char *with)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    const char *at;

    for (; (at = strstr(text, what)) != NULL; text = at + strlen(what))
        sqlite3_str_appendf(s, "%.*s%s", (int)(at - text), text, with);
    sqlite3_str_appendall(s, text);
    return sqlite3_str_finish(s);
}
