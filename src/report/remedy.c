/* remedy.c - says what an error means and what to do about it. It is apart because main.c and
 * `doctor` meet the same errors. */

#include "report/remedy.h"

#include <errno.h>

static const struct {
	int sys;          /* 0: any of the code */
	enum rp_err code; /* RP_OK: any */
	struct rp_remedy remedy;
} table[] = {
    {ENOMEM,
     RP_OK,
     {"there is not enough memory or address space for this process",
      "free some, or raise its limit (ulimit -v, MemoryMax=): it must hold map_size; nothing is "
      "damaged"}},
    {EMFILE,
     RP_OK,
     {"this process may open no more files", "raise its limit (ulimit -n, LimitNOFILE=)"}},
    {ENFILE,
     RP_OK,
     {"this machine may open no more files", "find who holds them (lsof), or raise fs.file-max"}},
    {EAGAIN,
     RP_OK,
     {"a limit of this process or user is reached, or a lock is taken",
      "try again; if it stays, see the limits of the user (ulimit -u, -l)"}},
    {EROFS,
     RP_OK,
     {"the file system is mounted read-only, and who only looks writes too (to lock.mdb)",
      "see why (dmesg, /proc/mounts), then: mount -o remount,rw"}},
    {EACCES,
     RP_OK,
     {"this user may not",
      "run it as the user that the outbox belongs to (ls -ld tells), as sudo -u does"}},
    {EPERM,
     RP_OK,
     {"this user may not",
      "run it as the user that the outbox belongs to (ls -ld tells), as sudo -u does"}},
    {ENOTDIR,
     RP_OK,
     {"a part of the path is no directory", "name the outbox with --outbox or --config"}},
    {ENOSPC, RP_OK, {"the disk is full", "make room on the file system"}},
    {EDQUOT, RP_OK, {"the user's quota on the file system is used up", "make room, or raise it"}},
    {EIO,
     RP_OK,
     {"the disk did not do what it was asked to",
      "see what the kernel says of it (dmesg); then: runpostctl verify"}},
    {ENOLCK,
     RP_OK,
     {"the file system has no locks to give", "put the outbox on a local file system"}},
    {0,
     RP_ERR_NOTFOUND,
     {NULL, "name the outbox with --outbox or --config, or make one: runpost init"}},
    {0,
     RP_ERR_NOMEM,
     {NULL, "free some memory, or raise the limit of this process; nothing is damaged"}},
    {0, RP_ERR_FULL, {NULL, "make room on the file system, or raise quota"}},
    {0, RP_ERR_BUSY, {NULL, "see what it says, and try again"}},
    {0, RP_ERR_DENIED, {NULL, "see what it says"}},
    {0,
     RP_ERR_FORMAT,
     {NULL,
      "see what it says: use the version that wrote it, name another outbox, or, if it is damaged, "
      "restore a backup"}},
    {0, RP_ERR_DAMAGED, {NULL, "see what is damaged, and restore a backup: runpostctl verify"}},
};

struct rp_remedy rp_remedy_of(enum rp_err code, int sys)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].sys != 0 ? table[i].sys == sys : table[i].code == code)
			return table[i].remedy;
	return (struct rp_remedy){NULL, "see what it says, and the log of the kernel (dmesg)"};
}
