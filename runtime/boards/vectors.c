/* vectors.c - what a Cortex-M reads first: its stack, where to begin, what to do at a fault. */
#include <stdint.h>

extern uint32_t stack_top[];
void start(void);
void fault(void);

typedef union {
    void (*handler)(void);
    void *stack;
} Vector;

__attribute__((section(".vectors"), used)) static const Vector vectors[16] = {
    {.stack = stack_top}, {start}, {fault}, {fault}, {fault}, {fault}, {fault}, {fault},
    {fault},              {fault}, {fault}, {fault}, {fault}, {fault}, {fault}, {fault},
};
