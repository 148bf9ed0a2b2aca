/* cut_main.c - cuts the power at every moment of a recording, in many ways, and checks what is
 * left each time.
 *
 * usage: cut --log FILE --dir DIR [--real OUTBOX] [--states N] [--workers N] [--seed N]
 *        cut --log FILE --dir DIR --seed N --step S --number J            one state again
 *        cut --log FILE --dir DIR --seed N --step S --number J --leave    only makes its image
 *
 * At each step (steps.h) states are drawn, number 0, 1, 2, ... (disk.h); a state is an image and
 * what had been seen outside by then. One that was checked before is not counted again. Rounds
 * over all steps go on until so many different states have been checked, or hardly any new ones
 * are found. --real: the outbox as the recording left it.
 *
 * Workers are processes, so that a crash of the store is a violation of the state at hand and no
 * more. DIR should be in memory. The last line is `cut {...}`. Exit 0: no violation; 1: some; 65:
 * the log is unusable. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "place.h"
#include "steps.h"

#define WORKERS_MAX 64
#define ROUND_STATES_MIN 2 /* of a step, in one round: all dropped, all kept, ... */
#define DRY_ROUNDS_MAX 3   /* rounds that found hardly anything new */
#define STATE_DEADLINE_S 20
#define SHOWN_MAX 30
#define CRASHES_MAX 20
#define SEEN_SLOTS (1u << 22)
#define DAY_MS INT64_C(86400000)

struct options {
	const char *log, *dir, *real;
	uint64_t states, step, number, seed;
	unsigned workers;
	bool leave;
};

/* What the workers share. */
struct shared {
	uint64_t states, tried, violations, shown, crashes;
	bool stop;
	struct {
		uint64_t step, number;
	} at[WORKERS_MAX]; /* the state at hand of each */
	uint64_t digests[CHECK_COMMITS_MAX];
	uint64_t seen[SEEN_SLOTS];
};

static struct options o = {.states = 50000, .step = UINT64_MAX, .seed = 1, .workers = 2};
static struct expect expect;
static struct steps steps;
static struct shared *shared;

/* --- a worker ----------------------------------------------------------------------------- */

struct worker {
	unsigned me;
	struct disk disk;
	struct disk_image image;
	struct place place;
	struct check check;
};

static void violation(void *arg, const char *text)
{
	const unsigned *me = arg;

	__atomic_add_fetch(&shared->violations, 1, __ATOMIC_SEQ_CST);
	if (__atomic_add_fetch(&shared->shown, 1, __ATOMIC_SEQ_CST) <= SHOWN_MAX)
		dprintf(STDOUT_FILENO,
			"violation: --seed %" PRIu64 " --step %" PRIu64 " --number %" PRIu64
			": %s\n",
			o.seed, shared->at[*me].step, shared->at[*me].number, text);
}

static struct worker *worker_new(unsigned me)
{
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	w->me = me;
	place_open(&w->place, o.dir, me);
	w->check = (struct check){.expect = &expect,
				  .dir = w->place.dir,
				  .now_at_ms = rp_sys_wall_ms(&rp_sys_real) + DAY_MS,
				  .boot_ms = rp_sys_boot_ms(&rp_sys_real),
				  .digests = shared->digests,
				  .violation = violation,
				  .arg = &w->me};
	return w;
}

/* true: nobody has had this state before. */
static bool is_new(uint64_t hash)
{
	size_t i;

	for (i = 0; i < 64; i++) {
		uint64_t empty = 0, *slot = &shared->seen[(hash + i) % SEEN_SLOTS];

		if (__atomic_compare_exchange_n(slot, &empty, hash, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
		if (empty == hash)
			return false;
	}
	return false;
}

static void check_state(struct worker *w, size_t step, unsigned number)
{
	const struct moment *moment = &steps.all[step].moment;
	uint64_t hash;

	shared->at[w->me].step = step;
	shared->at[w->me].number = number;
	disk_cut(&w->disk, cut_choose(o.seed * 1000003 + step, number), &w->image);
	__atomic_add_fetch(&shared->tried, 1, __ATOMIC_SEQ_CST);
	hash = disk_image_hash(&w->image);
	if (!is_new((hash ^ (moment->must * UINT64_C(0x9e3779b97f4a7c15))) | 1))
		return;
	place_put(&w->place, &w->image, hash % 4 != 0);
	alarm(STATE_DEADLINE_S);
	check_image(&w->check, moment);
	alarm(0);
	__atomic_add_fetch(&shared->states, 1, __ATOMIC_SEQ_CST);
}

/* The states of one round at every `workers`-th step from `from` on. */
static void work(unsigned me, size_t from, unsigned round, unsigned states)
{
	struct worker *w = worker_new(me);
	size_t i;
	unsigned j;

	for (i = 0; i < steps.n && !shared->stop; i++) {
		step_do(&steps.all[i], &w->disk);
		if (i < from || i < steps.first || i % o.workers != me)
			continue;
		for (j = 0; j < states; j++)
			check_state(w, i, round * states + j);
	}
	exit(0);
}

/* What a process saw after each step, as after a kill -9: how many commits there were, and what
 * the outbox held. */
static void survey(void)
{
	struct worker *w = worker_new(0);
	size_t i;

	for (i = 0; i < steps.n; i++) {
		uint64_t commits, digest, *known;

		step_do(&steps.all[i], &w->disk);
		shared->at[0].step = i;
		if (i < steps.first)
			continue;
		disk_cut(&w->disk, cut_choose(o.seed, 1), &w->image);
		place_put(&w->place, &w->image, true);
		if (!check_digest(&w->check, &commits, &digest) || commits >= CHECK_COMMITS_MAX)
			continue;
		steps.all[i].moment.commits = commits;
		known = &shared->digests[commits];
		if (*known != 0 && *known != digest)
			violation(&w->me, "the outbox changed without a commit");
		*known = digest;
	}
	exit(0);
}

static void one_state(void)
{
	struct worker *w = worker_new(0);
	size_t i;

	for (i = 0; i <= o.step; i++)
		step_do(&steps.all[i], &w->disk);
	if (o.leave) {
		disk_cut(&w->disk, cut_choose(o.seed * 1000003 + o.step, (unsigned)o.number),
			 &w->image);
		place_put(&w->place, &w->image, false);
	} else {
		check_state(w, o.step, (unsigned)o.number);
	}
	printf("may %zu, must %zu, commits %" PRIu64 ", image in %s\n",
	       steps.all[o.step].moment.may, steps.all[o.step].moment.must,
	       steps.all[o.step].moment.commits, w->place.dir);
}

/* --- all of them -------------------------------------------------------------------------- */

/* 0 in the child. */
static pid_t fork_worker(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t start_worker(unsigned me, size_t from, unsigned round, unsigned states)
{
	pid_t pid = fork_worker();

	if (pid == 0)
		work(me, from, round, states);
	return pid;
}

static void run_survey(void)
{
	int status;
	pid_t pid = fork_worker();

	if (pid == 0)
		survey();
	if (waitpid(pid, &status, 0) == pid && status == 0)
		return;
	printf("the survey ended with status 0x%x at step %" PRIu64 "\n", (unsigned)status,
	       shared->at[0].step);
	exit(65);
}

/* A worker that is killed by a signal has met a violation; another one goes on behind the step.
 * true: it does. */
static bool replace(unsigned me, int status, pid_t *pid, unsigned round, unsigned states)
{
	if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) == 0)
			return false;
		printf("a worker ended with %d\n", WEXITSTATUS(status)); /* and told why */
		exit(65);
	}
	violation(&me, WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
	if (++shared->crashes > CRASHES_MAX)
		return false;
	*pid = start_worker(me, shared->at[me].step + 1, round, states);
	return true;
}

static void run_round(unsigned round, unsigned states)
{
	pid_t pids[WORKERS_MAX], pid;
	unsigned i, running = o.workers;
	int status;

	for (i = 0; i < o.workers; i++)
		pids[i] = start_worker(i, 0, round, states);
	while (running > 0) {
		pid = wait(&status);
		for (i = 0; i < o.workers && pids[i] != pid; i++)
			;
		if (i < o.workers && !replace(i, status, &pids[i], round, states))
			running--;
	}
}

static void run_all(void)
{
	unsigned round, dry = 0, states = (unsigned)(o.states / (steps.n * 2 + 1));
	uint64_t before;

	if (states < ROUND_STATES_MIN)
		states = ROUND_STATES_MIN;
	for (round = 0;
	     shared->states < o.states && shared->crashes <= CRASHES_MAX && dry < DRY_ROUNDS_MAX;
	     round++) {
		before = shared->states;
		run_round(round, states);
		dry = shared->states - before < steps.n / 50 ? dry + 1 : 0;
	}
}

/* The files that purges wrote before they removed anything. */
static void find_backups(void)
{
	static struct disk end; /* the expectations point into it */
	size_t i;

	steps_end(&steps, &end);
	for (i = 0; i < end.n_files; i++)
		if (strstr(end.files[i].name, ".ndjson") != NULL)
			expect_add_backup(&expect, end.files[i].name, end.files[i].cache,
					  end.files[i].cache_size);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static bool parse(int argc, char **argv)
{
	static const struct option names[] = {{"log", 1, NULL, 'l'},     {"dir", 1, NULL, 'd'},
					      {"real", 1, NULL, 'r'},    {"states", 1, NULL, 'n'},
					      {"workers", 1, NULL, 'w'}, {"seed", 1, NULL, 's'},
					      {"step", 1, NULL, 'S'},    {"number", 1, NULL, 'J'},
					      {"leave", 0, NULL, 'L'},   {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'l')
			o.log = optarg;
		else if (c == 'd')
			o.dir = optarg;
		else if (c == 'r')
			o.real = optarg;
		else if (c == 'n')
			o.states = number(optarg);
		else if (c == 'w')
			o.workers = (unsigned)number(optarg);
		else if (c == 's')
			o.seed = number(optarg);
		else if (c == 'S')
			o.step = number(optarg);
		else if (c == 'J')
			o.number = number(optarg);
		else if (c == 'L')
			o.leave = true;
		else
			return false;
	}
	return o.log != NULL && o.dir != NULL && o.workers >= 1 && o.workers <= WORKERS_MAX;
}

int main(int argc, char **argv)
{
	struct log_file log;

	if (!parse(argc, argv))
		return 64;
	rp_log_setup("cut", RP_LOG_ERROR);
	log = log_load(o.log);
	expect = expect_load(&log);
	steps = steps_make(&log, &expect);
	shared =
	    mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	if (o.real != NULL)
		steps_compare(&steps, o.real);
	find_backups();
	run_survey();
	if (o.step < steps.n)
		one_state();
	else
		run_all();
	printf("cut {\"states\": %" PRIu64 ", \"tried\": %" PRIu64 ", \"violations\": %" PRIu64
	       ", \"steps\": %zu, \"runs\": %zu}\n",
	       shared->states, shared->tried, shared->violations, steps.n - steps.first, expect.n);
	return shared->violations > 0 ? 1 : 0;
}
