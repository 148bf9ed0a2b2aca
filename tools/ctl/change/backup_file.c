/* backup_file.c - writes entries to a file before they are purged. It is apart because nothing
 * may be purged before that file is complete and synced. */

#include "ctl/change/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "report/export_line.h"
#include "ctl/select/walk.h"

enum { FLUSH_BYTES = 1 << 20, SYNC_BYTES = 4 << 20 };

static int fail(const char *path, const char *what)
{
	rp_ctl_say("%s: %s: %s; nothing was purged (--backup names another file, --no-backup does "
		   "without)",
		   path, what, strerror(errno));
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

/* One of our errors, with what it means here. */
static int refuse(const struct rp_error *err)
{
	rp_ctl_say("%s; nothing was purged (--backup names another file, --no-backup does without)",
		   err->text);
	return RP_EXIT_IO;
}

/* OUTBOX/purged. A directory there that is a link is not ours. */
static int open_dir(struct rp_backup_file *b, int *dir)
{
	if (!rp_buf_printf(&b->path, "%s/purged", rp_outbox_address(b->ctl->ob)))
		return rp_ctl_no_memory();
	if (mkdir(b->path.data, 0700) != 0 && errno != EEXIST)
		return fail(b->path.data, "create directory");
	*dir = open(b->path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *dir >= 0 ? RP_EXIT_OK : fail(b->path.data, "open directory");
}

static int make_own_file(struct rp_backup_file *b)
{
	time_t now = (time_t)(b->ctl->now_at_ms / 1000);
	char at[32], name[64];
	struct rp_error err;
	struct tm tm;
	int dir = -1, code = open_dir(b, &dir);

	if (code != RP_EXIT_OK)
		return code;
	gmtime_r(&now, &tm);
	strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, sizeof name, "purge-%s-%ld.ndjson", at, (long)getpid());
	if (rp_file_sync_name(b->path.data, &err) != RP_OK)
		code = refuse(&err);
	else if (!rp_buf_printf(&b->path, "/%s", name))
		code = rp_ctl_no_memory();
	if (code == RP_EXIT_OK) {
		b->fd =
		    openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (b->fd < 0)
			code = fail(b->path.data, "create");
	}
	close(dir);
	return code;
}

/* What root makes in an outbox is its user's, who must be able to go on in it. */
static int open_own_file(struct rp_backup_file *b)
{
	struct rp_error err;
	uid_t before;
	int code;

	if (rp_outbox_is_database(rp_outbox_address(b->ctl->ob))) {
		rp_ctl_say("an outbox in a database has no folder for a backup; nothing was purged "
			   "(--backup names a file, --no-backup does without)");
		return RP_EXIT_USAGE;
	}
	if (rp_outbox_act(b->ctl->ob, &before, &err) != RP_OK)
		return refuse(&err);
	code = make_own_file(b);
	rp_outbox_act_end(before);
	return code;
}

static int open_named_file(struct rp_backup_file *b)
{
	struct rp_error err;

	if (!rp_buf_add_text(&b->path, b->ctl->backup_path))
		return rp_ctl_no_memory();
	return rp_file_create(b->path.data, &b->fd, &err) == RP_OK ? RP_EXIT_OK : refuse(&err);
}

static int open_file(struct rp_backup_file *b)
{
	int code = b->ctl->backup_path != NULL ? open_named_file(b) : open_own_file(b);

	if (code != RP_EXIT_OK && b->fd < 0)
		rp_buf_clear(&b->path); /* it is not ours to remove */
	return code;
}

static int flush(struct rp_backup_file *b)
{
	struct rp_error err;

	if (rp_file_write(b->fd, (struct rp_span){b->lines.data, b->lines.len}, b->path.data,
			  &err) != RP_OK)
		return refuse(&err);
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
	if (!rp_export_line(&b->ctl->settings->config, e,
			    (struct rp_span){b->payload.data, b->payload.len}, true, &b->lines))
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
	else if (got == RP_OK &&
		 (e.delivery.state != RP_STATE_DELIVERED || b->ctl->backup_path != NULL))
		code = add_line(b, &e);
	rp_entry_release(&e);
	return code;
}

static int say_undo(const struct rp_backup_file *b)
{
	char size[32], *path = rp_path_absolute(b->path.data);
	struct rp_buf undo = {0};
	bool ok =
	    path != NULL && rp_command_add_on(&undo, &b->ctl->place, "runpostctl import", path);

	if (ok)
		rp_ctl_say("backup of %" PRIu64 " entries: %s (%s, with secrets); undo: %s", b->n,
			   b->path.data, rp_size_text(b->bytes, size), undo.data);
	free(path);
	rp_buf_release(&undo);
	return ok ? RP_EXIT_OK : rp_ctl_no_memory();
}

int rp_backup_end(struct rp_backup_file *b)
{
	struct rp_error err;
	int code;

	if (b->n_damaged > 0)
		rp_ctl_say("%" PRIu64
			   " damaged entries cannot be brought back and are not in the backup",
			   b->n_damaged);
	if (b->fd < 0)
		return RP_EXIT_OK;
	code = flush(b);
	if (code == RP_EXIT_OK && fsync(b->fd) != 0)
		code = fail(b->path.data, "sync");
	if (code == RP_EXIT_OK && rp_file_sync_name(b->path.data, &err) != RP_OK)
		code = refuse(&err);
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
