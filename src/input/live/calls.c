/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Follows the system calls that change mappings, files' sizes, threads and processes.
 *
 * The order of events: calls that change mappings are made one at a time (the emulator has such a lock as well);
 * their event is published before the lock is given back, so that nobody can hear of a new mapping before it is
 * known. Before memory goes away, what the other threads wrote so far is published: those accesses came before.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "input/live/plugin.h"

#define PAGE                4096u
#define SEGMENT_DEVICE      (~0ull) /* no file's: the "device" of System V segments, whose id is the inode */
#define SHM_FLAG_READ_ONLY  010000
#define SHM_FLAG_EXECUTABLE 0100000

static uint64_t pages_up(uint64_t bytes) {
    return (bytes + PAGE - 1) & -(uint64_t)PAGE;
}

static bool failed(int64_t result) {
    return result < 0 && result >= -4095;
}

uint64_t announce_file(unsigned vcpu, uint64_t dev, uint64_t ino, uint64_t bytes) {
    uint32_t number = ring_file_number(self.ring, dev, ino, true);
    if (number != 0 && self.file_bytes[number] != bytes + 1) {
        self.file_bytes[number] = bytes + 1; /* 0: not yet announced by this process */
        EMIT(vcpu, EV_FILE, number, bytes);
    }
    return number;
}

/* Which file an mmap maps: asked at the call's entry, when the descriptor is surely still the same. */
static void remember_file(struct vcpu *v, int fd) {
    struct stat st;
    v->has_file = fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
    if (!v->has_file)
        return;
    v->file_dev = st.st_dev;
    v->file_ino = st.st_ino;
    v->file_bytes = (uint64_t)st.st_size;
}

/* A file that is mapped got another size. */
static void file_resized(unsigned vcpu, int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    uint32_t number = ring_file_number(self.ring, st.st_dev, st.st_ino, false);
    if (number != 0 && self.file_bytes[number] != 0)
        announce_file(vcpu, st.st_dev, st.st_ino, (uint64_t)st.st_size);
}

static void segment_attached(unsigned vcpu, uint64_t start, const uint64_t *argument) {
    struct shmid_ds ds;
    struct attachment *a = malloc(sizeof(*a));
    if (!a || shmctl((int)argument[0], IPC_STAT, &ds) != 0) {
        free(a);
        return;
    }
    *a = (struct attachment){self.attachments, start, pages_up(ds.shm_segsz)};
    self.attachments = a;
    uint64_t file = announce_file(vcpu, SEGMENT_DEVICE, argument[0], ds.shm_segsz);
    uint64_t prot = PROT_READ | (argument[2] & SHM_FLAG_READ_ONLY ? 0 : PROT_WRITE) |
                    (argument[2] & SHM_FLAG_EXECUTABLE ? PROT_EXEC : 0);
    EMIT(vcpu, EV_MMAP, start, a->bytes, prot, MAP_SHARED, file, 0);
}

static void segment_detached(unsigned vcpu, uint64_t start) {
    for (struct attachment **a = &self.attachments; *a; a = &(*a)->next) {
        if ((*a)->start != start)
            continue;
        struct attachment *gone = *a;
        EMIT(vcpu, EV_MUNMAP, start, gone->bytes);
        *a = gone->next;
        free(gone);
        return;
    }
}

/* -- processes -- */

static bool is_fork(int64_t number, uint64_t flags) {
    return number == SYS_fork || number == SYS_vfork ||
           (number == SYS_clone && ((flags & CLONE_VFORK) || !(flags & CLONE_VM)));
}

/* Until vfork's child calls execve or exits, it runs in its parent's address space, although QEMU copies it. */
static bool borrows_memory(int64_t number, uint64_t flags) {
    return number == SYS_vfork || (number == SYS_clone && (flags & CLONE_VFORK) && (flags & CLONE_VM));
}

static void before_fork(unsigned vcpu, struct vcpu *v) {
    pthread_mutex_lock(&self.mapping);
    others_publish(vcpu);
    vcpu_publish(vcpu);
    v->child = self.ring->ignore_children ? NULL : ring_new_process(self.ring);
}

static void in_parent(unsigned vcpu, struct vcpu *v, int64_t number, int64_t result) {
    struct ring_process *child = v->child;
    v->child = NULL;
    if (child && failed(result)) {
        atomic_store(&child->state, RING_NO_PROCESS);
    } else if (child) {
        child->borrows = borrows_memory(number, v->argument[0]);
        child->thread = ring_thread_number(self.ring);
        child->number = child->borrows ? self.self->number : ring_process_number(self.ring);
        child->pid = (pid_t)result;
        if (child->borrows)
            EMIT(vcpu, EV_THREAD, child->thread);
        else
            EMIT(vcpu, EV_FORK, child->number);
        vcpu_publish(vcpu);
        atomic_store(&child->state, RING_RUNNING);
    }
    pthread_mutex_unlock(&self.mapping);
}

/* The child waits until its parent has told the consumer of it. */
static void in_child(unsigned vcpu, struct vcpu *v) {
    struct ring_process *entry = v->child;
    v->child = NULL;
    for (unsigned spin = 0; entry && atomic_load(&entry->state) == RING_FORKING; spin++) {
        if (spin < 1000) {
            sched_yield();
            continue;
        }
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
        if (spin % 100 == 0 && ring_pid_gone(entry->pid)) {
            atomic_store(&entry->state, RING_NO_PROCESS); /* nobody will: go on unobserved */
            entry = NULL;
        }
    }
    if (entry && (atomic_load(&entry->state) != RING_RUNNING || entry->pid != getpid()))
        entry = NULL;
    process_is_child(vcpu, entry);
}

static void copy_guest_string(uint64_t guest, char *out, size_t bytes) {
    size_t n = 0;
    while (n + 1 < bytes) {
        uint64_t at = self.guest_base + guest + n;
        size_t piece = PAGE - at % PAGE;
        struct iovec to = {out + n, piece < bytes - 1 - n ? piece : bytes - 1 - n};
        struct iovec from = {(void *)(uintptr_t)at, to.iov_len};
        ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0); /* fails where a copy would crash */
        if (got <= 0)
            break;
        size_t length = strnlen(out + n, (size_t)got);
        n += length;
        if (length < (size_t)got)
            break;
    }
    out[n] = 0;
}

/* If it succeeds, this process goes on natively and the plugin is gone; the consumer finds that out. */
static void before_exec(unsigned vcpu, uint64_t path) {
    static char text[4096]; /* the last call of a process; a race spoils a name at most */
    copy_guest_string(path, text, sizeof(text));
    const char *name = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
    size_t length = strnlen(name, sizeof(self.self->exec) - 1);
    memcpy(self.self->exec, name, length);
    self.self->exec[length] = 0;
    others_publish(vcpu);
    vcpu_publish(vcpu);
    atomic_store(&self.self->state, RING_EXECING);
    atomic_fetch_add(&self.ring->execing, 1);
}

/* -- QEMU's callbacks -- */

static bool changes_mappings(int64_t number) {
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_mremap:
    case SYS_brk:
    case SYS_madvise:
    case SYS_shmat:
    case SYS_shmdt:
        return true;
    }
    return false;
}

void on_call(uint64_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
             uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id;
    (void)a7;
    (void)a8;
    struct vcpu *v = self.vcpu[vcpu];
    calling_vcpu = vcpu;
    v->in_mapping_call = false;
    if (atomic_load(&self.silent))
        return;
    memcpy(v->argument, (uint64_t[]){a1, a2, a3, a4, a5, a6}, sizeof(v->argument));
    if (changes_mappings(number)) {
        pthread_mutex_lock(&self.mapping);
        v->in_mapping_call = true;
        if (number == SYS_mmap)
            remember_file(v, a4 & MAP_ANONYMOUS ? -1 : (int)a5);
    } else if (is_fork(number, a1)) {
        before_fork(vcpu, v);
    } else if (number == SYS_clone) {
        atomic_store(&self.parallel, true); /* before QEMU throws its translations away, which it does for this */
    } else if (number == SYS_execve) {
        before_exec(vcpu, a1);
    } else if (number == SYS_execveat) {
        before_exec(vcpu, a2);
    }
}

static void mapping_changed(unsigned vcpu, struct vcpu *v, int64_t number, uint64_t result) {
    const uint64_t *a = v->argument;
    if (number != SYS_mmap && number != SYS_shmat)
        others_publish(vcpu);
    switch (number) {
    case SYS_mmap:
        if (a[3] & MAP_FIXED)
            others_publish(vcpu);
        uint64_t file = v->has_file ? announce_file(vcpu, v->file_dev, v->file_ino, v->file_bytes) : 0;
        EMIT(vcpu, EV_MMAP, result, pages_up(a[1]), a[2], a[3], file, file ? a[5] : 0);
        break;
    case SYS_munmap:
        EMIT(vcpu, EV_MUNMAP, a[0], pages_up(a[1]));
        break;
    case SYS_mprotect:
    case SYS_pkey_mprotect:
        EMIT(vcpu, EV_MPROTECT, a[0], pages_up(a[1]), a[2]);
        break;
    case SYS_mremap:
        EMIT(vcpu, EV_MREMAP, a[0], pages_up(a[1]), result, pages_up(a[2]), a[3]);
        break;
    case SYS_brk:
        if (result != self.heap_end) /* the first one is a question and tells where the heap starts */
            EMIT(vcpu, EV_BRK, result);
        self.heap_end = result;
        break;
    case SYS_madvise:
        EMIT(vcpu, EV_MADVISE, a[0], pages_up(a[1]), a[2]);
        break;
    case SYS_shmat:
        segment_attached(vcpu, result, a);
        break;
    case SYS_shmdt:
        segment_detached(vcpu, a[0]);
        break;
    }
    if (atomic_load(&self.live_vcpus) > 1)
        vcpu_publish(vcpu);
}

void on_return(uint64_t id, unsigned vcpu, int64_t number, int64_t result) {
    (void)id;
    struct vcpu *v = self.vcpu[vcpu];
    if (v->in_mapping_call) {
        v->in_mapping_call = false;
        if (!failed(result) && !self.self->borrows && !atomic_load(&self.silent))
            mapping_changed(vcpu, v, number, (uint64_t)result);
        pthread_mutex_unlock(&self.mapping);
        return;
    }
    if (atomic_load(&self.silent))
        return;
    if (is_fork(number, v->argument[0])) {
        if (result == 0)
            in_child(vcpu, v);
        else
            in_parent(vcpu, v, number, result);
    } else if (number == SYS_execve || number == SYS_execveat) {
        atomic_store(&self.self->state, RING_RUNNING); /* it failed, or we were not here */
        atomic_fetch_sub(&self.ring->execing, 1);
    } else if ((number == SYS_ftruncate || number == SYS_fallocate) && !failed(result)) {
        file_resized(vcpu, (int)v->argument[0]);
    }
}
