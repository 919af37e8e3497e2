#include "evaluator/elf.h"

#include "base/error.h"
#include "base/file.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path;
    char *data;
    size_t size;
    Elf32_Ehdr head;
} Elf;

static bool elf_header_is_sound(const Elf *e)
{
    const unsigned char *id = e->head.e_ident;
    return memcmp(id, ELFMAG, SELFMAG) == 0 && id[EI_CLASS] == ELFCLASS32 &&
           id[EI_DATA] == ELFDATA2LSB && e->head.e_shentsize == sizeof(Elf32_Shdr) &&
           e->head.e_shstrndx < e->head.e_shnum &&
           e->head.e_shoff + (uint64_t)e->head.e_shnum * sizeof(Elf32_Shdr) <= e->size;
}

static int elf_open(Elf *e, const char *path)
{
    e->path = path;
    e->data = file_read(path, &e->size);
    if (!e->data)
        return -1;
    if (e->size >= sizeof e->head) {
        memcpy(&e->head, e->data, sizeof e->head);
        if (elf_header_is_sound(e))
            return 0;
    }
    free(e->data);
    return errorf("%s is not a 32-bit little-endian ELF file", path);
}

static void elf_close(Elf *e)
{
    free(e->data);
}

static Elf32_Shdr section(const Elf *e, int i)
{
    Elf32_Shdr s;
    memcpy(&s, e->data + e->head.e_shoff + (size_t)i * sizeof s, sizeof s);
    return s;
}

/* The data ends with a 0 of file_read()'s, so a name always ends. */
static const char *section_name(const Elf *e, const Elf32_Shdr *s)
{
    uint64_t at = (uint64_t)section(e, e->head.e_shstrndx).sh_offset + s->sh_name;
    return at < e->size ? e->data + at : "";
}

/* Of all sections of a name; NULL: of those that go to flash, each to a word's end. */
static int64_t bytes_of(const char *path, const char *name)
{
    Elf e;
    int64_t bytes = 0;
    if (elf_open(&e, path) != 0)
        return -1;
    for (int i = 0; i < e.head.e_shnum; i++) {
        Elf32_Shdr s = section(&e, i);
        if (name && strcmp(section_name(&e, &s), name) == 0)
            bytes += s.sh_size;
        if (!name && (s.sh_flags & SHF_ALLOC) && s.sh_type == SHT_PROGBITS)
            bytes += ((int64_t)s.sh_size + 3) / 4 * 4;
    }
    elf_close(&e);
    return bytes;
}

int64_t elf_section_bytes(const char *path, const char *name)
{
    return bytes_of(path, name);
}

int64_t elf_flash_bytes(const char *path)
{
    return bytes_of(path, NULL);
}
