#include "backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "export_line.h"
#include "walk.h"

enum { FLUSH_BYTES = 1 << 20, SYNC_BYTES = 4 << 20 };

static int fail(const char *path, const char *what)
{
	rp_ctl_say("%s: %s: %s; nothing was purged (--backup names another file, --no-backup does without)", path, what,
		   strerror(errno));
	return RP_EXIT_IO;
}

int rp_backup_begin(struct rp_backup_file *b, struct rp_ctl *ctl)
{
	memset(b, 0, sizeof *b);
	b->ctl = ctl;
	b->fd = -1;
	b->lines.max = b->payload.max = SIZE_MAX / 2; /* bounded by the largest entry */
	return RP_EXIT_OK;
}

/* A new name is only safe when its directory is. */
static int sync_dir(const char *path)
{
	char copy[4096];
	char *slash;
	int fd, code = RP_EXIT_OK;

	snprintf(copy, sizeof copy, "%s", path);
	slash = strrchr(copy, '/');
	if (slash != NULL)
		*(slash == copy ? slash + 1 : slash) = '\0';
	fd = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		code = fail(path, "sync its directory");
	if (fd >= 0)
		close(fd);
	return code;
}

static int choose_path(struct rp_backup_file *b)
{
	const char *dir = rp_outbox_dir(b->ctl->ob);
	time_t now = (time_t)(b->ctl->now_at_ms / 1000);
	char at[32];
	struct tm tm;
	int code;

	if (b->ctl->backup_path != NULL)
		return rp_buf_add_text(&b->path, b->ctl->backup_path) ? RP_EXIT_OK : rp_ctl_no_memory();
	gmtime_r(&now, &tm);
	strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm);
	if (!rp_buf_printf(&b->path, "%s/purged", dir))
		return rp_ctl_no_memory();
	if (mkdir(b->path.data, 0700) != 0 && errno != EEXIST)
		return fail(b->path.data, "create directory");
	code = sync_dir(b->path.data);
	if (code != RP_EXIT_OK)
		return code;
	return rp_buf_printf(&b->path, "/purge-%s-%ld.ndjson", at, (long)getpid()) ? RP_EXIT_OK : rp_ctl_no_memory();
}

static int open_file(struct rp_backup_file *b)
{
	int code = choose_path(b);

	if (code != RP_EXIT_OK)
		return code;
	b->fd = open(b->path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->fd >= 0)
		return RP_EXIT_OK;
	code = fail(b->path.data, "create");
	rp_buf_clear(&b->path); /* it is not ours to remove */
	return code;
}

static int flush(struct rp_backup_file *b)
{
	size_t at = 0;

	while (at < b->lines.len) {
		ssize_t n = write(b->fd, b->lines.data + at, b->lines.len - at);

		if (n < 0 && errno != EINTR)
			return fail(b->path.data, "write");
		at += n > 0 ? (size_t)n : 0;
	}
	b->bytes += b->lines.len;
	rp_buf_clear(&b->lines);
	/* All of a large file at once would keep the disk from those who wait for their commits. */
	if (b->bytes - b->synced_bytes >= SYNC_BYTES) {
		b->synced_bytes = b->bytes;
		if (fdatasync(b->fd) != 0)
			return fail(b->path.data, "sync");
	}
	return RP_EXIT_OK;
}

static int add_line(struct rp_backup_file *b, const struct rp_entry *e)
{
	int code;

	if (b->fd < 0 && (code = open_file(b)) != RP_EXIT_OK)
		return code;
	if (!rp_export_line(e, (struct rp_span){b->payload.data, b->payload.len}, true, &b->lines))
		return rp_ctl_no_memory();
	b->n++;
	return b->lines.len >= FLUSH_BYTES ? flush(b) : RP_EXIT_OK;
}

int rp_backup_add(struct rp_backup_file *b, uint64_t seq)
{
	struct rp_entry e = {0};
	struct rp_error err;
	enum rp_err got = rp_walk_load(b->ctl, seq, &e, &err);
	bool damaged = false;
	int code = RP_EXIT_OK;

	if (got == RP_OK) {
		damaged = e.damaged || e.delivery.state == 0;
		rp_buf_clear(&b->payload);
		got = damaged ? RP_OK : rp_outbox_body(b->ctl->ob, seq, &b->payload, &err);
		if (got == RP_ERR_DAMAGED) {
			damaged = true;
			got = RP_OK;
		}
	}
	if (got != RP_OK && got != RP_ERR_NOTFOUND) /* one that is gone needs no backup */
		code = rp_ctl_fail(&err);
	else if (got == RP_OK && damaged)
		b->n_damaged++;
	else if (got == RP_OK && (e.delivery.state != RP_STATE_DELIVERED || b->ctl->backup_path != NULL))
		code = add_line(b, &e);
	rp_entry_release(&e);
	return code;
}

static int say_undo(const struct rp_backup_file *b)
{
	char size[32], *path = rp_path_absolute(b->path.data);
	struct rp_buf undo = {0};
	bool ok = path != NULL && rp_command_add_on(&undo, &b->ctl->place, "runpostctl import", path);

	if (ok)
		rp_ctl_say("backup of %" PRIu64 " entries: %s (%s, with secrets); undo: %s", b->n, b->path.data,
			   rp_size_text(b->bytes, size), undo.data);
	free(path);
	rp_buf_release(&undo);
	return ok ? RP_EXIT_OK : rp_ctl_no_memory();
}

int rp_backup_end(struct rp_backup_file *b)
{
	int code;

	if (b->n_damaged > 0)
		rp_ctl_say("%" PRIu64 " damaged entries cannot be brought back and are not in the backup",
			   b->n_damaged);
	if (b->fd < 0)
		return RP_EXIT_OK;
	code = flush(b);
	if (code == RP_EXIT_OK && fsync(b->fd) != 0)
		code = fail(b->path.data, "sync");
	if (code == RP_EXIT_OK)
		code = sync_dir(b->path.data);
	if (code != RP_EXIT_OK)
		return code;
	close(b->fd);
	b->fd = -1;
	return say_undo(b);
}

void rp_backup_release(struct rp_backup_file *b)
{
	if (b->fd >= 0) {
		close(b->fd);
		unlink(b->path.data);
	}
	rp_buf_release(&b->path);
	rp_buf_release(&b->lines);
	rp_buf_release(&b->payload);
}
