/* libarchive's functions that core/archive.c and core/pump.c use, found when an archive is opened.
 * Included by them only. */
#ifndef LUACTR_CORE_ARCHIVE_LIBRARY_H
#define LUACTR_CORE_ARCHIVE_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#define FUNCTIONS(F)                                                                               \
    F(archive_errno)                                                                               \
    F(archive_error_string)                                                                        \
    F(archive_set_error)                                                                           \
    F(archive_clear_error)                                                                         \
    F(archive_read_new)                                                                            \
    F(archive_read_free)                                                                           \
    F(archive_read_support_format_tar)                                                             \
    F(archive_read_support_format_empty)                                                           \
    F(archive_read_support_format_raw)                                                             \
    F(archive_read_support_filter_gzip)                                                            \
    F(archive_read_support_filter_bzip2)                                                           \
    F(archive_read_support_filter_xz)                                                              \
    F(archive_read_support_filter_zstd)                                                            \
    F(archive_read_open)                                                                           \
    F(archive_read_next_header)                                                                    \
    F(archive_read_data_block)                                                                     \
    F(archive_filter_code)                                                                         \
    F(archive_write_new)                                                                           \
    F(archive_write_free)                                                                          \
    F(archive_write_fail)                                                                          \
    F(archive_write_close)                                                                         \
    F(archive_write_set_format_pax)                                                                \
    F(archive_write_set_format_raw)                                                                \
    F(archive_write_set_format_option)                                                             \
    F(archive_write_set_bytes_per_block)                                                           \
    F(archive_write_set_bytes_in_last_block)                                                       \
    F(archive_write_add_filter_gzip)                                                               \
    F(archive_write_add_filter_zstd)                                                               \
    F(archive_write_set_filter_option)                                                             \
    F(archive_write_open)                                                                          \
    F(archive_write_header)                                                                        \
    F(archive_write_data)                                                                          \
    F(archive_write_finish_entry)                                                                  \
    F(archive_entry_new)                                                                           \
    F(archive_entry_clear)                                                                         \
    F(archive_entry_free)                                                                          \
    F(archive_entry_pathname)                                                                      \
    F(archive_entry_pathname_utf8)                                                                 \
    F(archive_entry_hardlink)                                                                      \
    F(archive_entry_hardlink_utf8)                                                                 \
    F(archive_entry_symlink)                                                                       \
    F(archive_entry_symlink_utf8)                                                                  \
    F(archive_entry_filetype)                                                                      \
    F(archive_entry_perm)                                                                          \
    F(archive_entry_size)                                                                          \
    F(archive_entry_uid)                                                                           \
    F(archive_entry_gid)                                                                           \
    F(archive_entry_mtime)                                                                         \
    F(archive_entry_mtime_nsec)                                                                    \
    F(archive_entry_rdevmajor)                                                                     \
    F(archive_entry_rdevminor)                                                                     \
    F(archive_entry_acl_reset)                                                                     \
    F(archive_entry_acl_next)                                                                      \
    F(archive_entry_xattr_reset)                                                                   \
    F(archive_entry_xattr_next)                                                                    \
    F(archive_entry_xattr_add_entry)                                                               \
    F(archive_entry_sparse_reset)                                                                  \
    F(archive_entry_sparse_next)                                                                   \
    F(archive_entry_sparse_add_entry)                                                              \
    F(archive_entry_copy_pathname)                                                                 \
    F(archive_entry_copy_hardlink)                                                                 \
    F(archive_entry_copy_symlink)                                                                  \
    F(archive_entry_set_filetype)                                                                  \
    F(archive_entry_set_perm)                                                                      \
    F(archive_entry_set_size)                                                                      \
    F(archive_entry_set_uid)                                                                       \
    F(archive_entry_set_gid)                                                                       \
    F(archive_entry_set_mtime)                                                                     \
    F(archive_entry_set_rdevmajor)                                                                 \
    F(archive_entry_set_rdevminor)

struct library {
#define FIELD(name) __typeof__(name) *name;
    FUNCTIONS(FIELD)
#undef FIELD
};

/* Have an entry's ACLs among its extended attributes, as the kernel has them. */
void lctr_archive_acls(const struct library *library, struct archive_entry *entry);

/* Load it: -ELIBACC when there is none. The handle is for dlclose. */
int lctr_archive_load(struct library *library, void **handle);

#endif
