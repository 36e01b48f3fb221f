#include "io/output.hpp"

#include "process_support.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <cstdio>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

class LineSplitterTest : public ::testing::Test {
protected:
    void feed(std::string_view bytes) { splitter_.feed(bytes, now_); }

    std::vector<std::string> lines_;
    std::vector<std::uint64_t> dropped_;
    std::vector<std::string> last_dropped_;
    LineSplitter::Clock::time_point now_{std::chrono::hours(1)};
    LineSplitter splitter_{{[this](std::string_view line) { lines_.emplace_back(line); },
                            [this](std::uint64_t count, const std::deque<std::string>& last) {
                                dropped_.push_back(count);
                                last_dropped_.assign(last.begin(), last.end());
                            }}};
};

using Lines = std::vector<std::string>;

TEST_F(LineSplitterTest, JoinsWhatComesInPieces) {
    feed("on");
    feed("e\ntw");
    feed("o\n\nthree");
    EXPECT_EQ(lines_, (Lines{"one", "two", ""}));
    splitter_.finish(now_);
    EXPECT_EQ(lines_, (Lines{"one", "two", "", "three"}));
}

TEST_F(LineSplitterTest, HasNothingMoreToSayAfterAWholeLine) {
    feed("one\r\n");
    splitter_.finish(now_);
    EXPECT_EQ(lines_, (Lines{"one"}));
    EXPECT_TRUE(dropped_.empty());
}

TEST_F(LineSplitterTest, MakesLinesPrintable) {
    feed(std::string_view("a\0b\x1b[1m\xff\n", 9));
    EXPECT_EQ(lines_, (Lines{"a\\x00b\\x1b[1m\uFFFD"}));
}

TEST_F(LineSplitterTest, CutsLongLinesBetweenCharacters) {
    feed(std::string(longest_line_bytes, 'x') + "\n");
    feed(std::string(longest_line_bytes, 'x') + "y\n");
    feed(std::string(longest_line_bytes - 1, 'x') + "ü\nshort\n");
    ASSERT_EQ(lines_.size(), 4U);
    EXPECT_EQ(lines_[0], std::string(longest_line_bytes, 'x'));
    EXPECT_EQ(lines_[1], std::string(longest_line_bytes, 'x') + "…");
    EXPECT_EQ(lines_[2], std::string(longest_line_bytes - 1, 'x') + "…");
    EXPECT_EQ(lines_[3], "short");
}

TEST_F(LineSplitterTest, CutsWhatIsLongOnlyAsItIsShown) {
    feed(std::string(longest_line_bytes, '\x01') + "\n");
    ASSERT_EQ(lines_.size(), 1U);
    EXPECT_EQ(lines_[0].size(), longest_line_bytes + std::string_view("…").size());
    EXPECT_TRUE(lines_[0].ends_with("\\x01…"));
}

TEST_F(LineSplitterTest, CountsWhatIsMoreThanASecondsWorth) {
    std::string flood;
    for (int count = 0; count < 2500; ++count) {
        flood += "line\n";
    }
    feed(flood);
    feed("par");
    feed("tial\nend");
    EXPECT_EQ(lines_.size(), lines_per_second_max);
    EXPECT_TRUE(splitter_.owes_report());
    EXPECT_TRUE(dropped_.empty());
    now_ += 1s;
    splitter_.settle(now_);
    EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{1501}));
    feed(" of it\n");
    EXPECT_EQ(lines_.size(), lines_per_second_max + 1);
    EXPECT_EQ(lines_.back(), "end of it");
    EXPECT_FALSE(splitter_.owes_report());
}

TEST_F(LineSplitterTest, TellsAtTheEndWhatWasDropped) {
    for (int count = 0; count < 1003; ++count) {
        feed("line\n");
    }
    splitter_.finish(now_);
    EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{3}));
}

// However many came in one piece, and wherever the pieces were cut.
TEST_F(LineSplitterTest, KeepsTheLastOfTheLinesItDrops) {
    for (std::uint64_t count = 0; count < lines_per_second_max; ++count) {
        feed("delivered\n");
    }
    std::string flood;
    for (int number = 1; number <= 100; ++number) {
        flood += "line " + std::to_string(number) + "\n";
    }
    feed(flood);
    feed("half");
    feed(" a line\n\nFATAL: ");
    feed("out of cheese\n");
    splitter_.finish(now_);
    EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{103}));
    ASSERT_EQ(last_dropped_.size(), last_lines_max);
    EXPECT_EQ(last_dropped_.front(), "line 84");
    const Lines end(last_dropped_.end() - 4, last_dropped_.end());
    EXPECT_EQ(end, (Lines{"line 100", "half a line", "", "FATAL: out of cheese"}));
}

TEST(LastLines, AreTheLastTwenty) {
    LastLines last;
    for (int count = 0; count < 50; ++count) {
        last.add(std::to_string(count));
    }
    EXPECT_EQ(last.lines().size(), last_lines_max);
    EXPECT_EQ(last.lines().front(), "30");
    EXPECT_EQ(last.lines().back(), "49");
}

class OutputTest : public ProcessTest {};

TEST_F(OutputTest, IsReadToTheEndAlsoWithoutALineEnd) {
    EXPECT_EQ(output_of(shell("printf 'one\\ntwo'")), "one\ntwo\n");
}

TEST_F(OutputTest, OfTenMegabytesWithoutALineEndIsOneLine) {
    const std::string told =
        output_of(shell("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end"));
    EXPECT_EQ(told, std::string(longest_line_bytes, 'x') + "…\nend\n");
}

TEST_F(OutputTest, OfNulsIsShown) {
    EXPECT_EQ(output_of(shell("head -c 3 /dev/zero")), "\\x00\\x00\\x00\n");
}

double processor_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](timeval time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t lines_in(const std::string& text) {
    return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(OutputTest, InAFloodCostsUsLittle) {
    Running& flood = start(shell("exec yes"));
    const double before = processor_seconds();
    const auto began = std::chrono::steady_clock::now();
    io_.run_for(2s);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const double share = (processor_seconds() - before) / took.count();
    ::kill(flood.pid, SIGKILL);
    ASSERT_TRUE(until([&] { return flood.has_ended(); }));

    const std::uint64_t delivered = lines_in(flood.output);
    std::printf("a flood of %llu lines in %.1f s: %llu delivered, %.1f %% of a processor\n",
                static_cast<unsigned long long>(delivered + flood.dropped), took.count(),
                static_cast<unsigned long long>(delivered), share * 100);
    EXPECT_LE(delivered, 6 * lines_per_second_max);
    EXPECT_GT(flood.dropped, 0U);
    // A hundred reads a second of a mebibyte, at two bytes a line.
    const double most = (took.count() + 2) * 100 * (1U << 19U);
    EXPECT_LE(static_cast<double>(delivered + flood.dropped), most);
}

TEST_F(OutputTest, DroppedIsToldThoughNothingFollows) {
    Running& flood = start(shell("yes | head -n 5000; exec sleep 1000"));
    EXPECT_TRUE(until(
        [&] { return flood.dropped > 0 && flood.dropped + lines_in(flood.output) == 5000; }));
    EXPECT_FALSE(flood.status.has_value());
}

TEST_F(OutputTest, DoesNotHoldUpAWriterThatFloods) {
    Running& flood = start(shell("head -c 50000000 /dev/zero"));
    EXPECT_TRUE(until([&] { return flood.has_ended(); }));
}

TEST_F(OutputTest, IsLeftWhenCancelledAndWhatCameWasDelivered) {
    auto spawned = spawn(io_, shell("printf unfinished; exec sleep 1000"));
    auto& child = std::get<Child>(spawned);
    reaper_.own(child.pid, [](ExitStatus) {});
    boost::asio::cancellation_signal cancel;
    std::string told;
    bool is_done = false;
    OutputSink sink{[&](std::string_view line) { told += line; },
                    [](std::uint64_t, const std::deque<std::string>&) {}};
    const int pipe = child.output.native_handle();
    Output output(std::move(child.output), std::move(sink));
    boost::asio::co_spawn(
        io_, output.drain(),
        boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) {
            EXPECT_FALSE(e);
            is_done = true;
        }));
    pollfd printed{pipe, POLLIN, 0};
    ASSERT_EQ(::poll(&printed, 1, 20'000), 1);
    EXPECT_TRUE(until([pipe] {
        int unread = -1;
        return ::ioctl(pipe, FIONREAD, &unread) == 0 && unread == 0;
    }));
    EXPECT_FALSE(is_done);
    cancel.emit(boost::asio::cancellation_type::terminal);
    EXPECT_TRUE(until([&] { return is_done; }));
    EXPECT_EQ(told, "unfinished");
    ::kill(child.pid, SIGKILL);
}

// A stray may hold the pipe for ever.
TEST_F(OutputTest, WasReadForAsLongAsAnybodyHeldThePipe) {
    const std::size_t before = open_descriptors();
    Running& holder = start(shell("echo said; exec sleep 1000"));
    ASSERT_TRUE(until([&] { return holder.output == "said\n"; }));
    holder.pipe->close();
    EXPECT_TRUE(holder.pipe->has_ended());
    EXPECT_TRUE(until([&] { return holder.is_drained; }));
    EXPECT_FALSE(holder.status.has_value());
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(OutputTest, IsDeliveredAsFarAsItCameWhenItIsClosed) {
    Running& backend = start(shell("printf 'one\\ntwo'"));
    ASSERT_TRUE(until([&] { return backend.status.has_value(); }));
    backend.pipe->close();
    EXPECT_EQ(backend.output, "one\ntwo\n");
    EXPECT_TRUE(until([&] { return backend.is_drained; }));
}

}  // namespace
}  // namespace tcplock::io
