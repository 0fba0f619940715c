/* Cgroups in a place that somebody else chose, an engine above all: "/a/b" from the top of each
 * hierarchy, "./a/b" from where luactr may make cgroups. Others' directories are beside them and on
 * the way, so luactr removes only what bears its mark, an attribute. */
#ifndef LUACTR_CORE_CGROUP_PLACE_H
#define LUACTR_CORE_CGROUP_PLACE_H

#include <stdbool.h>

/* Whether a container's name among the cgroups tells such a place. */
bool lctr_cgroup_is_chosen(const char *id);

/* Tell that luactr made a directory. Where the kernel takes no attribute, it will stay. */
void lctr_cgroup_mark(const char *path);
bool lctr_cgroup_is_marked(const char *path);

/* Remove a directory if luactr made it, and those above that it made and that hold nothing else;
 * empty it otherwise. Processes go first if `kill`. 0; -EBUSY: there are some; or -errno. */
int lctr_cgroup_give_back(const char *path, bool kill);

#endif
