// What a backend prints, line by line, made printable. It is read for as long as the backend lives,
// so none ever waits for us; what a flood costs us is bounded instead: at most a hundred reads a
// second, a bounded number of lines delivered, and of the rest only the line ends are counted.
//
// It keeps nothing itself. LastLines is for whoever writes the post-mortem.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tcplock::io {

constexpr std::size_t longest_line_bytes = 4096;
constexpr std::uint64_t lines_per_second_max = 1000;
constexpr std::size_t last_lines_max = 20;

struct OutputSink {
    std::function<void(std::string_view line)> line;
    // Called once for each second in which there were too many; with the last of them, in order.
    std::function<void(std::uint64_t lines, const std::deque<std::string>& last)> dropped;
};

class LastLines {
public:
    void add(std::string_view line);
    const std::deque<std::string>& lines() const { return lines_; }
    void clear() { lines_.clear(); }

private:
    std::deque<std::string> lines_;
};

// Cuts a stream of bytes into printable lines. A longer line than `longest_line_bytes` is cut and
// ends in "…"; a line without a single byte is a line too.
class LineSplitter {
public:
    using Clock = std::chrono::steady_clock;

    explicit LineSplitter(OutputSink sink) : sink_(std::move(sink)) {}

    void feed(std::string_view bytes, Clock::time_point now);
    void finish(Clock::time_point now);  // A last line may lack its end.

    // When the lines dropped so far are to be reported, even if nothing more comes.
    bool owes_report() const { return dropped_ > 0; }
    Clock::time_point report_due() const { return second_began_ + std::chrono::seconds(1); }
    void settle(Clock::time_point now);

private:
    void take(std::string_view part);
    void end_line();
    std::string_view count_only(std::string_view bytes);
    void keep_last_of(std::string_view whole_lines);
    void report_dropped();
    void drop_partial();

    OutputSink sink_;
    std::string partial_;  // One byte longer than the longest line shows that there was more.
    bool has_partial_ = false;
    Clock::time_point second_began_{};
    std::uint64_t delivered_ = 0;
    std::uint64_t dropped_ = 0;
    LastLines last_dropped_;
};

// One backend's pipe, and its reading. It must outlive drain(), and stay where it is meanwhile.
class Output {
public:
    Output(boost::asio::posix::stream_descriptor pipe, OutputSink sink);

    // Reads until everybody who could write is gone, or until close(), or until cancelled. What
    // came until then is delivered, and the pipe is closed.
    boost::asio::awaitable<void> drain();

    // Delivers what is in the pipe, and closes it, whoever may still hold its other end.
    void close();
    bool has_ended() const { return !pipe_.is_open(); }

private:
    boost::asio::awaitable<void> news();
    void read();
    void end();

    boost::asio::posix::stream_descriptor pipe_;
    LineSplitter lines_;
    std::unique_ptr<char[]> buffer_;
};

}  // namespace tcplock::io
