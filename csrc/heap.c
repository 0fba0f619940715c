/* A quarter of a short run of luactr would go into malloc and free: Lua makes some ten thousand
 * small objects to read its own files, and tells the size of each when it frees it. So blocks need
 * no header, and a free list for each size is all it takes.
 *
 * As much would go into page faults, one for each of the 160 pages that a start fills: below some
 * hypervisors a fault takes longer than to make all objects of its page. One huge page holds all,
 * where the kernel gives it. */
#include "heap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 16,
    SMALL_MAX = 512, /* bytes; up to here there is a bin for each multiple of the grain, */
    SMALL_BINS = SMALL_MAX / GRAIN + 1,
    DOUBLINGS = 6, /* above it for each power of two; larger blocks are malloc's */
    BLOCK_MAX = SMALL_MAX << DOUBLINGS,
    CHUNK_SIZE = 2 * 1024 * 1024, /* and alignment: a huge page, where the kernel has one */
};

struct free_block {
    struct free_block *next;
};

static struct {
    struct free_block *free[SMALL_BINS + DOUBLINGS];
    char *next; /* of the current chunk, what was never used */
    char *end;
} heap;

static unsigned bin_of(size_t size) {
    if (size <= SMALL_MAX)
        return (unsigned)(size + GRAIN - 1) / GRAIN;
    unsigned bin = SMALL_BINS;
    for (size_t limit = (size_t)SMALL_MAX * 2; limit < size; limit *= 2)
        bin++;
    return bin;
}

static size_t size_of(unsigned bin) {
    return bin < SMALL_BINS ? (size_t)bin * GRAIN : (size_t)SMALL_MAX << (bin - SMALL_BINS + 1);
}

/* Aligned to its size; what is mapped around it to find that place goes back at once. */
static char *map_chunk(void) {
    char *mapped = mmap(NULL, (size_t)CHUNK_SIZE * 2, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)mapped % CHUNK_SIZE;
    char *chunk = mapped + before;
    if (before)
        munmap(mapped, before);
    munmap(chunk + CHUNK_SIZE, CHUNK_SIZE - before);
    madvise(chunk, CHUNK_SIZE, MADV_HUGEPAGE);
    return chunk;
}

/* What is left of the last chunk, less than one block, is given up. */
static bool new_chunk(void) {
    char *chunk = map_chunk();
    if (!chunk)
        return false;
    heap.next = chunk;
    heap.end = chunk + CHUNK_SIZE;
    return true;
}

static void *bin_alloc(unsigned bin) {
    struct free_block *block = heap.free[bin];
    if (block) {
        heap.free[bin] = block->next;
        return block;
    }
    size_t size = size_of(bin);
    if ((size_t)(heap.end - heap.next) < size && !new_chunk())
        return NULL;
    void *fresh = heap.next;
    heap.next += size;
    return fresh;
}

static void *allocate(size_t size) {
    return size > BLOCK_MAX ? malloc(size) : bin_alloc(bin_of(size));
}

static void release(void *block, size_t size) {
    if (size > BLOCK_MAX) {
        free(block);
    } else if (block) {
        struct free_block *freed = block;
        freed->next = heap.free[bin_of(size)];
        heap.free[bin_of(size)] = freed;
    }
}

static void *move_block(void *block, size_t old_size, size_t new_size) {
    void *moved = allocate(new_size);
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
        return allocate(new_size);
    if (old_size > BLOCK_MAX && new_size > BLOCK_MAX)
        return realloc(block, new_size);
    if (old_size <= BLOCK_MAX && new_size <= BLOCK_MAX && bin_of(old_size) == bin_of(new_size))
        return block;
    return move_block(block, old_size, new_size);
}
