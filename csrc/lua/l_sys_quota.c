/* Project quotas: a directory's project, and what a project may use. quotactl(2) */
#include "l_sys.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* project(fd) -> id, whether what is made inside gets it, too */
static int l_project(lua_State *L) {
    struct fsxattr attributes;
    if (ioctl(l_checkfd(L, 1), FS_IOC_FSGETXATTR, &attributes) < 0)
        return l_pushfail(L, errno, "project", NULL);
    lua_pushinteger(L, attributes.fsx_projid);
    lua_pushboolean(L, (attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0);
    return 2;
}

static int l_set_project(lua_State *L) {
    struct fsxattr attributes;
    int fd = l_checkfd(L, 1);
    lua_Integer id = l_checkrange(L, 2, 0, UINT32_MAX - 1);
    int result = ioctl(fd, FS_IOC_FSGETXATTR, &attributes);
    if (result >= 0) {
        attributes.fsx_projid = (uint32_t)id;
        attributes.fsx_xflags &= ~(uint32_t)FS_XFLAG_PROJINHERIT;
        if (lua_toboolean(L, 3))
            attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
        result = ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
    }
    return l_pushdone(L, result, errno, "set_project", NULL);
}

static long quotactl_fd(int fd, unsigned command, lua_Integer id, struct if_dqblk *quota) {
    return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), (unsigned)id, quota);
}

static void set_field(lua_State *L, const char *name, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* project_quota(fd, id) -> { size =, inodes =, used_size =, used_inodes = }; 0 is no limit */
static int l_project_quota(lua_State *L) {
    struct if_dqblk quota = {0};
    int fd = l_checkfd(L, 1);
    if (quotactl_fd(fd, Q_GETQUOTA, l_checkrange(L, 2, 0, UINT32_MAX - 1), &quota) < 0)
        return l_pushfail(L, errno, "project_quota", NULL);
    lua_createtable(L, 0, 4);
    set_field(L, "size", quota.dqb_bhardlimit * QIF_DQBLKSIZE);
    set_field(L, "inodes", quota.dqb_ihardlimit);
    set_field(L, "used_size", quota.dqb_curspace);
    set_field(L, "used_inodes", quota.dqb_curinodes);
    return 1;
}

/* set_project_quota(fd, id, size, inodes) */
static int l_set_project_quota(lua_State *L) {
    int fd = l_checkfd(L, 1);
    lua_Integer id = l_checkrange(L, 2, 1, UINT32_MAX - 1);
    uint64_t size = (uint64_t)l_checkrange(L, 3, 0, LUA_MAXINTEGER - QIF_DQBLKSIZE);
    uint64_t blocks = (size + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE;
    uint64_t inodes = (uint64_t)l_checkrange(L, 4, 0, LUA_MAXINTEGER);
    struct if_dqblk quota = {
        .dqb_bhardlimit = blocks, .dqb_ihardlimit = inodes, .dqb_valid = QIF_LIMITS};
    return l_pushdone(L, (int)quotactl_fd(fd, Q_SETQUOTA, id, &quota), errno, "set_project_quota",
                      NULL);
}

static const luaL_Reg functions[] = {{"project", l_project},
                                     {"set_project", l_set_project},
                                     {"project_quota", l_project_quota},
                                     {"set_project_quota", l_set_project_quota},
                                     {NULL, NULL}};

void l_sys_quota(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
