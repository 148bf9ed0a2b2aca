/* log.h - the recording of everything that processes did to the files of one outbox, in one order
 * over all of them.
 *
 * preload_record.c writes it from inside the programs, record.py adds what the outside world saw
 * (marks), cut_main.c reads it. Each operation is done and written down while its process holds a
 * lock on the log, so the order of the log is the order in which things happened. Numbers are the
 * machine's own: a log is read where it was written. */
#ifndef TORTURE_LOG_H
#define TORTURE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_MAGIC 0x52504c47u

enum log_type {
	LOG_CREATE = 1, /* the file `name` came into being, empty */
	/* data at offset; flag LOG_SYNCED: through a descriptor with O_DSYNC or O_SYNC */
	LOG_WRITE,
	/* fsync, fdatasync. name ".": the directory, "..": its parent; "purged" is in it */
	LOG_SYNC,
	LOG_TRUNCATE, /* to `offset` bytes */
	LOG_MKDIR,    /* "." or "purged" */
	LOG_OTHER,    /* something the model of a disk does not know; data tells what */
	LOG_RECEIPT,  /* data went to the standard output of an ingester, or to a client of a door */
	LOG_MARK,     /* text from record.py */
};

#define LOG_SYNCED 1

struct log_head {
	uint32_t magic;
	uint8_t type, flags;
	uint16_t name_len;
	uint32_t pid;
	uint32_t data_len;
	uint64_t offset;
}; /* the name and the data follow */

/* One operation; name and data point into the log's memory, and name is not terminated. */
struct log_event {
	enum log_type type;
	bool synced;
	uint32_t pid;
	uint64_t offset;
	const char *name;
	size_t name_len;
	const char *data;
	size_t data_len;
};

struct log_file {
	struct log_event *events;
	size_t n;
	char *memory;
};

/* Reads a whole log; tells on stderr and exits when it cannot, or when the log is cut off. */
struct log_file log_load(const char *path);
bool log_name_is(const struct log_event *e, const char *name);

#endif
