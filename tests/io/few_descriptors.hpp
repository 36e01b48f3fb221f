// Running out of descriptors, for a while. Not for a build with sanitizers: they need some of their
// own for what they check.
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
