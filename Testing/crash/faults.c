/* Preloaded into the processes of the campaign: counts what they do to the files below one folder, and at the n-th
 * such call ends the process (or its group) before it, after it or in the midst of it, or refuses it with an error.
 *
 * The state is memory that forked processes share. Programs are not started anew in between (see forking.py).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, WRITE, SYNC, RENAME, REMOVE, MKDIR, LOOK, KINDS };
enum mode { OFF, COUNT, KILL, REFUSE };
enum how { BEFORE, HALF, AFTER };

struct faults { /* the same in faults.py */
    int mode;
    int kinds; /* bits: which calls count */
    long at;   /* the number of the call at which it happens; refused are all from that one on */
    int how;
    int group; /* whether the whole process group ends */
    int error;
    int fired;
    long total;
    long counts[KINDS];
    char folder[1024];
    char where[1024]; /* the path at which it happened */
};

static struct faults *state;

struct faults *faults_state(void) { return state; }

__attribute__((constructor)) static void begin(void) {
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int below(const char *path) {
    size_t length = strlen(state->folder);
    return !strncmp(path, state->folder, length) && (path[length] == '/' || !path[length]);
}

static void die(void) {
    kill(state->group ? 0 : getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether a call may be made: 0 yes, -1 it is refused, 1 half of it and then die, 2 all of it and then die. */
static int turn(enum kind kind, int folder, const char *path) {
    char full[2048];
    if (!state || state->mode == OFF || !path) return 0;
    if (path[0] != '/' || folder >= 0) {
        char link[64];
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, full, 1023);
        if (length < 0) return 0;
        snprintf(full + length, 1024, "%s%s", path[0] ? "/" : "", path);
        if (path[0] != '/') path = full;
    }
    if (!below(path)) return 0;
    __atomic_add_fetch(&state->counts[kind], 1, __ATOMIC_SEQ_CST);
    if (!(state->kinds >> kind & 1)) return 0;
    long number = __atomic_add_fetch(&state->total, 1, __ATOMIC_SEQ_CST);
    if (state->mode == REFUSE && number >= state->at) {
        if (!__atomic_exchange_n(&state->fired, 1, __ATOMIC_SEQ_CST)) strncpy(state->where, path, 1023);
        errno = state->error;
        return -1;
    }
    if (state->mode != KILL || number != state->at) return 0;
    strncpy(state->where, path, 1023);
    state->fired = 1;
    if (state->how == BEFORE || (state->how == HALF && kind != WRITE)) die();
    return state->how == HALF ? 1 : 2;
}

static int turn_fd(enum kind kind, int fd) { return turn(kind, fd, ""); }

#define CALL(type, kind, folder, path, call) \
    int what = turn(kind, folder, path); \
    if (what < 0) return -1; \
    type result = call; \
    if (what > 0) die(); \
    return result

static enum kind opened(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? OPEN : LOOK; }

#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = va_arg(more, mode_t); \
        va_end(more); \
        CALL(int, opened(flags), AT_FDCWD, path, real(path, flags, mode)); \
    }
#define OPENING_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = va_arg(more, mode_t); \
        va_end(more); \
        CALL(int, opened(flags), folder, path, real(folder, path, flags, mode)); \
    }
#define FILE_OPENING(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(name); \
        int what = turn(strpbrk(mode, "wa+") ? OPEN : LOOK, AT_FDCWD, path); \
        if (what < 0) return NULL; \
        FILE *file = real(path, mode); \
        if (what > 0) die(); \
        return file; \
    }
#define WRITING(name, extra, arguments, half) \
    ssize_t name(int fd, const void *data, size_t size extra) { \
        REAL(name); \
        int what = turn_fd(WRITE, fd); \
        if (what < 0) return -1; \
        if (what == 1) { \
            real half; \
            die(); \
        } \
        ssize_t written = real arguments; \
        if (what > 0) die(); \
        return written; \
    }
#define COMMA ,

OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)
FILE_OPENING(fopen)
FILE_OPENING(fopen64)
WRITING(write, , (fd, data, size), (fd, data, size / 2))
WRITING(pwrite, COMMA off_t place, (fd, data, size, place), (fd, data, size / 2, place))
WRITING(pwrite64, COMMA off64_t place, (fd, data, size, place), (fd, data, size / 2, place))

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    CALL(ssize_t, WRITE, fd, "", real(fd, parts, what == 1 ? count / 2 : count));
}
ssize_t sendfile(int out, int in, off_t *place, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile");
    CALL(ssize_t, WRITE, out, "", real(out, in, place, what == 1 ? 1 : size));
}
ssize_t sendfile64(int out, int in, off64_t *place, size_t size) {
    static ssize_t (*real)(int, int, off64_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile64");
    CALL(ssize_t, WRITE, out, "", real(out, in, place, what == 1 ? 1 : size));
}
int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    CALL(int, WRITE, fd, "", real(fd, size));
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    CALL(int, WRITE, fd, "", real(fd, size));
}
int fsync(int fd) {
    REAL(fsync);
    CALL(int, SYNC, fd, "", real(fd));
}
int fdatasync(int fd) {
    REAL(fdatasync);
    CALL(int, SYNC, fd, "", real(fd));
}
int rename(const char *from, const char *to) {
    REAL(rename);
    CALL(int, RENAME, AT_FDCWD, to, real(from, to));
}
int unlink(const char *path) {
    REAL(unlink);
    CALL(int, REMOVE, AT_FDCWD, path, real(path));
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    CALL(int, REMOVE, folder, path, real(folder, path, flags));
}
int rmdir(const char *path) {
    REAL(rmdir);
    CALL(int, REMOVE, AT_FDCWD, path, real(path));
}
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    CALL(int, MKDIR, AT_FDCWD, path, real(path, mode));
}

/* Looking: counts only where a place is lost. */
ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    CALL(ssize_t, LOOK, fd, "", real(fd, data, size));
}
ssize_t pread64(int fd, void *data, size_t size, off64_t place) {
    REAL(pread64);
    CALL(ssize_t, LOOK, fd, "", real(fd, data, size, place));
}
int stat(const char *path, struct stat *found) {
    REAL(stat);
    CALL(int, LOOK, AT_FDCWD, path, real(path, found));
}
int stat64(const char *path, struct stat64 *found) {
    REAL(stat64);
    CALL(int, LOOK, AT_FDCWD, path, real(path, found));
}
int lstat(const char *path, struct stat *found) {
    REAL(lstat);
    CALL(int, LOOK, AT_FDCWD, path, real(path, found));
}
int lstat64(const char *path, struct stat64 *found) {
    REAL(lstat64);
    CALL(int, LOOK, AT_FDCWD, path, real(path, found));
}
int fstatat(int folder, const char *path, struct stat *found, int flags) {
    REAL(fstatat);
    CALL(int, LOOK, folder, path, real(folder, path, found, flags));
}
int fstatat64(int folder, const char *path, struct stat64 *found, int flags) {
    REAL(fstatat64);
    CALL(int, LOOK, folder, path, real(folder, path, found, flags));
}
int access(const char *path, int wish) {
    REAL(access);
    CALL(int, LOOK, AT_FDCWD, path, real(path, wish));
}
DIR *opendir(const char *path) {
    REAL(opendir);
    return turn(LOOK, AT_FDCWD, path) < 0 ? NULL : real(path);
}
