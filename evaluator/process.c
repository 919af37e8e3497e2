#define _GNU_SOURCE
#include "evaluator/process.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool process_exists(const char *program)
{
    const char *path = getenv("PATH");
    char *copy = xstrdup(path ? path : "/usr/bin:/bin"), *rest = copy;
    bool found = false;
    for (char *dir; !found && (dir = strsep(&rest, ":"));) {
        char *file = xasprintf("%s/%s", dir, program);
        found = access(file, X_OK) == 0;
        free(file);
    }
    free(copy);
    return found;
}

/* In the child. A make that we are started from must not steer the makes we start. */
static void become(const Process *p, int to)
{
    int nothing = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    dup2(nothing, STDIN_FILENO);
    dup2(to, STDOUT_FILENO);
    dup2(to, STDERR_FILENO);
    unsetenv("MAKEFLAGS");
    unsetenv("MFLAGS");
    unsetenv("MAKELEVEL");
    if (!p->dir || chdir(p->dir) == 0)
        execvp(p->argv[0], (char *const *)p->argv);
    _exit(127);
}

/* Reads until the other end closes; false when the time is over first. */
static bool hear(int from, double until, char **output)
{
    size_t size = 0, room = 4096;
    *output = xmalloc(room);
    for (;;) {
        struct pollfd fd = {.fd = from, .events = POLLIN};
        double left = until > 0 ? until - clock_seconds() : 1;
        (*output)[size] = 0;
        if (left <= 0)
            return false;
        if (poll(&fd, 1, left > 1 ? 1000 : (int)(left * 1000) + 1) <= 0)
            continue;
        ssize_t n = read(from, *output + size, room - size - 1);
        if (n == 0 || (n < 0 && errno != EINTR))
            return true;
        size += n > 0 ? (size_t)n : 0;
        if (room - size < 2048)
            *output = xrealloc(*output, room *= 2);
    }
}

static int wait_for(const Process *p, pid_t child, bool in_time)
{
    int status;
    if (!in_time)
        kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!in_time)
        return errorf("%s was stopped after %d s", p->argv[0], p->timeout_s);
    if (WIFSIGNALED(status))
        return errorf("%s ended by signal %d", p->argv[0], WTERMSIG(status));
    if (WEXITSTATUS(status) == 127)
        return errorf("%s could not be started", p->argv[0]);
    return WEXITSTATUS(status);
}

int process_run(const Process *p, char **output)
{
    int ends[2];
    *output = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errorf("no pipe for %s: %s", p->argv[0], strerror(errno));
    pid_t child = fork();
    if (child == 0)
        become(p, ends[1]);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return errorf("cannot start %s: %s", p->argv[0], strerror(errno));
    }
    setpgid(child, child); /* here too: whoever comes first */
    bool in_time = hear(ends[0], p->timeout_s ? clock_seconds() + p->timeout_s : 0, output);
    close(ends[0]);
    return wait_for(p, child, in_time);
}
