#include "report/json_table.h"

#include <stdlib.h>

int json_table(json_t *rows, const char *sql, Format format, FILE *out)
{
    Results *r;
    char *text = json_dumps(rows, JSON_COMPACT);
    int status = results_open(&r, ":memory:", false); /* for its printing: nothing is stored */
    if (status == 0) {
        status = results_query(r, sql, (const char *const[]){text}, 1, format, out);
        results_close(r);
    }
    free(text);
    json_decref(rows);
    return status;
}
