/* tb_check.h - what a self-check needs: a checksum, and an input out of nothing.
 *
 * For the exporter, which knows the right answer, and for the exported check
 * that asks for it. Inline: whoever does not check pays nothing. */
#ifndef TB_CHECK_H
#define TB_CHECK_H

#include <stdint.h>

/* CRC-32 as in zip and Ethernet, a bit at a time. */
static inline uint32_t tb_crc32(const int8_t *data, uint32_t n)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < n; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* Byte i of drawn input number `draw`; rows may ask for theirs in any order. */
static inline int8_t tb_drawn(uint32_t draw, uint32_t i)
{
    uint32_t v = ((draw << 24) + i + 1) * 2654435761u;
    v = (v ^ v >> 15) * 2246822519u;
    return (int8_t)((int32_t)(v >> 24) - 128);
}

#endif
