#include "io/output.hpp"

#include "io/printable.hpp"
#include "io/timeout.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using Clock = LineSplitter::Clock;

constexpr auto use_result = asio::as_tuple(asio::use_awaitable);
// As much as the pipe holds. Not written to before it is read into: a backend that prints little
// costs little memory.
constexpr std::size_t read_bytes = 1 << 20;
// The pipe takes what comes meanwhile. It bounds the reads, and so our processor time, however the
// output comes: in floods, or in a trickle of single bytes.
constexpr std::chrono::milliseconds pause_between_reads{10};

asio::awaitable<void> pause(Clock::time_point until) {
    asio::steady_timer timer(co_await asio::this_coro::executor, until);
    [[maybe_unused]] const auto woken = co_await timer.async_wait(use_result);
}

asio::awaitable<void> until_readable(asio::posix::stream_descriptor& pipe) {
    [[maybe_unused]] const auto ready =
        co_await pipe.async_wait(asio::posix::stream_descriptor::wait_read, use_result);
}

std::string finished(std::string_view line) {
    const bool is_cut = line.size() > longest_line_bytes;
    if (!is_cut && line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    // A byte that is shown by its number takes four; the last of them may be cut.
    std::string text = printable(whole_characters(line, longest_line_bytes));
    if (is_cut || text.size() > longest_line_bytes) {
        text = std::string(whole_characters(text, longest_line_bytes)) + "…";
    }
    return text;
}

bool is_cancelled(asio::cancellation_state state) {
    return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

Output::Output(asio::posix::stream_descriptor pipe, OutputSink sink)
    : pipe_(std::move(pipe)),
      lines_(std::move(sink)),
      buffer_(std::make_unique_for_overwrite<char[]>(read_bytes)) {
    pipe_.non_blocking(true);
}

asio::awaitable<void> Output::drain() {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    while (!has_ended() && !is_cancelled(cancellation)) {
        co_await news();
        read();
        if (has_ended() || is_cancelled(cancellation)) {
            break;
        }
        co_await pause(Clock::now() + pause_between_reads);
    }
    close();
}

// Silence after a flood is news as well: the count of what was dropped must not wait for the next
// line.
asio::awaitable<void> Output::news() {
    if (lines_.owes_report()) {
        co_await with_timeout(until_readable(pipe_), lines_.report_due() - Clock::now());
    } else {
        co_await until_readable(pipe_);
    }
}

void Output::read() {
    if (has_ended()) {
        return;
    }
    boost::system::error_code error;
    const std::size_t size = pipe_.read_some(asio::buffer(buffer_.get(), read_bytes), error);
    const auto now = Clock::now();
    lines_.feed({buffer_.get(), size}, now);
    if (error && error != asio::error::would_block) {
        end();
    }
}

void Output::close() {
    read();
    end();
}

void Output::end() {
    if (has_ended()) {
        return;
    }
    lines_.finish(Clock::now());
    boost::system::error_code ignored;  // The descriptor is given back in any case.
    pipe_.close(ignored);
    buffer_.reset();
}

void LineSplitter::feed(std::string_view bytes, Clock::time_point now) {
    settle(now);
    while (!bytes.empty()) {
        if (delivered_ >= lines_per_second_max) {
            bytes = count_only(bytes);
            continue;
        }
        const auto length = bytes.find('\n');
        take(bytes.substr(0, length));
        if (length == std::string_view::npos) {
            return;
        }
        end_line();
        bytes.remove_prefix(length + 1);
    }
}

void LineSplitter::finish(Clock::time_point now) {
    settle(now);
    if (has_partial_) {
        end_line();
    }
    report_dropped();
}

void LineSplitter::settle(Clock::time_point now) {
    if (now < report_due()) {
        return;
    }
    report_dropped();
    second_began_ = now;
    delivered_ = 0;
}

void LineSplitter::take(std::string_view part) {
    has_partial_ = true;
    partial_ += part.substr(0, longest_line_bytes + 1 - partial_.size());
}

void LineSplitter::end_line() {
    if (delivered_ < lines_per_second_max) {
        sink_.line(finished(partial_));
        ++delivered_;
    } else {
        last_dropped_.add(finished(partial_));
        ++dropped_;
    }
    drop_partial();
}

void LineSplitter::drop_partial() {
    partial_.clear();
    has_partial_ = false;
}

// The quick way through a flood: all whole lines at once, and only the unfinished rest is kept.
std::string_view LineSplitter::count_only(std::string_view bytes) {
    const auto last_end = bytes.rfind('\n');
    if (last_end == std::string_view::npos) {
        take(bytes);
        return {};
    }
    const std::string_view whole = bytes.substr(0, last_end + 1);
    keep_last_of(whole);
    dropped_ += static_cast<std::uint64_t>(std::count(whole.begin(), whole.end(), '\n'));
    drop_partial();
    return bytes.substr(last_end + 1);
}

// What a program says just before it dies comes last, however much came before.
void LineSplitter::keep_last_of(std::string_view whole_lines) {
    constexpr auto none = std::string_view::npos;
    std::size_t begin = whole_lines.size() - 1;  // a line end before those that are kept
    for (std::size_t lines = 0; lines < last_lines_max && begin != none; ++lines) {
        begin = begin == 0 ? none : whole_lines.rfind('\n', begin - 1);
    }
    if (begin == none) {
        take(whole_lines.substr(0, whole_lines.find('\n')));  // It may have begun earlier.
        last_dropped_.add(finished(partial_));
        begin = whole_lines.find('\n');
    }
    whole_lines.remove_prefix(begin + 1);
    while (!whole_lines.empty()) {
        const auto length = whole_lines.find('\n');
        last_dropped_.add(finished(whole_lines.substr(0, length)));
        whole_lines.remove_prefix(length + 1);
    }
}

void LineSplitter::report_dropped() {
    if (dropped_ > 0) {
        sink_.dropped(std::exchange(dropped_, 0), last_dropped_.lines());
        last_dropped_.clear();
    }
}

void LastLines::add(std::string_view line) {
    if (lines_.size() == last_lines_max) {
        lines_.pop_front();
    }
    lines_.emplace_back(line);
}

}  // namespace tcplock::io
