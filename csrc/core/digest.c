#include "core/digest.h"

#include <dlfcn.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "libnettle.so.8"
#define BUFFER    0x20000L

struct lctr_digest {
    __typeof__(sha256_init) *init;
    __typeof__(sha256_update) *update;
    __typeof__(sha256_digest) *digest;
    struct sha256_ctx state;
};

#define STRING(name)  #name
#define SYMBOL(name)  STRING(name) /* nettle's headers give its functions a prefix */
#define PUT(to, from) memcpy(&(to), &(from), sizeof(to))

/* Once loaded it stays, as libarchive does. */
static int load(struct lctr_digest *self) {
    void *handle = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return -ELIBACC;
    void *init = dlsym(handle, SYMBOL(sha256_init));
    void *update = dlsym(handle, SYMBOL(sha256_update));
    void *digest = dlsym(handle, SYMBOL(sha256_digest));
    dlclose(handle);
    if (!init || !update || !digest)
        return -ELIBACC;
    PUT(self->init, init);
    PUT(self->update, update);
    PUT(self->digest, digest);
    return 0;
}

int lctr_digest_new(struct lctr_digest **digest) {
    struct lctr_digest *self = malloc(sizeof *self);
    if (!self)
        return -ENOMEM;
    int result = load(self);
    if (result < 0) {
        free(self);
        return result;
    }
    self->init(&self->state);
    *digest = self;
    return 0;
}

void lctr_digest_free(struct lctr_digest *digest) {
    free(digest);
}

void lctr_digest_update(struct lctr_digest *digest, const void *data, size_t size) {
    digest->update(&digest->state, size, data);
}

int lctr_digest_update_fd(struct lctr_digest *digest, int fd, int64_t *size) {
    char *buffer = malloc(BUFFER);
    if (!buffer)
        return -ENOMEM;
    int64_t total = 0;
    ssize_t length;
    do {
        length = read(fd, buffer, BUFFER);
        if (length > 0) {
            lctr_digest_update(digest, buffer, (size_t)length);
            total += length;
        }
    } while (length > 0 || (length < 0 && errno == EINTR));
    int result = length < 0 ? -errno : 0;
    free(buffer);
    if (result == 0)
        *size = total;
    return result;
}

void lctr_digest_finish(struct lctr_digest *digest, char text[LCTR_DIGEST_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[SHA256_DIGEST_SIZE];
    digest->digest(&digest->state, sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[LCTR_DIGEST_TEXT - 1] = '\0';
}
