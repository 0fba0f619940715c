/* The kernel's cgroup files: reading and writing one, and the forms their text has.
 * All but read and write is pure. */
#ifndef LUACTR_CORE_CGROUP_FILE_H
#define LUACTR_CORE_CGROUP_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Read a small file below `dir` and end it with a NUL. The length, or -errno; -EFBIG if it does
 * not fit (the text is then cut). */
int lctr_cgroup_read(int dir, const char *file, char *text, size_t size);

/* Write the text with one write(2), as the kernel wants it. 0 or -errno. */
int lctr_cgroup_write(int dir, const char *file, const char *text);

/* A whole decimal number, a newline behind it allowed; "max" is -1.
 * 0, -EINVAL for other text, -ERANGE above 2^63 - 1. */
int lctr_cgroup_number(const char *text, int64_t *value);

/* The number behind `key` in "key number" lines (cpu.stat, memory.events).
 * 0, -ENOENT without such a line, or as above. */
int lctr_cgroup_flat(const char *text, const char *key, int64_t *value);

/* The sum of all numbers that follow `key` and `separator`, anywhere in the text, as whole words:
 * "8:0 rbytes=1 wbytes=2" (io.stat, '='), "8:0 Read 1" (blkio, ' '). */
int64_t lctr_cgroup_sum(const char *text, const char *key, char separator);

/* Check a list of CPUs or memory nodes, "0-3,5", all of it within `within` (same form; NULL: any).
 * 0, -EINVAL for other text, -ERANGE for one outside, which *outside then tells. */
int lctr_cgroup_list(const char *list, const char *within, unsigned int *outside);

#endif
