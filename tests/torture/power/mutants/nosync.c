/* Mutant: commits are not synced at all. */
#include <lmdb.h>

int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);

int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	return __real_mdb_env_open(env, path, flags | MDB_NOSYNC, mode);
}
