/* ACLs that an archive has as text, in the form of the kernel's extended attributes. */
#include "core/archive_library.h"

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#define MOST    1024 /* more than a file system keeps */
#define VERSION 2
#define NOBODY  UINT32_MAX

/* As in linux/posix_acl_xattr.h; all are little-endian. */
struct line {
    uint16_t tag;
    uint16_t permissions;
    uint32_t id;
};

struct acl {
    uint32_t version;
    struct line lines[MOST];
};

/* In the order of the kernel's tags, which is the order that it wants. */
static const struct {
    int theirs;
    uint16_t ours;
    int named;
} tags[] = {
    {ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01, 0},  {ARCHIVE_ENTRY_ACL_USER, 0x02, 1},
    {ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04, 0}, {ARCHIVE_ENTRY_ACL_GROUP, 0x08, 1},
    {ARCHIVE_ENTRY_ACL_MASK, 0x10, 0},      {ARCHIVE_ENTRY_ACL_OTHER, 0x20, 0},
};

#define TAGS (sizeof tags / sizeof tags[0])

/* Lines of one tag, from `count` on. Who is told by name alone is nobody that is known here. */
static size_t add_lines(const struct library *library, struct archive_entry *entry, int type,
                        size_t tag, struct acl *acl, size_t count) {
    int found_type;
    int permissions;
    int found;
    int id;
    const char *name;
    library->archive_entry_acl_reset(entry, type);
    while (library->archive_entry_acl_next(entry, type, &found_type, &permissions, &found, &id,
                                           &name) == ARCHIVE_OK) {
        if (found != tags[tag].theirs || (tags[tag].named && id < 0) || count == MOST)
            continue;
        acl->lines[count++] = (struct line){
            .tag = htole16(tags[tag].ours),
            .permissions = htole16((uint16_t)(permissions & 7)),
            .id = htole32(tags[tag].named ? (uint32_t)id : NOBODY),
        };
    }
    return count;
}

static void add(const struct library *library, struct archive_entry *entry, int type,
                const char *name) {
    if (library->archive_entry_acl_reset(entry, type) == 0)
        return;
    struct acl acl = {.version = htole32(VERSION)};
    size_t count = 0;
    for (size_t tag = 0; tag < TAGS; tag++)
        count = add_lines(library, entry, type, tag, &acl, count);
    library->archive_entry_xattr_add_entry(
        entry, name, &acl, offsetof(struct acl, lines) + count * sizeof(struct line));
}

void lctr_archive_acls(const struct library *library, struct archive_entry *entry) {
    add(library, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access");
    add(library, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default");
}
