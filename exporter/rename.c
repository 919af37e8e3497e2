#include "exporter/rename.h"

#include "base/alloc.h"
#include "base/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char word[] = "model";
enum { LETTERS = sizeof word - 1, LONGEST = 31 };

int rename_check(const char *prefix)
{
    bool good = islower((unsigned char)prefix[0]) && strlen(prefix) <= LONGEST;
    for (const char *c = prefix; *c; c++)
        good = good && (islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    return good ? 0 : errorf("'%s' cannot begin the names of C functions: small letters, digits "
                             "and _, at most %d, a letter first", prefix, LONGEST);
}

static bool is_in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Does the word model begin here, to be followed by more of a name? */
static bool is_name(const char *text, const char *at)
{
    char next;
    if (at > text && is_in_word(at[-1]))
        return false;
    if (strncmp(at, "MODEL_", LETTERS + 1) == 0)
        return true;
    if (strncmp(at, word, LETTERS) != 0)
        return false;
    next = at[LETTERS];
    return next == '_' || (next == '.' && isalpha((unsigned char)at[LETTERS + 1]));
}

static char *put_prefix(char *to, const char *prefix, bool capitals)
{
    for (const char *c = prefix; *c; c++)
        *to++ = (char)(capitals ? toupper((unsigned char)*c) : *c);
    return to;
}

static bool begins_include(const char *line)
{
    return strncmp(line + strspn(line, " "), "#include", 8) == 0;
}

char *rename_text(const char *text, const char *prefix)
{
    char *result = xmalloc(strlen(text) * (strlen(prefix) + 1) + 1), *to = result;
    const char *line = text;
    bool quoted = false;
    for (const char *at = text; *at;) {
        if (at > text && at[-1] == '\n') {
            line = at;
            quoted = false;
        }
        if (*at == '"' && !(at > text && at[-1] == '\\'))
            quoted = !quoted;
        if ((!quoted || begins_include(line)) && is_name(text, at)) {
            to = put_prefix(to, prefix, *at == 'M');
            at += LETTERS;
        } else {
            *to++ = *at++;
        }
    }
    *to = 0;
    return result;
}
