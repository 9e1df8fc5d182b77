/* How much of the database is mapped in. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/internal.h"

enum {
    RESIDENT_BYTES = 16 << 20,
    BUSY_BYTES = 48 << 20, /* while only reads follow each other */
    BUSY_MS = 1000,
    LOOK_EVERY = 64, /* notes of reads */
    LOOK_EVERY_COMMIT = 8,
};

/* LMDB does not tell where its map is: the kernel does, by the file. Libraries are mapped
 * privately, so one that happens to have the same number on another file system is not taken for
 * it. */
static bool find_map(int fd, struct resident *r)
{
    struct stat file;
    char line[512];
    FILE *f = fopen("/proc/self/maps", "re");
    if (!f || fstat(fd, &file) < 0) {
        if (f)
            fclose(f);
        return false;
    }
    while (!r->map && fgets(line, sizeof(line), f)) {
        unsigned long from, to, inode;
        char access[5];
        if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, access, &inode) == 4 &&
            inode == file.st_ino && access[3] == 's') {
            r->map = (void *)from;
            r->n = to - from;
        }
    }
    fclose(f);
    return r->map != NULL;
}

/* Bytes of all files that this process has mapped in; 0: not known. */
static size_t file_bytes(const struct resident *r)
{
    char text[128];
    unsigned long all, resident, shared;
    ssize_t n = pread(r->statm, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%lu %lu %lu", &all, &resident, &shared) == 3
               ? shared * (size_t)sysconf(_SC_PAGESIZE)
               : 0;
}

void resident_init(struct store *s)
{
    struct resident *r = &s->resident;
    int fd;
    r->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (r->statm < 0 || mdb_env_get_fd(s->env, &fd) || !find_map(fd, r))
        r->map = NULL;
    r->base = r->map ? file_bytes(r) : 0;
}

void resident_done(struct store *s)
{
    if (s->resident.statm > 0)
        close(s->resident.statm);
}

void resident_note(struct store *s, bool writes)
{
    struct resident *r = &s->resident;
    atomic_uint *notes = writes ? &r->commits : &r->notes;
    unsigned n = atomic_fetch_add_explicit(notes, 1, memory_order_relaxed);
    if (n % (writes ? LOOK_EVERY_COMMIT : LOOK_EVERY) || !r->map)
        return;
    size_t bytes = file_bytes(r);
    if (bytes < r->base + RESIDENT_BYTES)
        return;
    int64_t now = mono_ms(world_real()), last = atomic_load(&r->dropped_ms);
    if (!writes && bytes < r->base + BUSY_BYTES && now - last < BUSY_MS)
        return;
    atomic_store(&r->dropped_ms, now);
    madvise(r->map, r->n, MADV_DONTNEED);
}
