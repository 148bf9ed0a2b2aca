/* usage: sim [--seed N] [--seeds N] [--seconds S] [--hours H] [--root DIR] [--trace]
 *
 * Runs seeds from N on, each in a process of its own, until there were so many or so much time has
 * passed. --trace prints what happens. The last line: `sim: seeds=.. hours=.. steps=.. ...
 * violations=..`. */
#include "sim.h"

#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct sim sim;

/* What a run leaves behind, in memory that its parent shares. */
struct report {
	struct sim_counts counts;
	uint64_t trace;
	double hours;
	bool whole;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_seed(uint64_t seed, double hours, const char *root, struct report *report)
{
	pid_t child;
	int status;

	memset(report, 0, sizeof *report);
	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (child == 0) {
		sim_run(seed, hours, root);
		*report = (struct report){sim.counts, sim.trace,
					  (double)sim.boot_ms / (double)HOUR_MS, true};
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		continue;
	if (WIFSIGNALED(status))
		printf("seed %llu: ended by signal %d\n", (unsigned long long)seed,
		       WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && report->whole;
}

static void add(struct sim_counts *sum, const struct sim_counts *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;
	size_t i;

	for (i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", 1, NULL, 's'},    {"seeds", 1, NULL, 'n'},
						{"seconds", 1, NULL, 't'}, {"hours", 1, NULL, 'h'},
						{"root", 1, NULL, 'r'},    {"trace", 0, NULL, 'v'},
						{NULL, 0, NULL, 0}};
	uint64_t seed = 1, n_seeds = 1, i, violations = 0, traces = 0;
	double hours = 3, until = 0, simulated = 0;
	const char *root = "/dev/shm";
	struct sim_counts sum = {0};
	struct report *report;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			n_seeds = strtoull(optarg, NULL, 10);
		else if (c == 't')
			until = seconds() + strtod(optarg, NULL), n_seeds = UINT64_MAX;
		else if (c == 'h')
			hours = strtod(optarg, NULL);
		else if (c == 'r')
			root = optarg;
		else if (c == 'v')
			sim.verbose = true;
		else
			return 64;
	}
	if (access(root, W_OK) != 0)
		root = "/tmp";
	report =
	    mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (i = 0; i < n_seeds && (until == 0 || seconds() < until); i++) {
		if (!run_seed(seed + i, hours, root, report)) {
			violations++;
			printf(
			    "seed %llu: FAILED (again with: sim --seed %llu --hours %g --trace)\n",
			    (unsigned long long)(seed + i), (unsigned long long)(seed + i), hours);
			continue;
		}
		add(&sum, &report->counts);
		simulated += report->hours;
		traces = traces * 1099511628211u + report->trace;
	}
	printf("sim: seeds=%llu hours=%.0f steps=%llu entries=%llu attempts=%llu delivered=%llu "
	       "duplicates=%llu "
	       "crashes=%llu stands=%llu clock_steps=%llu reloads=%llu operator=%llu verifies=%llu "
	       "paths_opened=%llu hosts_opened=%llu ahead=%llu passed_on=%llu handed=%llu "
	       "handed_back=%llu trace=%016llx "
	       "violations=%llu\n",
	       (unsigned long long)i, simulated, (unsigned long long)sum.steps,
	       (unsigned long long)sum.entries, (unsigned long long)sum.attempts,
	       (unsigned long long)sum.delivered, (unsigned long long)sum.duplicates,
	       (unsigned long long)sum.crashes, (unsigned long long)sum.stands,
	       (unsigned long long)sum.clock_steps, (unsigned long long)sum.reloads,
	       (unsigned long long)sum.operator_deeds, (unsigned long long)sum.verifies,
	       (unsigned long long)sum.paths_opened, (unsigned long long)sum.hosts_opened,
	       (unsigned long long)sum.ahead, (unsigned long long)sum.passed_on,
	       (unsigned long long)sum.handed, (unsigned long long)sum.handed_back,
	       (unsigned long long)traces, (unsigned long long)violations);
	return violations > 0 ? 1 : 0;
}
