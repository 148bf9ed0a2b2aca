/* Runs every file of a target's corpus through the target, without a fuzzer. The name of each is
 * printed before it is run, so that the last line names the one that broke it.
 *
 * usage: fuzz_NAME [FILE_OR_FOLDER...]   (default: tests/fuzz/corpus/NAME) */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned n_run;

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	char *bytes;

	if (file == NULL || fstat(fileno(file), &st) != 0) {
		perror(path);
		return false;
	}
	bytes = malloc((size_t)st.st_size + 1);
	MUST(bytes != NULL && fread(bytes, 1, (size_t)st.st_size, file) == (size_t)st.st_size,
	     "%s: cannot read", path);
	fclose(file);
	/* once more in a block of its own size: `bytes` had one to spare */
	char *exact = fuzz_copy((struct rp_span){bytes, (size_t)st.st_size});
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput((const uint8_t *)exact, (size_t)st.st_size);
	free(exact);
	free(bytes);
	n_run++;
	return true;
}

static bool run_path(const char *path)
{
	struct dirent **names;
	char inner[4096];
	int n = scandir(path, &names, NULL, by_name), i;
	bool ok = true;

	if (n < 0)
		return run_file(path);
	for (i = 0; i < n; i++) {
		snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			ok = run_file(inner) && ok;
		free(names[i]);
	}
	free(names);
	return ok;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	char folder[4096];
	bool ok = true;
	int i;

	base = base != NULL ? base + 1 : argv[0];
	snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s",
		 base + (strncmp(base, "fuzz_", 5) == 0 ? 5 : 0));
	if (argc < 2)
		ok = run_path(folder);
	for (i = 1; i < argc; i++)
		ok = run_path(argv[i]) && ok;
	/* in the words of the unit tests' library, which tests/run.py counts */
	printf("%s: Checks: %u, Failures: %d, Errors: 0\n", base, n_run, ok && n_run > 0 ? 0 : 1);
	return ok && n_run > 0 ? 0 : 1;
}
