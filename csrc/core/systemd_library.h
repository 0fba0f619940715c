/* sd-bus's functions that core/systemd.c uses. Declared here, as libsystemd's ABI has them since
 * version 221: so luactr builds where systemd never was. Included by core/systemd*.c only. */
#ifndef LUACTR_CORE_SYSTEMD_LIBRARY_H
#define LUACTR_CORE_SYSTEMD_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

struct sd_bus;
struct sd_bus_message;
struct sd_bus_slot;

struct sd_bus_error {
    const char *name;
    const char *message;
    int need_free;
};

typedef int sd_bus_handler(struct sd_bus_message *message, void *context,
                           struct sd_bus_error *error);

/* F(result, name, arguments) */
#define FUNCTIONS(F)                                                                               \
    F(int, sd_bus_new, (struct sd_bus **))                                                         \
    F(int, sd_bus_set_address, (struct sd_bus *, const char *))                                    \
    F(int, sd_bus_start, (struct sd_bus *))                                                        \
    F(int, sd_bus_open_system, (struct sd_bus **))                                                 \
    F(int, sd_bus_open_user, (struct sd_bus **))                                                   \
    F(struct sd_bus *, sd_bus_flush_close_unref, (struct sd_bus *))                                \
    F(int, sd_bus_match_signal,                                                                    \
      (struct sd_bus *, struct sd_bus_slot **, const char *sender, const char *path,               \
       const char *interface, const char *member, sd_bus_handler *, void *))                       \
    F(int, sd_bus_process, (struct sd_bus *, struct sd_bus_message **))                            \
    F(int, sd_bus_wait, (struct sd_bus *, uint64_t))                                               \
    F(int, sd_bus_call,                                                                            \
      (struct sd_bus *, struct sd_bus_message *, uint64_t, struct sd_bus_error *,                  \
       struct sd_bus_message **))                                                                  \
    F(void, sd_bus_error_free, (struct sd_bus_error *))                                            \
    F(int, sd_bus_message_new_method_call,                                                         \
      (struct sd_bus *, struct sd_bus_message **, const char *destination, const char *path,       \
       const char *interface, const char *member))                                                 \
    F(struct sd_bus_message *, sd_bus_message_unref, (struct sd_bus_message *))                    \
    F(int, sd_bus_message_append_basic, (struct sd_bus_message *, char, const void *))             \
    F(int, sd_bus_message_append_array, (struct sd_bus_message *, char, const void *, size_t))     \
    F(int, sd_bus_message_open_container, (struct sd_bus_message *, char, const char *))           \
    F(int, sd_bus_message_close_container, (struct sd_bus_message *))                              \
    F(int, sd_bus_message_peek_type, (struct sd_bus_message *, char *, const char **))             \
    F(int, sd_bus_message_enter_container, (struct sd_bus_message *, char, const char *))          \
    F(int, sd_bus_message_read_basic, (struct sd_bus_message *, char, void *))

struct systemd_library {
#define FIELD(result, name, arguments) result(*name) arguments;
    FUNCTIONS(FIELD)
#undef FIELD
};

/* Load it: -ELIBACC when there is none. It stays, since it keeps memory of its own. */
int lctr_systemd_load(struct systemd_library *library);

#endif
