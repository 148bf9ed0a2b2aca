/* cut_main.c - cuts the power at every moment of a recording, in many ways, and checks what is left each time.
 *
 * usage: cut --log FILE --dir DIR [--real OUTBOX] [--states N] [--workers N] [--seed N] [--first]
 *        cut --log FILE --dir DIR --seed N --step S --number J      one state again
 *
 * A step is an operation of the log (a synced write is two: written, and durable). At each step states are drawn, number
 * 0, 1, 2, ... (disk.h); a state is the image and what had been seen outside by then. States that were checked before are
 * not counted again. Rounds over all steps go on until N different states have been checked, or no new ones are found.
 * --first: stop at the first violation. --real: the outbox as the recording left it, which the log must add up to.
 *
 * Workers are processes, so that a crash of the store is a violation of the state at hand and no more. The last line is
 * `cut {...}`. Exit 0: no violation; 1: some; 65: the log is unusable. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "check.h"
#include "disk.h"

#define WORKERS_MAX 64
#define ROUND_STATES_MIN 2 /* of a step, in one round: all dropped, all kept, ... */
#define DRY_ROUNDS_MAX 3   /* rounds that found hardly anything new */
#define STATE_DEADLINE_S 20
#define SHOWN_MAX 30
#define SEEN_SLOTS (1u << 22)
#define DAY_MS INT64_C(86400000)
#define MAP_BYTES ((size_t)64 << 20)

struct step {
	size_t event;
	bool second_half;
	struct moment moment;
};

/* What workers share. */
struct shared {
	uint64_t states, tried, violations, shown, crashes;
	bool stop;
	struct {
		uint64_t step, number;
	} at[WORKERS_MAX]; /* the state at hand */
	uint64_t digests[CHECK_COMMITS_MAX];
	uint64_t seen[SEEN_SLOTS];
};

static struct log_file log_file;
static struct expect expect;
static struct step *steps;
static size_t n_steps;
static struct shared *shared;
static const char *work_dir;
static uint64_t seed = 1;
static bool first_only;
static unsigned me;

static void violation(void *arg, const char *text)
{
	(void)arg;
	__atomic_add_fetch(&shared->violations, 1, __ATOMIC_SEQ_CST);
	if (__atomic_add_fetch(&shared->shown, 1, __ATOMIC_SEQ_CST) <= SHOWN_MAX)
		dprintf(STDOUT_FILENO, "violation: --seed %" PRIu64 " --step %" PRIu64 " --number %" PRIu64 ": %s\n",
			seed, shared->at[me].step, shared->at[me].number, text);
	if (first_only)
		shared->stop = true;
}

/* --- steps ----------------------------------------------------------------------------------------------------------- */

static bool is_operation(const struct log_event *e)
{
	return e->type != LOG_MARK && e->type != LOG_RECEIPT;
}

static void make_steps(void)
{
	size_t i;

	steps = calloc(log_file.n * 2 + 1, sizeof steps[0]);
	if (steps == NULL)
		abort();
	for (i = 0; i < log_file.n; i++) {
		const struct log_event *e = &log_file.events[i];

		if (!is_operation(e))
			continue;
		if (n_steps > 0)
			steps[n_steps - 1].moment.must = i;
		steps[n_steps++] = (struct step){.event = i, .moment = {.may = i, .must = i}};
		if (e->synced)
			steps[n_steps++] =
			    (struct step){.event = i, .second_half = true, .moment = {.may = i, .must = i}};
	}
	if (n_steps > 0)
		steps[n_steps - 1].moment.must = log_file.n;
}

static void do_step(struct disk *d, const struct step *s)
{
	const char *why;

	if (disk_do(d, &log_file.events[s->event], s->second_half, &why))
		return;
	fprintf(stderr, "event %zu: %.*s: %s\n", s->event, (int)log_file.events[s->event].name_len,
		log_file.events[s->event].name, why);
	exit(65);
}

/* --- images on the disk ---------------------------------------------------------------------------------------------- */

struct place {
	char dir[400];
	struct {
		char path[500];
		unsigned char *map;
		int fd;
	} files[DISK_FILES];
};

static void die(const char *what)
{
	perror(what);
	exit(74);
}

static void place_open(struct place *p, unsigned number)
{
	memset(p, 0, sizeof *p);
	snprintf(p->dir, sizeof p->dir, "%s/outbox-%u", work_dir, number);
	if (mkdir(p->dir, 0700) != 0 && errno != EEXIST)
		die(p->dir);
}

static void forget_file(struct place *p, size_t i)
{
	if (p->files[i].map == NULL)
		return;
	munmap(p->files[i].map, MAP_BYTES);
	close(p->files[i].fd);
	unlink(p->files[i].path);
	p->files[i].map = NULL;
}

/* Writes only pages that differ: the file stays, with its memory. */
static void put_file(struct place *p, size_t i, const struct disk_image_file *f)
{
	size_t at;

	if (p->files[i].map == NULL) {
		snprintf(p->files[i].path, sizeof p->files[i].path, "%s/%s", p->dir, f->name);
		p->files[i].fd = open(p->files[i].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (p->files[i].fd < 0)
			die(p->files[i].path);
		p->files[i].map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->files[i].fd, 0);
		if (p->files[i].map == MAP_FAILED)
			die("mmap");
	}
	if (f->size > MAP_BYTES || ftruncate(p->files[i].fd, (off_t)f->size) != 0)
		die(p->files[i].path);
	for (at = 0; at < f->size; at += DISK_PAGE) {
		size_t n = f->size - at < DISK_PAGE ? f->size - at : DISK_PAGE;

		if (memcmp(p->files[i].map + at, f->data + at, n) != 0)
			memcpy(p->files[i].map + at, f->data + at, n);
	}
}

/* lock.mdb stays as the state before left it: what it holds after a power cut is anything. Now and then it is missing. */
static void put_image(struct place *p, const struct disk_image *image, uint64_t hash)
{
	char path[500];
	size_t i;

	for (i = 0; i < image->n_files; i++) {
		if (image->files[i].present)
			put_file(p, i, &image->files[i]);
		else
			forget_file(p, i);
	}
	for (i = 0; i < DISK_FILES; i++) { /* what the checks made themselves */
		static const char *const made[] = {"data.mdb", "doorbell", "senders"};
		size_t k;

		if (i >= sizeof made / sizeof made[0])
			break;
		for (k = 0; k < image->n_files; k++)
			if (image->files[k].present && strcmp(image->files[k].name, made[i]) == 0)
				break;
		snprintf(path, sizeof path, "%s/%s", p->dir, made[i]);
		if (k == image->n_files)
			unlink(path);
	}
	snprintf(path, sizeof path, "%s/lock.mdb", p->dir);
	if (hash % 4 == 0)
		unlink(path);
	if (!image->dir)
		rmdir(p->dir);
	else if (mkdir(p->dir, 0700) != 0 && errno != EEXIST)
		die(p->dir);
}

static uint64_t hash_image(const struct disk_image *image, size_t must)
{
	uint64_t all[DISK_FILES * 2 + 2] = {must, image->dir};
	size_t i;

	for (i = 0; i < image->n_files; i++) {
		all[2 + 2 * i] = image->files[i].present ? 1 + image->files[i].size : 0;
		all[3 + 2 * i] =
		    image->files[i].present ? rp_payload_hash(image->files[i].data, image->files[i].size) : 0;
	}
	return rp_payload_hash(all, sizeof all) | 1;
}

/* true: nobody has had this state before. */
static bool is_new(uint64_t hash)
{
	size_t at = hash % SEEN_SLOTS, i;

	for (i = 0; i < 64; i++) {
		uint64_t empty = 0, *slot = &shared->seen[(at + i) % SEEN_SLOTS];

		if (__atomic_compare_exchange_n(slot, &empty, hash, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
		if (empty == hash)
			return false;
	}
	return false;
}

/* --- workers --------------------------------------------------------------------------------------------------------- */

static struct check new_check(const struct place *p)
{
	return (struct check){.expect = &expect,
			      .dir = p->dir,
			      .now_at_ms = rp_sys_wall_ms(&rp_sys_real) + DAY_MS,
			      .boot_ms = rp_sys_boot_ms(&rp_sys_real),
			      .digests = shared->digests,
			      .violation = violation};
}

/* What a process saw after each step, as after a kill -9: how many commits there were, and what the outbox held. */
static void survey(unsigned worker)
{
	struct disk d = {0};
	struct disk_image image = {0};
	struct place p;
	struct check c;
	size_t i;

	place_open(&p, worker);
	c = new_check(&p);
	for (i = 0; i < n_steps; i++) {
		uint64_t commits, digest, *known;

		do_step(&d, &steps[i]);
		shared->at[worker].step = i;
		disk_cut(&d, cut_choose(seed, 1), &image);
		put_image(&p, &image, 1);
		if (!check_digest(&c, &commits, &digest) || commits >= CHECK_COMMITS_MAX)
			continue;
		steps[i].moment.commits = commits;
		known = &shared->digests[commits];
		if (*known != 0 && *known != digest)
			violation(NULL, "the outbox changed without a commit");
		*known = digest;
	}
}

static void check_state(struct check *c, struct place *p, const struct disk *d, size_t step, unsigned number,
			struct disk_image *image, bool always)
{
	uint64_t hash;

	shared->at[me].step = step;
	shared->at[me].number = number;
	disk_cut(d, cut_choose(seed * 1000003 + step, number), image);
	__atomic_add_fetch(&shared->tried, 1, __ATOMIC_SEQ_CST);
	hash = hash_image(image, steps[step].moment.must);
	if (!is_new(hash) && !always)
		return;
	put_image(p, image, hash);
	alarm(STATE_DEADLINE_S);
	check_image(c, &steps[step].moment);
	alarm(0);
	__atomic_add_fetch(&shared->states, 1, __ATOMIC_SEQ_CST);
}

/* Every `workers`-th step from `from` on, the numbers of one round. */
static void work(unsigned worker, unsigned workers, size_t from, unsigned round, unsigned states)
{
	struct disk d = {0};
	struct disk_image image = {0};
	struct place p;
	struct check c;
	size_t i;
	unsigned j;

	me = worker;
	place_open(&p, worker);
	c = new_check(&p);
	for (i = 0; i < n_steps && !shared->stop; i++) {
		do_step(&d, &steps[i]);
		if (i < from || i % workers != worker)
			continue;
		for (j = 0; j < states && !shared->stop; j++)
			check_state(&c, &p, &d, i, round * states + j, &image, false);
	}
}

static pid_t fork_worker(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* A worker that dies has met a violation; another one goes on behind the step. */
static void run_round(unsigned workers, unsigned round, unsigned states)
{
	pid_t pids[WORKERS_MAX];
	unsigned w, running = workers;

	for (w = 0; w < workers; w++) {
		pids[w] = fork_worker();
		if (pids[w] == 0) {
			work(w, workers, 0, round, states);
			exit(0);
		}
	}
	while (running > 0) {
		int status;
		pid_t pid = wait(&status);

		for (w = 0; w < workers && pids[w] != pid; w++)
			;
		if (w == workers)
			continue;
		running--;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		if (WIFEXITED(status)) {
			shared->stop = true; /* it told why */
			shared->violations++;
			continue;
		}
		me = w;
		violation(NULL, WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
		if (++shared->crashes > 20)
			continue;
		pids[w] = fork_worker();
		if (pids[w] == 0) {
			work(w, workers, shared->at[w].step + 1, round, states);
			exit(0);
		}
		running++;
	}
}

static void run_all(unsigned workers, uint64_t target)
{
	unsigned round, dry = 0, states = (unsigned)(target / (n_steps * 2 + 1));
	uint64_t before;

	if (states < ROUND_STATES_MIN)
		states = ROUND_STATES_MIN;

	for (round = 0; shared->states < target && !shared->stop && dry < DRY_ROUNDS_MAX; round++) {
		before = shared->states;
		run_round(workers, round, states);
		dry = shared->states - before < n_steps / 50 ? dry + 1 : 0;
	}
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

/* What the recording adds up to is what is there: so nothing was written past the recorder. */
static void compare_with_real(const char *dir)
{
	struct disk d = {0};
	size_t i;

	for (i = 0; i < n_steps; i++)
		do_step(&d, &steps[i]);
	for (i = 0; i < d.n_files; i++) {
		char path[500];
		FILE *f;
		unsigned char *data = malloc(d.files[i].cache_size + 2);
		size_t n = 0;

		snprintf(path, sizeof path, "%s/%s", dir, d.files[i].name);
		f = fopen(path, "rb");
		if (f != NULL) {
			n = fread(data, 1, d.files[i].cache_size + 1, f);
			fclose(f);
		}
		if (f == NULL || n != d.files[i].cache_size || memcmp(data, d.files[i].cache, n) != 0) {
			printf("%s is not what the log adds up to\n", path);
			exit(65);
		}
		free(data);
	}
	disk_free(&d);
}

static void one_state(size_t step, unsigned number)
{
	struct disk d = {0};
	struct disk_image image = {0};
	struct place p;
	struct check c;
	size_t i;

	place_open(&p, 0);
	c = new_check(&p);
	for (i = 0; i <= step && i < n_steps; i++)
		do_step(&d, &steps[i]);
	printf("step %zu of %zu, event %zu of type %d, may %zu, must %zu, commits %" PRIu64 ", image in %s\n", step,
	       n_steps, steps[step].event, (int)log_file.events[steps[step].event].type, steps[step].moment.may,
	       steps[step].moment.must, steps[step].moment.commits, p.dir);
	check_state(&c, &p, &d, step, number, &image, true);
}

static void survey_in_child(void)
{
	int status;
	pid_t pid = fork_worker();

	if (pid == 0) {
		survey(0);
		exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		printf("the survey ended with status %x at step %" PRIu64 "\n", status, shared->at[0].step);
		exit(65);
	}
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"log", 1, NULL, 'l'},     {"dir", 1, NULL, 'd'},  {"real", 1, NULL, 'r'},  {"states", 1, NULL, 'n'},
	    {"workers", 1, NULL, 'w'}, {"seed", 1, NULL, 's'}, {"first", 0, NULL, 'f'}, {"step", 1, NULL, 'S'},
	    {"number", 1, NULL, 'J'},  {NULL, 0, NULL, 0}};
	const char *path = NULL, *real = NULL;
	uint64_t target = 50000, step = UINT64_MAX, which = 0;
	unsigned workers = 2;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			path = optarg;
			break;
		case 'd':
			work_dir = optarg;
			break;
		case 'r':
			real = optarg;
			break;
		case 'n':
			target = number(optarg);
			break;
		case 'w':
			workers = (unsigned)number(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 'f':
			first_only = true;
			break;
		case 'S':
			step = number(optarg);
			break;
		case 'J':
			which = number(optarg);
			break;
		default:
			return 64;
		}
	}
	if (path == NULL || work_dir == NULL || workers < 1 || workers > WORKERS_MAX)
		return 64;
	rp_log_setup("cut", RP_LOG_ERROR);
	log_file = log_load(path);
	expect = expect_load(&log_file);
	make_steps();
	/* The survey fills in the steps from a process of its own. */
	struct step *own = steps;
	steps = mmap(NULL, (n_steps + 1) * sizeof steps[0], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED || shared == MAP_FAILED)
		die("mmap");
	memcpy(steps, own, n_steps * sizeof steps[0]);
	free(own);
	if (real != NULL)
		compare_with_real(real);
	survey_in_child();
	if (step < n_steps)
		one_state(step, (unsigned)which);
	else
		run_all(workers, target);
	printf("cut {\"states\": %" PRIu64 ", \"tried\": %" PRIu64 ", \"violations\": %" PRIu64
	       ", \"steps\": %zu, \"runs\": %zu}\n",
	       shared->states, shared->tried, shared->violations, n_steps, expect.n);
	return shared->violations > 0 ? 1 : 0;
}
