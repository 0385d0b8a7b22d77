#if defined(__linux__)

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/os_common_linux.hpp"
#include "coffer/base/os.hpp"
#include "coffer/base/process.hpp"

namespace coffer::os {
namespace {

constexpr size_t kLastWords = 200;

struct Pipe {
    Descriptor read, write;
};

// Both ends above the standard descriptors, which may be closed in this process: dup2 below would hit them.
bool make_pipe(Pipe& pipe) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    const Descriptor low_read(ends[0]), low_write(ends[1]);
    pipe.read = Descriptor(::fcntl(ends[0], F_DUPFD_CLOEXEC, 3));
    pipe.write = Descriptor(::fcntl(ends[1], F_DUPFD_CLOEXEC, 3));
    return pipe.read.get() >= 0 && pipe.write.get() >= 0;
}

bool dont_block(const Descriptor& fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    return flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) == 0;
}

// Keeps a write to a pipe without a reader from killing the process: SIGPIPE stays blocked in this thread, and the
// one that we caused is taken away before the mask is restored.
class NoPipeSignal {
 public:
    NoPipeSignal() {
        sigset_t pending;
        ::sigemptyset(&set_);
        ::sigaddset(&set_, SIGPIPE);
        was_pending_ = ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &set_, &old_);
    }
    NoPipeSignal(const NoPipeSignal&) = delete;
    ~NoPipeSignal() {
        const timespec now{};
        if (!was_pending_) {
            while (::sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
            }
        }
        ::pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    }

 private:
    sigset_t set_, old_;
    bool was_pending_;
};

struct Attributes {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    Attributes() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    Attributes(const Attributes&) = delete;
    ~Attributes() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
};

// Everything but the standard descriptors: the application's own files are nothing to a helper.
int close_others(posix_spawn_file_actions_t* actions) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    return ::posix_spawn_file_actions_addclosefrom_np(actions, 3);
#else
    const long most = std::min(::sysconf(_SC_OPEN_MAX), 4096L);
    for (int fd = 3; fd < most; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0) continue;
        if (const int failed = ::posix_spawn_file_actions_addclose(actions, fd)) return failed;
    }
    return 0;
#endif
}

int spawn(const Program& program, const Pipe& in, const Pipe& out, const Pipe& err, pid_t* child) {
    Attributes a;
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setflags(&a.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&a.attributes, 0);
    ::posix_spawnattr_setsigmask(&a.attributes, &none);
    ::posix_spawnattr_setsigdefault(&a.attributes, &all);
    int failed = ::posix_spawn_file_actions_adddup2(&a.actions, in.read.get(), STDIN_FILENO);
    if (!failed) failed = ::posix_spawn_file_actions_adddup2(&a.actions, out.write.get(), STDOUT_FILENO);
    if (!failed) failed = ::posix_spawn_file_actions_adddup2(&a.actions, err.write.get(), STDERR_FILENO);
    if (!failed) failed = close_others(&a.actions);
    if (failed) return failed;
    std::vector<char*> argv;
    for (const std::string& argument : program.argv) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    char locale[] = "LC_ALL=C";
    char* environment[] = {locale, nullptr};
    return ::posix_spawn(child, argv[0], &a.actions, &a.attributes, argv.data(), environment);
}

// What the program wrote to stderr last, as something one may show.
std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    const size_t newline = text.rfind('\n');
    if (newline != text.npos) text.remove_prefix(newline + 1);
    std::string line(text.substr(0, kLastWords));
    for (char& c : line) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return line;
}

// One run of a program. The destructor leaves neither a process nor a zombie.
class Run {
 public:
    Run(const Program& program, Bytes input, MutableBytes output)
        : program_(program),
          input_(input),
          output_(output),
          deadline_(monotonic_ns() + program.timeout_ms * 1'000'000ull) {}
    Run(const Run&) = delete;
    ~Run() {
        if (child_ <= 0) return;
        if (!exited_) ::kill(-child_, SIGKILL);
        while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    Result<Ran> run() {
        if (!make_pipe(in_) || !make_pipe(out_) || !make_pipe(err_) || !dont_block(in_.write) ||
            !dont_block(out_.read) || !dont_block(err_.read)) {
            return failure(errno);
        }
        if (const int failed = spawn(program_, in_, out_, err_, &child_)) {
            child_ = 0;
            return failure(failed);
        }
        for (Descriptor* theirs : {&in_.read, &out_.write, &err_.write}) theirs->close();
#if defined(SYS_pidfd_open)
        pidfd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child_, 0)));
#endif
        while (!exited_) COFFER_TRY(step());
        // What it left in the pipes; a child of its own that holds them open is not waited for.
        COFFER_TRY(drain());
        return finish();
    }

 private:
    Error failure(int code) const {
        return error(Code::kIo, Detail::kIo, "cannot run '", program_.argv[0],
                     "': ", std::system_category().message(code));
    }

    Status step() {
        const uint64_t now = monotonic_ns();
        if (now >= deadline_) {
            return error(Code::kIo, Detail::kIo, "'", program_.argv[0], "' did not finish within ",
                         program_.timeout_ms, " ms");
        }
        const uint64_t left = (deadline_ - now) / 1'000'000 + 1;
        // Without a descriptor for the process its end is looked for from time to time.
        const int wait = static_cast<int>(std::min<uint64_t>(left, pidfd_.get() >= 0 ? 60'000 : 10));
        // poll() passes over descriptors that are -1.
        pollfd fds[] = {{in_.write.get(), POLLOUT, 0},
                        {out_.read.get(), POLLIN, 0},
                        {err_.read.get(), POLLIN, 0},
                        {pidfd_.get(), POLLIN, 0}};
        if (::poll(fds, std::size(fds), wait) < 0 && errno != EINTR) return failure(errno);
        feed();
        COFFER_TRY(drain());
        siginfo_t info{};
        if (::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR) {
            return failure(errno);  // the application reaps all children itself
        }
        exited_ = info.si_pid == child_;
        return {};
    }

    void feed() {
        while (in_.write.get() >= 0) {
            if (input_.empty()) return in_.write.close();
            const ssize_t n = ::write(in_.write.get(), input_.data(), input_.size());
            if (n >= 0) {
                input_ = input_.subspan(static_cast<size_t>(n));
            } else if (errno == EAGAIN) {
                return;
            } else if (errno != EINTR) {
                return in_.write.close();  // it does not want to know
            }
        }
    }

    // The number of bytes that came; 0 at the end, nothing for now, or when there will be no more.
    static size_t read_some(Descriptor& fd, MutableBytes dst) {
        if (fd.get() < 0) return 0;
        ssize_t n;
        do n = ::read(fd.get(), dst.data(), dst.size());
        while (n < 0 && errno == EINTR);
        if (n > 0) return static_cast<size_t>(n);
        if (n == 0 || errno != EAGAIN) fd.close();
        return 0;
    }

    Status drain() {
        std::byte more;
        for (;;) {
            const MutableBytes room = output_.subspan(output_size_);
            const size_t n = read_some(out_.read, room.empty() ? MutableBytes(&more, 1) : room);
            if (n == 0) break;
            if (room.empty()) {
                wipe(&more, 1);
                return error(Code::kIo, Detail::kIo, "'", program_.argv[0], "' wrote more than ", output_.size(),
                             " bytes");
            }
            output_size_ += n;
        }
        // A flood of messages must not keep us here beyond the deadline.
        std::array<char, 1024> text;
        for (int rounds = 0; rounds < 64; ++rounds) {
            const size_t n = read_some(err_.read, std::as_writable_bytes(std::span(text)));
            if (n == 0) break;
            words_.append(text.data(), n);
            if (words_.size() > 4096) words_.erase(0, words_.size() - 2048);
        }
        return {};
    }

    Result<Ran> finish() {
        int status = 0;
        pid_t reaped;
        do reaped = ::waitpid(child_, &status, 0);
        while (reaped < 0 && errno == EINTR);
        if (reaped != child_) return failure(errno);
        child_ = 0;
        return Ran{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), output_size_, last_line(words_)};
    }

    const Program& program_;
    Bytes input_;
    MutableBytes output_;
    size_t output_size_ = 0;
    std::string words_;
    uint64_t deadline_;
    Pipe in_, out_, err_;
    Descriptor pidfd_;
    pid_t child_ = 0;
    bool exited_ = false;
};

}  // namespace

Result<Ran> run_program(const Program& program, Bytes input, MutableBytes output) {
    if (program.argv.empty() || !program.argv[0].starts_with('/')) {
        return error(Code::kInvalidArgument, "a program to run is named by its absolute path");
    }
    for (const std::string& argument : program.argv) {
        if (argument.find('\0') != argument.npos) return error(Code::kInvalidArgument, "an argument with a NUL");
    }
    const NoPipeSignal no_signal;
    return Run(program, input, output).run();
}

}  // namespace coffer::os

#endif  // __linux__
