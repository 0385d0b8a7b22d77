/* Runs a program and says how much memory it had at most:
 *   peak_memory MAX_BYTES PROGRAM ARGUMENTS...
 * Fails when the program does, or when it was more. A small program of its own, because a child's peak counts the
 * memory of the process it was forked from. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const long long most = atoll(argv[1]);
    const pid_t child = fork();
    if (child == 0) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) return 2;
    const long long peak = (long long)usage.ru_maxrss * 1024;
    fprintf(stderr, "peak memory %lld bytes, allowed %lld\n", peak, most);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
    return peak <= most ? 0 : 1;
}
