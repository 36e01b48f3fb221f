#include "daemon/log.hpp"

#include "daemon/journal.hpp"
#include "io/descriptor.hpp"

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace tcplock::daemon {
namespace {

using std::chrono::steady_clock;

// About four seconds of the most that a backend may print (io/output.hpp). A line takes half a KiB in
// the rule; if nobody reads, and a backend prints nothing but the longest lines, of nothing but
// quotation marks, they are 32 MiB in all.
constexpr std::size_t ring_lines = 4096;
constexpr auto poll_interval = std::chrono::milliseconds{100};
// A pipe that poll() calls writable takes at least so much without blocking (pipe(7), PIPE_BUF).
constexpr std::size_t write_bytes_max = 4096;
// After a write the writer sleeps for so long, and writes together what came meanwhile: to wake it
// for each line would cost more than the line.
constexpr auto pause_between_writes = std::chrono::milliseconds{5};
constexpr std::size_t batch_bytes_max = 65536;

// Standard error, never to block on. poll() promises room for PIPE_BUF bytes of a pipe only; so a
// terminal or a pipe is opened a second time, non-blocking, which leaves others' use of it alone.
io::Descriptor open_standard_error() {
    struct stat about {};
    const bool may_block =
        ::fstat(STDERR_FILENO, &about) == 0 && (S_ISCHR(about.st_mode) || S_ISFIFO(about.st_mode));
    if (!may_block) {
        return io::Descriptor();
    }
    return io::Descriptor(
        ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_APPEND));
}

// Set by start_logging, before there is a second thread.
config::LogFormat the_format = config::LogFormat::text;

std::string render(const Entry& entry) {
    // The time comes first, and is put there by the pattern: the brace is part of that.
    return the_format == config::LogFormat::json ? as_json(entry).substr(1) : as_text(entry);
}

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::debug:
            return spdlog::level::debug;
        case config::LogLevel::info:
            return spdlog::level::info;
        case config::LogLevel::warn:
            return spdlog::level::warn;
        case config::LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

config::LogLevel from_spdlog(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace:
        case spdlog::level::debug:
            return config::LogLevel::debug;
        case spdlog::level::info:
            return config::LogLevel::info;
        case spdlog::level::warn:
            return config::LogLevel::warn;
        default:
            return config::LogLevel::error;
    }
}

// For each level, which comes with every line.
class Priority : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& line) override {
        const std::string_view priority = priority_of(from_spdlog(message.level));
        line.append(priority.data(), priority.data() + priority.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<Priority>();
    }
};

// An object of JSON has its time everywhere: who reads it reads nothing else.
std::unique_ptr<spdlog::formatter> make_formatter(bool for_journal) {
    const std::string json = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)";
    const std::string time = for_journal ? "" : "%Y-%m-%dT%H:%M:%S.%eZ ";
    const std::string line = the_format == config::LogFormat::json ? json : time + "%v";
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<Priority>('*').set_pattern((for_journal ? "%*" : "") + line);
    return formatter;
}

bool is_socket(int fd) {
    struct stat about {};
    return ::fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

// As many whole lines as may be written at once, or a part of one that is longer.
std::string_view first_piece(std::string_view lines) {
    const std::string_view most = lines.substr(0, write_bytes_max);
    const auto end = most.size() == lines.size() ? std::string_view::npos : most.rfind('\n');
    return end == std::string_view::npos ? most : most.substr(0, end + 1);
}

// Writes to standard error, but never sits in write() where it could not be called back.
class StandardError : public spdlog::sinks::base_sink<std::mutex> {
public:
    StandardError()
        : own_(open_standard_error()),
          fd_(own_ ? own_.get() : STDERR_FILENO),
          is_socket_(is_socket(fd_)) {}

    // The ring this sink is written to from; it outlives the sink's last line.
    void serve(spdlog::details::thread_pool* ring) { ring_ = ring; }
    void give_up_at(steady_clock::time_point instant) { give_up_at_ = instant; }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        tell_of_lost_lines();
        formatter_->format(message, batch_);
        const bool is_last = ring_.load()->queue_size() == 0;
        if (is_last || batch_.size() >= batch_bytes_max) {
            flush_();
        }
        if (is_last) {
            std::this_thread::sleep_for(pause_between_writes);
        }
    }
    void flush_() override {
        write_all({batch_.data(), batch_.size()});
        batch_.clear();
    }

private:
    void tell_of_lost_lines() {
        const std::size_t lost = ring_.load()->overrun_counter();
        if (lost == told_lost_ || !is_writable(std::chrono::milliseconds{0})) {
            return;
        }
        const std::string text = render(
            {config::LogLevel::warn, "lines lost", {{"count", std::uint64_t{lost - told_lost_}}}});
        told_lost_ = lost;
        formatter_->format({"", spdlog::level::warn, text}, batch_);
    }

    bool is_writable(std::chrono::milliseconds limit) const {
        pollfd state{fd_, POLLOUT, 0};
        return ::poll(&state, 1, static_cast<int>(limit.count())) == 1;
    }

    void write_all(std::string_view text) {
        while (!text.empty()) {
            // Once we have given up, each line left in the ring is dropped without a wait.
            const bool has_given_up = steady_clock::now() >= give_up_at_.load();
            if (!is_writable(has_given_up ? std::chrono::milliseconds{0} : poll_interval)) {
                if (has_given_up) {
                    return;
                }
                continue;
            }
            const ssize_t written = write_some(first_piece(text));
            if (written < 0 && (errno == EINTR || (errno == EAGAIN && !has_given_up))) {
                continue;
            }
            if (written < 0) {
                return;  // No reader, no space: there is nowhere to complain.
            }
            text.remove_prefix(static_cast<std::size_t>(written));
        }
    }

    ssize_t write_some(std::string_view text) const {
        return is_socket_ ? ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                          : ::write(fd_, text.data(), text.size());
    }

    io::Descriptor own_;
    int fd_;
    bool is_socket_;
    spdlog::memory_buf_t batch_;  // whole lines, of which nothing has been written
    std::atomic<spdlog::details::thread_pool*> ring_ = nullptr;
    std::atomic<steady_clock::time_point> give_up_at_{steady_clock::time_point::max()};
    std::size_t told_lost_ = 0;
};

// Set by start_logging, once. The ring is ours and not spdlog's registry's, whose lock is held
// while it waits for the ring's thread to end.
std::shared_ptr<StandardError> the_sink;
std::shared_ptr<spdlog::details::thread_pool> the_ring;

}  // namespace

void start_logging(config::LogLevel level, config::LogFormat format) {
    the_format = format;
    the_sink = std::make_shared<StandardError>();
    the_ring = std::make_shared<spdlog::details::thread_pool>(ring_lines, 1U);
    the_sink->serve(the_ring.get());
    auto logger = std::make_shared<spdlog::async_logger>(
        "tcplock", the_sink, the_ring, spdlog::async_overflow_policy::overrun_oldest);
    logger->set_formatter(make_formatter(is_journal(STDERR_FILENO)));
    logger->set_level(to_spdlog(level));
    spdlog::set_default_logger(std::move(logger));
}

void stop_logging(std::chrono::nanoseconds limit) {
    if (the_sink) {
        the_sink->give_up_at(steady_clock::now() + limit);
        the_ring.reset();  // Empties it, and waits for its thread.
        the_sink->flush();
        spdlog::shutdown();
        the_sink.reset();
    }
}

void set_log_level(config::LogLevel level) {
    spdlog::default_logger()->set_level(to_spdlog(level));
}

std::size_t lines_lost() {
    return the_ring ? the_ring->overrun_counter() : 0;
}

Line::Line(Level level, std::string_view message) : entry_{level, std::string(message), {}} {
    constexpr std::size_t usual_fields = 16;
    entry_.fields.reserve(usual_fields);
}

Line::~Line() {
    if (spdlog::should_log(to_spdlog(entry_.level))) {
        spdlog::log(to_spdlog(entry_.level), render(entry_));
    }
}

Line& Line::add(std::string_view key, Value value) {
    entry_.fields.emplace_back(key, std::move(value));
    return *this;
}

Line& Line::with(std::string_view key, std::string_view value) {
    return add(key, std::string(value));
}

Line& Line::with(std::string_view key, std::uint64_t value) {
    return add(key, value);
}

Line& Line::with(std::string_view key, std::chrono::nanoseconds value) {
    return add(key, value);
}

Line& Line::with(std::string_view key, Bytes value) {
    return add(key, value);
}

}  // namespace tcplock::daemon
