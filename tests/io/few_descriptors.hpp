// How many descriptors a test may open: as many as it is allowed to, or, for a while, too few. The
// latter is not for a build with sanitizers: they need some of their own for what they check.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

namespace tcplock::io {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool may_run_out_of_descriptors = false;
#else
inline constexpr bool may_run_out_of_descriptors = true;
#endif

// As a limit it leaves none to be opened; one more leaves one.
inline rlim_t lowest_free_descriptor() {
    const int lowest = ::dup(STDIN_FILENO);
    ::close(lowest);
    return static_cast<rlim_t>(lowest);
}

// A login begins with 1024, and may have more.
inline void allow_many_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Lowers the limit of open descriptors for as long as it lives.
class FewDescriptors {
public:
    explicit FewDescriptors(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit lowered = before_;
        lowered.rlim_cur = count;
        ::setrlimit(RLIMIT_NOFILE, &lowered);
    }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

}  // namespace tcplock::io
