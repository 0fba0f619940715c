/* What seccomp needs of the build and of the kernel: the system calls by name, the programs of the
 * profiles that ship, and what this kernel's filters can do. */
#ifndef LUACTR_CORE_SECCOMP_H
#define LUACTR_CORE_SECCOMP_H

#include <stddef.h>
#include <stdint.h>

/* The text that csrc/syscalls.c wrote. */
const char *lctr_seccomp_table(size_t *size);

/* The program of a profile that ships, NULL where there is none of that name. */
const void *lctr_seccomp_builtin(const char *name, size_t *size);

/* 0 or -errno: -EOPNOTSUPP or -EINVAL where the kernel does not know the SECCOMP_RET_* value, or
 * one of the SECCOMP_FILTER_FLAG_* bits. */
int lctr_seccomp_has_action(uint32_t action);
int lctr_seccomp_has_flags(uint32_t flags);

#endif
