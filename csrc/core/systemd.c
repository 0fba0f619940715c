#include "core/systemd.h"

#include "core/systemd_library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVICE   "org.freedesktop.systemd1"
#define MANAGER   "org.freedesktop.systemd1.Manager"
#define PATH      "/org/freedesktop/systemd1"
#define SECOND    1000000u /* in the microseconds of sd-bus */
#define TEXT_SIZE 512

struct lctr_systemd {
    struct systemd_library library;
    struct sd_bus *bus;
    struct sd_bus_message *call;  /* that is being built */
    struct sd_bus_message *reply; /* to the last one */
    const char *awaited;          /* a job's path, while somebody waits for it */
    char result[32];              /* of that job; "" until it is removed */
    char error[128];
    char text[TEXT_SIZE];
};

/* ---- connecting */

/* JobRemoved: "uoss", the job's number and path, the unit, the result. */
static int on_job_removed(struct sd_bus_message *message, void *context,
                          struct sd_bus_error *error) {
    struct lctr_systemd *systemd = context;
    const struct systemd_library *library = &systemd->library;
    uint32_t number;
    const char *job;
    const char *unit;
    const char *result;
    (void)error;
    if (library->sd_bus_message_read_basic(message, 'u', &number) > 0 &&
        library->sd_bus_message_read_basic(message, 'o', &job) > 0 &&
        library->sd_bus_message_read_basic(message, 's', &unit) > 0 &&
        library->sd_bus_message_read_basic(message, 's', &result) > 0 && systemd->awaited &&
        strcmp(job, systemd->awaited) == 0)
        snprintf(systemd->result, sizeof systemd->result, "%s", result);
    return 0;
}

static int load(struct lctr_systemd **systemd) {
    struct lctr_systemd *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int error = lctr_systemd_load(&made->library);
    if (error)
        free(made);
    else
        *systemd = made;
    return error;
}

/* A sender is not named: a connection without a bus between has none. */
static int finish_open(struct lctr_systemd *made, int error, struct lctr_systemd **systemd) {
    if (error >= 0)
        error = made->library.sd_bus_match_signal(made->bus, NULL, NULL, PATH, MANAGER,
                                                  "JobRemoved", on_job_removed, made);
    if (error < 0)
        lctr_systemd_close(made);
    else
        *systemd = made;
    return error < 0 ? error : 0;
}

int lctr_systemd_open_address(struct lctr_systemd **systemd, const char *address) {
    struct lctr_systemd *made = NULL;
    int error = load(&made);
    if (error)
        return error;
    error = made->library.sd_bus_new(&made->bus);
    if (error >= 0)
        error = made->library.sd_bus_set_address(made->bus, address);
    if (error >= 0)
        error = made->library.sd_bus_start(made->bus);
    return finish_open(made, error, systemd);
}

int lctr_systemd_open_system(struct lctr_systemd **systemd) {
    struct lctr_systemd *made = NULL;
    int error = load(&made);
    return error ? error : finish_open(made, made->library.sd_bus_open_system(&made->bus), systemd);
}

int lctr_systemd_open_user(struct lctr_systemd **systemd) {
    struct lctr_systemd *made = NULL;
    int error = load(&made);
    return error ? error : finish_open(made, made->library.sd_bus_open_user(&made->bus), systemd);
}

void lctr_systemd_close(struct lctr_systemd *systemd) {
    if (!systemd)
        return;
    systemd->library.sd_bus_message_unref(systemd->call);
    systemd->library.sd_bus_message_unref(systemd->reply);
    systemd->library.sd_bus_flush_close_unref(systemd->bus);
    free(systemd);
}

const char *lctr_systemd_error(const struct lctr_systemd *systemd) {
    return systemd->error[0] ? systemd->error : NULL;
}

const char *lctr_systemd_text(const struct lctr_systemd *systemd) {
    return systemd->text[0] ? systemd->text : NULL;
}

/* ---- calling */

static void forget(struct lctr_systemd *systemd) {
    systemd->call = systemd->library.sd_bus_message_unref(systemd->call);
    systemd->reply = systemd->library.sd_bus_message_unref(systemd->reply);
    systemd->error[0] = '\0';
    systemd->text[0] = '\0';
}

static int outcome(int result) {
    return result < 0 ? result : 0;
}

int lctr_systemd_begin(struct lctr_systemd *systemd, const char *path, const char *interface,
                       const char *member) {
    forget(systemd);
    return outcome(systemd->library.sd_bus_message_new_method_call(
        systemd->bus, &systemd->call, SERVICE, path, interface, member));
}

int lctr_systemd_basic(struct lctr_systemd *systemd, char type, const void *value) {
    return outcome(systemd->library.sd_bus_message_append_basic(systemd->call, type, value));
}

int lctr_systemd_bytes(struct lctr_systemd *systemd, const void *data, size_t size) {
    return outcome(systemd->library.sd_bus_message_append_array(systemd->call, 'y', data, size));
}

int lctr_systemd_enter(struct lctr_systemd *systemd, char kind, const char *types) {
    return outcome(systemd->library.sd_bus_message_open_container(systemd->call, kind, types));
}

int lctr_systemd_leave(struct lctr_systemd *systemd) {
    return outcome(systemd->library.sd_bus_message_close_container(systemd->call));
}

static int read_word(struct lctr_systemd *systemd, const char **word) {
    const struct systemd_library *library = &systemd->library;
    const char *types;
    char type;
    int result = library->sd_bus_message_peek_type(systemd->reply, &type, &types);
    if (result > 0 && type == 'v') {
        result = library->sd_bus_message_enter_container(systemd->reply, type, types);
        if (result > 0)
            result = library->sd_bus_message_peek_type(systemd->reply, &type, &types);
    }
    if (result > 0 && (type == 's' || type == 'o'))
        result = library->sd_bus_message_read_basic(systemd->reply, type, word);
    return outcome(result);
}

int lctr_systemd_call(struct lctr_systemd *systemd, unsigned int seconds, const char **word) {
    struct sd_bus_error error = {NULL, NULL, 0};
    int result = systemd->library.sd_bus_call(systemd->bus, systemd->call,
                                              (uint64_t)seconds * SECOND, &error, &systemd->reply);
    snprintf(systemd->error, sizeof systemd->error, "%s", error.name ? error.name : "");
    snprintf(systemd->text, sizeof systemd->text, "%s", error.message ? error.message : "");
    systemd->library.sd_bus_error_free(&error);
    *word = NULL;
    return result < 0 ? result : read_word(systemd, word);
}

/* ---- jobs */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec / 1000;
}

/* Take what has come, then wait for more, until the job is removed or the time is over. */
static int process_until(struct lctr_systemd *systemd, uint64_t deadline) {
    while (!systemd->result[0]) {
        int result = systemd->library.sd_bus_process(systemd->bus, NULL);
        if (result < 0)
            return result;
        if (result > 0 || systemd->result[0])
            continue;
        uint64_t time = now();
        if (time >= deadline)
            return -ETIMEDOUT;
        result = systemd->library.sd_bus_wait(systemd->bus, deadline - time);
        if (result < 0 && result != -EINTR)
            return result;
    }
    return 0;
}

int lctr_systemd_await(struct lctr_systemd *systemd, const char *job, unsigned int seconds,
                       const char **result) {
    systemd->awaited = job;
    systemd->result[0] = '\0';
    int error = process_until(systemd, now() + (uint64_t)seconds * SECOND);
    systemd->awaited = NULL;
    *result = systemd->result;
    return error;
}
