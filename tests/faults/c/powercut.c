/* Preloaded into a program, keeps what a power cut would leave of its files: what it had synced, and no more.
 *
 * Of every file below POWERCUT_FOLDER a copy is kept in POWERCUT_COPY, under its own name. A write is only noted; when
 * the file is synced, what was noted since the last time is copied. Whoever kills the program with -9 afterwards finds
 * in the copy what a disk without power would have: that a kernel outlives its programs, and writes what they had not
 * synced, is just what this takes away.
 *
 * Making and removing files is taken to last at once, as it does when a folder is synced, which SQLite does.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 32 };

typedef struct { off_t at; size_t bytes; } Range;

typedef struct {
    char name[NAME_MAX + 1];
    Range *written; /* since the last sync */
    size_t count, room;
} File;

static File files[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The name of the file if it lies in the folder. */
static const char *watched(const char *path) {
    const char *folder = getenv("POWERCUT_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && !strncmp(path, folder, length) && path[length] == '/' ? path + length + 1 : NULL;
}

static File *file_named(const char *name) {
    for (int i = 0; i < FILES; i++) {
        if (!*files[i].name) strncpy(files[i].name, name, NAME_MAX);
        if (!strcmp(files[i].name, name)) return &files[i];
    }
    abort();
}

static File *file_of(int fd) {
    char link[40], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    const char *name = watched(path);
    return name ? file_named(name) : NULL;
}

static void copy_path(const char *name, char *path) {
    snprintf(path, PATH_MAX, "%s/%s", getenv("POWERCUT_COPY"), name);
}

static void note(int fd, off_t at, ssize_t bytes) {
    if (bytes <= 0) return;
    pthread_mutex_lock(&lock);
    File *file = file_of(fd);
    if (file) {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->written = realloc(file->written, file->room * sizeof(Range));
            if (!file->written) abort();
        }
        file->written[file->count++] = (Range){at, bytes};
    }
    pthread_mutex_unlock(&lock);
}

static void copy_range(int from, int to, Range range) {
    char buffer[65536];
    while (range.bytes) {
        size_t most = range.bytes < sizeof buffer ? range.bytes : sizeof buffer;
        ssize_t got = pread(from, buffer, most, range.at);
        if (got <= 0) return; /* it has been cut off since */
        if (REAL(pwrite)(to, buffer, got, range.at) != got) abort();
        range.at += got;
        range.bytes -= got;
    }
}

static void synced(int fd) {
    pthread_mutex_lock(&lock);
    File *file = file_of(fd);
    struct stat now;
    if (file && !fstat(fd, &now) && S_ISREG(now.st_mode)) {
        char path[PATH_MAX];
        copy_path(file->name, path);
        int to = open(path, O_RDWR | O_CREAT, 0600);
        if (to < 0) abort();
        for (size_t i = 0; i < file->count; i++) copy_range(fd, to, file->written[i]);
        file->count = 0;
        if (REAL(ftruncate)(to, now.st_size)) abort();
        close(to);
    }
    pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *data, size_t bytes) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, bytes);
    if (at >= 0) note(fd, at, done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) {
    ssize_t done = REAL(pwrite)(fd, data, bytes, at);
    note(fd, at, done);
    return done;
}

/* With offsets of 64 bits the compiler calls `pwrite` by this name; other libraries may know it by the other one. */
ssize_t plain_pwrite(int fd, const void *data, size_t bytes, off_t at) __asm__("pwrite");
ssize_t plain_pwrite(int fd, const void *data, size_t bytes, off_t at) { return pwrite(fd, data, bytes, at); }

int fsync(int fd) {
    int failed = REAL(fsync)(fd);
    if (!failed) synced(fd);
    return failed;
}

int fdatasync(int fd) {
    int failed = REAL(fdatasync)(fd);
    if (!failed) synced(fd);
    return failed;
}

int unlink(const char *path) {
    int failed = REAL(unlink)(path);
    const char *name = failed ? NULL : watched(path);
    if (name) {
        char copy[PATH_MAX];
        pthread_mutex_lock(&lock);
        file_named(name)->count = 0;
        copy_path(name, copy);
        REAL(unlink)(copy);
        pthread_mutex_unlock(&lock);
    }
    return failed;
}
