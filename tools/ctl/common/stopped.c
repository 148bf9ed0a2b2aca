/* stopped.c - looks in /proc for a stopped process that has the outbox open. It is apart because
 * it is the one thing that no file of the outbox tells. */

#include "ctl/common/stopped.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* /proc/PID/stat: "PID (NAME) STATE ...", and the name may hold anything. */
static bool is_stopped(pid_t pid)
{
	char path[64], text[512];
	const char *end;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end != NULL && (strncmp(end, ") T", 3) == 0 || strncmp(end, ") t", 3) == 0);
}

/* /proc/PID/maps, a mapping a line: "ADDRESSES PERMISSIONS OFFSET DEVICE INODE PATH". The device
 * is another there than stat's on some file systems; inode and name will do. */
static bool maps_file(pid_t pid, ino_t inode)
{
	static const char name[] = "/data.mdb\n";
	char path[64], *line = NULL;
	unsigned long long number;
	size_t cap = 0;
	ssize_t n;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && (n = getline(&line, &cap, f)) > 0)
		found = (size_t)n >= sizeof name &&
			strcmp(line + n - (sizeof name - 1), name) == 0 &&
			sscanf(line, "%*s %*s %*s %*s %llu", &number) == 1 && number == inode;
	free(line);
	fclose(f);
	return found;
}

/* /proc/PID/fd: what a descriptor means is what its link leads to. */
static bool has_open(pid_t pid, const struct stat *what)
{
	const struct dirent *entry;
	char path[64 + sizeof entry->d_name];
	struct stat st;
	bool found = false;
	DIR *fds;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	if (fds == NULL)
		return false;
	while (!found && (entry = readdir(fds)) != NULL) {
		snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, entry->d_name);
		found = entry->d_name[0] != '.' && stat(path, &st) == 0 &&
			st.st_dev == what->st_dev && st.st_ino == what->st_ino;
	}
	closedir(fds);
	return found;
}

pid_t rp_stopped_find(const char *dir)
{
	const struct dirent *entry;
	struct stat st, dir_st;
	char path[4096];
	pid_t pid, found = 0, opener = 0;
	DIR *proc;

	if ((size_t)snprintf(path, sizeof path, "%s/data.mdb", dir) >= sizeof path ||
	    stat(path, &st) != 0 || stat(dir, &dir_st) != 0)
		return 0;
	proc = opendir("/proc");
	if (proc == NULL)
		return 0;
	while ((entry = readdir(proc)) != NULL) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || !is_stopped(pid))
			continue;
		if ((found == 0 || pid < found) && maps_file(pid, st.st_ino))
			found = pid;
		else if ((opener == 0 || pid < opener) && has_open(pid, &dir_st))
			opener = pid;
	}
	closedir(proc);
	return found > 0 ? found : opener;
}
