/* elf.h - how many bytes of an ELF file's sections a microcontroller carries.
 *
 * Reads 32-bit little-endian ELF, objects and programs alike, as the compilers
 * for Cortex-M write it; every offset is checked against the file's size. */
#ifndef ELF_BYTES_H
#define ELF_BYTES_H

#include <stdint.h>

/* Bytes of the section called `name`, 0 when there is none. -1 with errorf()
 * when the file is not such an ELF. */
int64_t elf_section_bytes(const char *path, const char *name);

/* Bytes of code and constants in an object, each section rounded up to words as
 * the linker lays them out. -1 with errorf(). */
int64_t elf_flash_bytes(const char *path);

#endif
