/* bare_append - what storing lines costs at the least: LMDB, one table, one value a line, one
 * synced commit a batch.
 *
 *   bare_append --batch N DIR FILE
 *
 * FILE is in memory before the clock starts; DIR must exist and be empty. The result is a JSON
 * object on stdout. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)64 << 30)

struct input {
	char *data;
	size_t len;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bare_append: %s: %s\n", what, why);
	exit(1);
}

static void check(int rc, const char *what)
{
	if (rc != 0)
		die(what, mdb_strerror(rc));
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return ((int64_t)r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
	       r.ru_stime.tv_usec;
}

static struct input load_file(const char *path)
{
	struct input in = {NULL, 0};
	struct stat st;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path, strerror(errno));
	in.data = malloc((size_t)st.st_size + 1);
	if (in.data == NULL)
		die(path, "no memory");
	while (n > 0 && in.len < (size_t)st.st_size) {
		n = read(fd, in.data + in.len, (size_t)st.st_size - in.len);
		in.len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		die(path, strerror(errno));
	close(fd);
	return in;
}

static MDB_env *open_env(const char *dir, MDB_dbi *table)
{
	MDB_env *env;
	MDB_txn *txn;

	check(mdb_env_create(&env), "create");
	check(mdb_env_set_mapsize(env, MAP_BYTES), "map size");
	check(mdb_env_set_maxdbs(env, 1), "tables");
	check(mdb_env_open(env, dir, 0, 0600), dir);
	check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	check(mdb_dbi_open(txn, "body", MDB_CREATE, table), "table");
	check(mdb_txn_commit(txn), "commit");
	return env;
}

static void put_seq(unsigned char key[8], uint64_t seq)
{
	int i;

	for (i = 7; i >= 0; i--, seq >>= 8)
		key[i] = (unsigned char)seq;
}

/* One batch in one transaction; returns the number of lines taken from *at. */
static uint64_t append_batch(MDB_env *env, MDB_dbi table, const struct input *in, size_t *at,
			     uint64_t seq, uint64_t batch)
{
	unsigned char bytes[8];
	MDB_val key = {sizeof bytes, bytes}, value;
	MDB_txn *txn;
	uint64_t n;
	char *end;

	check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	for (n = 0; n < batch && *at < in->len; n++) {
		end = memchr(in->data + *at, '\n', in->len - *at);
		if (end == NULL)
			die("input", "the last line has no line feed");
		value.mv_data = in->data + *at;
		value.mv_size = (size_t)(end - in->data) - *at;
		put_seq(bytes, seq + n);
		check(mdb_put(txn, table, &key, &value, MDB_APPEND), "put");
		*at += value.mv_size + 1;
	}
	check(mdb_txn_commit(txn), "commit");
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"batch", 1, NULL, 'b'}, {NULL, 0, NULL, 0}};
	uint64_t batch = 0, lines = 0, commits = 0;
	int64_t start_us, cpu_start_us;
	struct input in;
	MDB_env *env;
	MDB_dbi table;
	size_t at = 0;

	while (getopt_long(argc, argv, "", options, NULL) == 'b')
		batch = strtoull(optarg, NULL, 10);
	if (batch == 0 || argc - optind != 2) {
		fprintf(stderr, "usage: bare_append --batch N DIR FILE\n");
		return 64;
	}
	in = load_file(argv[optind + 1]);
	env = open_env(argv[optind], &table);
	start_us = now_us();
	cpu_start_us = cpu_us();
	while (at < in.len) {
		lines += append_batch(env, table, &in, &at, lines, batch);
		commits++;
	}
	printf("{\"lines\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"wall_us\":%" PRId64
	       ",\"cpu_us\":%" PRId64 "}\n",
	       lines, commits, now_us() - start_us, cpu_us() - cpu_start_us);
	mdb_env_close(env);
	free(in.data);
	return 0;
}
