/* The mounts below a mount, as mountinfo lists them, each opened from there: for kernels that
 * change the attributes of one mount at a time. */
#include "init.h"

#define MOUNTS_MAX 1024

struct mount_line {
    uint32_t id;
    uint32_t parent;
    const char *point;
};

struct reader {
    int fd;
    size_t from; /* the text that is left lies here, up to `end` */
    size_t end;
    char text[4 * (PLAN_MAX_PATH + 1)];
};

static const char *parse_id(const char *text, uint32_t *id) {
    *id = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        *id = *id * 10 + (uint32_t)(*text - '0');
    return *text ? text + 1 : text;
}

static char *next_field(char *text) {
    while (*text && *text != ' ')
        text++;
    return *text ? text + 1 : text;
}

/* Cut a path off at the next blank; blanks in it are written as \040 and the like. */
static void unescape(char *path) {
    char *to = path;
    for (; *path && *path != ' '; path++, to++) {
        *to = *path;
        if (*path == '\\' && path[1] && path[2] && path[3]) {
            *to = (char)((path[1] - '0') << 6 | (path[2] - '0') << 3 | (path[3] - '0'));
            path += 3;
        }
    }
    *to = '\0';
}

/* proc(5): "id parent major:minor root mountpoint ..." */
static void parse_line(char *text, struct mount_line *line) {
    char *rest = (char *)parse_id(parse_id(text, &line->id), &line->parent);
    rest = next_field(next_field(rest));
    unescape(rest);
    line->point = rest;
}

static size_t find_newline(const struct reader *r) {
    size_t at = r->from;
    while (at < r->end && r->text[at] != '\n')
        at++;
    return at;
}

/* 1: there is a line, 0: there is none. */
static int next_line(struct reader *r, struct mount_line *line) {
    size_t at = find_newline(r);
    while (at == r->end) {
        for (size_t i = r->from; i < r->end; i++)
            r->text[i - r->from] = r->text[i];
        r->end -= r->from;
        r->from = 0;
        if (r->end == sizeof r->text)
            return -ENAMETOOLONG;
        long got = k_read(r->fd, r->text + r->end, sizeof r->text - r->end);
        if (got <= 0)
            return (int)got;
        r->end += (size_t)got;
        at = find_newline(r);
    }
    r->text[at] = '\0';
    parse_line(r->text + r->from, line);
    r->from = at + 1;
    return 1;
}

/* The mount that a descriptor lies on, from its line "mnt_id:\tN". */
static int mount_of(struct init *in, int fd, uint32_t *id) {
    char path[40];
    char text[256];
    size_t end = text_append(path, sizeof path, 0, "self/fdinfo/");
    text_append_number(path, sizeof path, end, fd);
    int info = path_walk(in, in->proc, path, O_RDONLY, 0);
    if (info < 0)
        return info;
    long length = k_read(info, text, sizeof text - 1);
    k_close(info);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    for (const char *c = text; *c; c++)
        if (text_starts(c, "mnt_id:\t")) {
            parse_id(c + 8, id);
            return 0;
        }
    return -EPROTO;
}

struct family {
    uint32_t count;
    uint32_t id[MOUNTS_MAX]; /* the first is the mount itself */
    uint32_t parent[MOUNTS_MAX];
};

static uint32_t index_of(const struct family *f, uint32_t id) {
    uint32_t i = 0;
    while (i < f->count && f->id[i] != id)
        i++;
    return i;
}

static bool is_member(const struct family *f, uint32_t id) {
    return index_of(f, id) < f->count;
}

static bool is_below(const struct family *f, uint32_t id, uint32_t above) {
    uint32_t i = index_of(f, id);
    for (uint32_t up = 0; i < f->count && up < f->count && f->id[i] != above; up++)
        i = index_of(f, f->parent[i]);
    return i < f->count && f->id[i] == above;
}

static int rewind_reader(struct init *in, struct reader *r) {
    fds_close(&r->fd);
    r->from = r->end = 0;
    r->fd = path_walk(in, in->proc, "self/mountinfo", O_RDONLY, 0);
    return r->fd < 0 ? r->fd : 0;
}

/* Parents need not stand before their children: read until a reading finds nobody new. `top`
 * becomes the length of the mount's own path, which all others begin with. */
static int find_family(struct init *in, struct reader *r, struct family *f, size_t *top) {
    struct mount_line line;
    uint32_t before;
    do {
        before = f->count;
        int result = rewind_reader(in, r);
        while (result >= 0 && (result = next_line(r, &line)) > 0) {
            if (line.id == f->id[0])
                *top = line.point[1] ? text_length(line.point) : 0;
            if (!is_member(f, line.parent) || is_member(f, line.id))
                continue;
            if (f->count == MOUNTS_MAX)
                return -E2BIG;
            f->parent[f->count] = line.parent;
            f->id[f->count++] = line.id;
        }
        if (result < 0)
            return result;
    } while (f->count > before);
    return 0;
}

/* What is at the path has to be that mount, for somebody may move directories; or another one that
 * covers it, which has its own visit. */
static int visit(struct init *in, int mount, const struct family *f, const struct mount_line *line,
                 size_t top, mount_visitor *call, const void *argument) {
    uint32_t id = 0;
    int fd = walk_open(mount, line->point + top, O_PATH | O_NOFOLLOW, 0, 0);
    if (fd == -EACCES && in->plan->flags & PLAN_FLAG_USERNS)
        return 0; /* where the root of the namespace can't go, nobody of it can */
    if (fd < 0)
        return fd;
    int result = mount_of(in, fd, &id);
    if (result >= 0 && id == line->id)
        result = call(in, fd, argument);
    else if (result >= 0 && !is_below(f, id, line->id))
        result = -EAGAIN;
    k_close(fd);
    return result;
}

int submounts_each(struct init *in, int mount, mount_visitor *call, const void *argument) {
    struct family f;
    struct reader r;
    struct mount_line line;
    size_t top = 0;
    f.count = 1;
    r.fd = -1;
    int result = procfs_open(in);
    if (result >= 0)
        result = mount_of(in, mount, &f.id[0]);
    if (result >= 0)
        result = find_family(in, &r, &f, &top);
    if (result >= 0)
        result = rewind_reader(in, &r);
    while (result >= 0 && f.count > 1 && (result = next_line(&r, &line)) > 0)
        if (line.id != f.id[0] && is_member(&f, line.id))
            result = visit(in, mount, &f, &line, top, call, argument);
    fds_close(&r.fd);
    return result;
}
