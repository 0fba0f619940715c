/* A quarter of a short run of luactr would go into malloc and free: Lua makes some ten thousand
 * small objects to read its own files, and tells the size of each when it frees it. So blocks need
 * no header, and a free list for each size is all it takes. */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

enum {
    GRAIN = 16,
    SMALL_MAX = 512, /* bytes; larger blocks are malloc's */
    CLASSES = SMALL_MAX / GRAIN + 1,
    CHUNK_SIZE = 128 * 1024,
};

struct free_block {
    struct free_block *next;
};

static struct {
    struct free_block *free[CLASSES];
    char *next; /* of the current chunk, what was never used */
    char *end;
} heap;

static size_t class_of(size_t size) {
    return (size + GRAIN - 1) / GRAIN;
}

/* What is left of the last chunk, less than one small block, is given up. */
static char *new_chunk(void) {
    char *chunk = malloc(CHUNK_SIZE);
    if (chunk) {
        heap.next = chunk;
        heap.end = chunk + CHUNK_SIZE;
    }
    return chunk;
}

static void *small_alloc(size_t class) {
    struct free_block *block = heap.free[class];
    if (block) {
        heap.free[class] = block->next;
        return block;
    }
    size_t size = class * GRAIN;
    if ((size_t)(heap.end - heap.next) < size && !new_chunk())
        return NULL;
    void *fresh = heap.next;
    heap.next += size;
    return fresh;
}

static void release(void *block, size_t size) {
    if (size > SMALL_MAX) {
        free(block);
    } else if (block) {
        struct free_block *freed = block;
        freed->next = heap.free[class_of(size)];
        heap.free[class_of(size)] = freed;
    }
}

static void *move_block(void *block, size_t old_size, size_t new_size) {
    void *moved = new_size > SMALL_MAX ? malloc(new_size) : small_alloc(class_of(new_size));
    if (moved) {
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
        release(block, old_size);
    }
    return moved;
}

/* Without a block, old_size is the kind of object that Lua is about to make. */
void *lctr_heap_alloc(void *state, void *block, size_t old_size, size_t new_size) {
    (void)state;
    if (new_size == 0) {
        release(block, block ? old_size : 0);
        return NULL;
    }
    if (!block)
        return new_size > SMALL_MAX ? malloc(new_size) : small_alloc(class_of(new_size));
    if (old_size > SMALL_MAX && new_size > SMALL_MAX)
        return realloc(block, new_size);
    if (old_size <= SMALL_MAX && new_size <= SMALL_MAX && class_of(old_size) == class_of(new_size))
        return block;
    return move_block(block, old_size, new_size);
}
