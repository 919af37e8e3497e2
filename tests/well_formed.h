/* well_formed.h - whether a text is XML that a strict reader takes: one root,
 * every element closed by its own name, attributes quoted and named once, no
 * loose & or <, no control characters. No namespaces, no DTDs, no CDATA. */
#ifndef WELL_FORMED_H
#define WELL_FORMED_H

#include <stdbool.h>
#include <string.h>

typedef struct {
    const char *at;
    const char *open[64]; /* names of the elements around, as they stand in the text */
    int depth, roots;
} XmlReader;

#define XML_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:"
#define XML_SPACE " \t\r\n"

/* Up to the end mark, which is left; entities are whole, `<` never stands there. */
static inline bool xml_text(XmlReader *r, char end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (; *r->at && *r->at != end; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        bool known = c != '&';
        for (int i = 0; i < 5 && !known; i++)
            known = strncmp(r->at, entities[i], strlen(entities[i])) == 0;
        if (!known || c == '<' || (c < ' ' && !strchr(XML_SPACE, c)))
            return false;
    }
    return true;
}

static inline bool xml_attributes(XmlReader *r)
{
    const char *name[32];
    size_t length[32];
    for (int n = 0; n < 32; n++) {
        size_t space = strspn(r->at, XML_SPACE);
        r->at += space;
        if (strchr("/>", *r->at))
            return *r->at != 0;
        name[n] = r->at;
        length[n] = strspn(r->at, XML_NAME);
        r->at += length[n];
        if (space == 0 || length[n] == 0 || r->at[0] != '=' || r->at[1] != '"')
            return false;
        for (int i = 0; i < n; i++)
            if (length[i] == length[n] && strncmp(name[i], name[n], length[n]) == 0)
                return false;
        r->at += 2;
        if (!xml_text(r, '"') || *r->at++ != '"')
            return false;
    }
    return false;
}

/* From just behind a <. */
static inline bool xml_tag(XmlReader *r)
{
    bool closes = *r->at == '/';
    r->at += closes;
    const char *name = r->at;
    size_t length = strspn(name, XML_NAME);
    r->at += length;
    if (length == 0)
        return false;
    if (closes)
        return r->depth > 0 && strncmp(r->open[--r->depth], name, length) == 0 &&
               strspn(r->open[r->depth], XML_NAME) == length && *r->at++ == '>';
    if (!xml_attributes(r) || (r->depth == 0 && r->roots++ > 0))
        return false;
    if (*r->at == '/')
        return *++r->at == '>' && r->at++;
    r->open[r->depth++] = name;
    return r->depth < 64 && *r->at++ == '>';
}

static inline bool well_formed(const char *text)
{
    XmlReader r = {.at = text};
    while (*r.at) {
        const char *from = r.at;
        if (!xml_text(&r, '<'))
            return false;
        if (r.depth == 0 && strspn(from, XML_SPACE) < (size_t)(r.at - from))
            return false; /* text outside of the root */
        if (*r.at && (r.at++, !xml_tag(&r)))
            return false;
    }
    return r.depth == 0 && r.roots == 1;
}

static inline int occurrences(const char *text, const char *of)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, of)); at += strlen(of))
        n++;
    return n;
}

#endif
