#include "daemon/log.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>
#include <poll.h>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Level = Line::Level;
using Format = config::LogFormat;

// A program of its own whose standard error is a pipe to us: a program logs only once.
class Writer {
public:
    explicit Writer(const std::function<void(Writer&)>& body) {
        if (::pipe(log_) != 0 || ::pipe(said_) != 0 || ::pipe(heard_) != 0) {
            throw std::runtime_error("no pipe");
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            ::alarm(30);  // Whatever goes wrong, the test ends.
            ::dup2(log_[1], STDERR_FILENO);
            ::close(log_[0]);
            ::close(log_[1]);
            body(*this);
            ::_exit(0);
        }
        ::close(log_[1]);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() {
        for (const int fd : {log_[0], said_[0], said_[1], heard_[0], heard_[1]}) {
            ::close(fd);
        }
    }

    // In the program: a number for the test, and a wait for the test's word.
    void say(std::int64_t number) const {
        if (::write(said_[1], &number, sizeof number) != sizeof number) {
            ::_exit(2);
        }
    }
    void wait_for_word() const {
        char word = 0;
        if (::read(heard_[0], &word, 1) != 1) {
            ::_exit(3);
        }
    }

    // In the test.
    std::int64_t hear() const {
        pollfd state{said_[0], POLLIN, 0};
        std::int64_t number = -1;
        EXPECT_EQ(::poll(&state, 1, 20'000), 1) << "the program says nothing";
        if (state.revents != 0) {
            EXPECT_EQ(::read(said_[0], &number, sizeof number), ssize_t{sizeof number});
        }
        return number;
    }
    bool has_written() const {
        pollfd state{log_[0], POLLIN, 0};
        return ::poll(&state, 1, 20'000) == 1;
    }
    void give_word() const { EXPECT_EQ(::write(heard_[1], "!", 1), 1); }
    std::vector<std::string> read_all() const {
        std::string text;
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(log_[0], buffer, sizeof buffer)) > 0;) {
            text.append(buffer, static_cast<std::size_t>(size));
        }
        std::vector<std::string> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            lines.push_back(line);
        }
        return lines;
    }
    int wait_for_its_end() const {
        int status = -1;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        return status;
    }

private:
    int log_[2];
    int said_[2];
    int heard_[2];
    pid_t pid_ = 0;
};

std::vector<std::string> lines_of(Level level, const std::function<void()>& body,
                                  Format format = Format::text) {
    const Writer writer([&](Writer&) {
        start_logging(level, format);
        body();
        stop_logging(10s);
    });
    auto lines = writer.read_all();
    EXPECT_EQ(writer.wait_for_its_end(), 0);
    return lines;
}

// One line of level info, without its time and level.
std::string line_of(const std::function<void()>& body) {
    const auto lines = lines_of(Level::info, body);
    EXPECT_EQ(lines.size(), 1U);
    if (lines.empty()) {
        return {};
    }
    const auto text = lines[0].find(" info ");
    EXPECT_NE(text, std::string::npos) << lines[0];
    return text == std::string::npos ? lines[0] : lines[0].substr(text + 6);
}

std::string value_of(std::string_view value) {
    const std::string line = line_of([&] { Line(Level::info, "it").with("key", value); });
    EXPECT_EQ(line.substr(0, 7), "it key=");
    return line.substr(7);
}

// What comes soon after one another is written together, and what comes alone at once.
TEST(Log, WritesLinesWholeAndInOrderHoweverManyAndLongTheyAre) {
    constexpr int count = 2000;
    const auto text = [](int number) { return std::string(number % 97 == 0 ? 10'000 : 20, 'x'); };
    const auto lines = lines_of(Level::info, [&] {
        for (int number = 0; number < count; ++number) {
            Line(Level::info, "it")
                .with("number", static_cast<std::uint64_t>(number))
                .with("text", text(number));
        }
    });
    ASSERT_EQ(lines.size(), std::size_t{count});
    for (int number = 0; number < count; ++number) {
        const std::string expected =
            " info it number=" + std::to_string(number) + " text=" + text(number);
        EXPECT_EQ(lines[static_cast<std::size_t>(number)].substr(24), expected);
    }
}

TEST(Log, WritesALineThatNoOtherFollows) {
    const Writer writer([](Writer& self) {
        start_logging(Level::info, Format::text);
        Line(Level::info, "first");
        Line(Level::info, "last");
        self.wait_for_word();
        stop_logging(10s);
    });
    EXPECT_TRUE(writer.has_written());
    writer.give_word();
    EXPECT_EQ(writer.read_all().size(), 2U);
    EXPECT_EQ(writer.wait_for_its_end(), 0);
}

TEST(Log, BeginsEachLineWithTheTimeAndTheLevel) {
    const auto lines = lines_of(Level::debug, [] {
        Line(Level::debug, "a");
        Line(Level::info, "listening").with("address", "127.0.0.1:2002");
        Line(Level::warn, "c");
        Line(Level::error, "d");
    });
    ASSERT_EQ(lines.size(), 4U);
    const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )";
    EXPECT_TRUE(std::regex_match(lines[0], std::regex(time + "debug a"))) << lines[0];
    EXPECT_TRUE(std::regex_match(lines[1],
                                 std::regex(time + "info listening address=127\\.0\\.0\\.1:2002")))
        << lines[1];
    EXPECT_TRUE(std::regex_match(lines[2], std::regex(time + "warn c"))) << lines[2];
    EXPECT_TRUE(std::regex_match(lines[3], std::regex(time + "error d"))) << lines[3];
}

TEST(Log, IsAnObjectALineThatBeginsWithTheTimeIfJsonIsWanted) {
    const auto lines = lines_of(
        Level::info,
        [] {
            Line(Level::debug, "a");
            Line(Level::info, "listening").with("address", "127.0.0.1:2002");
        },
        Format::json);
    ASSERT_EQ(lines.size(), 1U);
    const std::string time = R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",)";
    const std::string rest =
        R"("level":"info","message":"listening","address":"127\.0\.0\.1:2002"\})";
    EXPECT_TRUE(std::regex_match(lines[0], std::regex(time + rest))) << lines[0];
}

// As the service manager tells it of the stream that it has connected.
void name_standard_error_as_the_journal() {
    struct stat about {};
    ::fstat(STDERR_FILENO, &about);
    const auto name = std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
    ::setenv("JOURNAL_STREAM", name.c_str(), 1);
}

std::vector<std::string> journal_of(Format format) {
    const Writer writer([&](Writer&) {
        name_standard_error_as_the_journal();
        start_logging(Level::debug, format);
        Line(Level::debug, "a");
        Line(Level::info, "b").with("c", "d");
        Line(Level::warn, "e");
        Line(Level::error, "f");
        stop_logging(10s);
    });
    auto lines = writer.read_all();
    EXPECT_EQ(writer.wait_for_its_end(), 0);
    return lines;
}

TEST(Log, TellsTheJournalPrioritiesAndLeavesTheTimeToIt) {
    const std::vector<std::string> expected{"<7>debug a", "<6>info b c=d", "<4>warn e",
                                            "<3>error f"};
    EXPECT_EQ(journal_of(Format::text), expected);
}

TEST(Log, TellsTheJournalPrioritiesOfJsonToo) {
    const auto lines = journal_of(Format::json);
    ASSERT_EQ(lines.size(), 4U);
    const std::string priorities = "7643";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        EXPECT_EQ(lines[i].substr(0, 3), std::string("<") + priorities[i] + ">");
        EXPECT_TRUE(boost::json::parse(lines[i].substr(3)).as_object().contains("time"));
    }
}

// As after a shell's 2>.
TEST(Log, DoesNotTakeAnotherStreamForTheJournal) {
    const Writer writer([](Writer&) {
        name_standard_error_as_the_journal();
        int elsewhere[2];
        if (::pipe(elsewhere) != 0) {
            ::_exit(4);
        }
        const int reader = ::dup(STDERR_FILENO);
        ::dup2(elsewhere[1], STDERR_FILENO);
        start_logging(Level::info, Format::text);
        Line(Level::info, "it");
        stop_logging(10s);
        char text[128];
        const ssize_t size = ::read(elsewhere[0], text, sizeof text);
        if (size < 0 || ::write(reader, text, static_cast<std::size_t>(size)) != size) {
            ::_exit(5);
        }
    });
    const auto seen = writer.read_all();
    EXPECT_EQ(writer.wait_for_its_end(), 0);
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].substr(seen[0].size() - 9), "Z info it");
}

TEST(Log, TellsTheTimeInUtc) {
    const auto lines = lines_of(Level::info, [] {
        ::setenv("TZ", "FAR-12", 1);
        ::tzset();
        Line(Level::info, "now");
    });
    const std::time_t now = std::time(nullptr);
    const std::time_t before = now - 60;  // The test may run over the end of an hour.
    char hour_now[32];
    char hour_before[32];
    std::strftime(hour_now, sizeof hour_now, "%Y-%m-%dT%H", std::gmtime(&now));
    std::strftime(hour_before, sizeof hour_before, "%Y-%m-%dT%H", std::gmtime(&before));
    ASSERT_EQ(lines.size(), 1U);
    const std::string hour = lines[0].substr(0, 13);
    EXPECT_TRUE(hour == hour_now || hour == hour_before) << hour;
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
    const auto lines = lines_of(Level::warn, [] {
        Line(Level::debug, "a");
        Line(Level::info, "b");
        Line(Level::warn, "c");
    });
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].back(), 'c');
}

TEST(Log, KeepsTheOrderOfLinesAndOfValues) {
    const auto lines = lines_of(Level::info, [] {
        for (std::uint64_t i = 0; i < 1000; ++i) {
            Line(Level::info, "x").with("b", i).with("a", "1");
        }
    });
    ASSERT_EQ(lines.size(), 1000U);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string end = " x b=" + std::to_string(i) + " a=1";
        EXPECT_EQ(lines[i].substr(lines[i].size() - end.size()), end);
    }
}

TEST(Log, WritesPlainValuesAsTheyAre) {
    EXPECT_EQ(value_of("127.0.0.1:2002"), "127.0.0.1:2002");
    EXPECT_EQ(value_of("--"), "--");
    EXPECT_EQ(value_of("Büro"), "Büro");
    EXPECT_EQ(value_of("{}"), "{}") << "a value is no format";
}

TEST(Log, QuotesWhatCouldNotBeReadBackOtherwise) {
    EXPECT_EQ(value_of("the line is full"), R"("the line is full")");
    EXPECT_EQ(value_of(""), R"("")");
    EXPECT_EQ(value_of("a=b"), R"("a=b")");
}

TEST(Log, EscapesQuotesAndBackslashes) {
    EXPECT_EQ(value_of(R"(say "no")"), R"("say \"no\"")");
    EXPECT_EQ(value_of(R"(\x1b)"), R"("\\x1b")");
}

TEST(Log, WritesNumbersInFull) {
    EXPECT_EQ(line_of([] {
                  Line(Level::info, "it")
                      .with("none", std::uint64_t{0})
                      .with("most", std::numeric_limits<std::uint64_t>::max());
              }),
              "it none=0 most=18446744073709551615");
}

TEST(Log, WritesDurationsInSecondsWithMilliseconds) {
    EXPECT_EQ(line_of([] {
                  Line(Level::info, "it")
                      .with("a", 1310ms)
                      .with("b", 0ns)
                      .with("c", std::chrono::nanoseconds(1h))
                      .with("d", 1600us);
              }),
              "it a=1.310s b=0.000s c=3600.000s d=0.002s");
}

// Enough for the pipe and the ring, several times over.
constexpr std::int64_t flood = 20'000;

void write_flood() {
    for (std::int64_t i = 0; i < flood; ++i) {
        Line(Level::info, "flood").with("padding", std::string(100, 'x'));
    }
}

TEST(Log, IsNotHeldUpByAStoppedReader) {
    const Writer writer([](Writer& self) {
        start_logging(Level::info, Format::text);
        const auto began = steady_clock::now();
        write_flood();
        const auto wrote = steady_clock::now();
        stop_logging(500ms);
        self.say((wrote - began) / 1ms);
        self.say((steady_clock::now() - wrote) / 1ms);
    });
    EXPECT_LT(writer.hear(), 10'000) << "writing was held up";
    const auto stopping = writer.hear();
    EXPECT_GE(stopping, 400) << "it gave up before its limit";
    EXPECT_LT(stopping, 20'000) << "stopping was held up";
    EXPECT_EQ(writer.wait_for_its_end(), 0);
}

TEST(Log, CountsEveryLineThatAStoppedReaderMissed) {
    const Writer writer([](Writer& self) {
        start_logging(Level::info, Format::text);
        write_flood();
        self.say(0);
        self.wait_for_word();
        Line(Level::info, "last");
        stop_logging(10s);
    });
    EXPECT_EQ(writer.hear(), 0);
    writer.give_word();
    std::int64_t written = 0;
    std::int64_t lost = 0;
    const auto lines = writer.read_all();
    for (const std::string& line : lines) {
        std::smatch found;
        if (std::regex_search(line, found, std::regex(" warn lines lost count=(\\d+)$"))) {
            lost += std::stoll(found[1]);
        } else {
            ++written;
        }
    }
    EXPECT_EQ(writer.wait_for_its_end(), 0);
    EXPECT_GT(lost, 0);
    EXPECT_EQ(written + lost, flood + 1);
    ASSERT_FALSE(lines.empty());
    EXPECT_NE(lines.back().find(" last"), std::string::npos) << lines.back();
}

TEST(Log, CountsThemInJsonToo) {
    const Writer writer([](Writer& self) {
        start_logging(Level::info, Format::json);
        write_flood();
        self.say(0);
        self.wait_for_word();
        Line(Level::info, "last");
        stop_logging(10s);
    });
    EXPECT_EQ(writer.hear(), 0);
    writer.give_word();
    std::int64_t written = 0;
    std::int64_t lost = 0;
    for (const std::string& line : writer.read_all()) {
        const auto object = boost::json::parse(line);
        if (object.at("message") == "lines lost") {
            EXPECT_EQ(object.at("level"), "warn");
            lost += object.at("count").to_number<std::int64_t>();
        } else {
            ++written;
        }
    }
    EXPECT_EQ(writer.wait_for_its_end(), 0);
    EXPECT_GT(lost, 0);
    EXPECT_EQ(written + lost, flood + 1);
}

TEST(Log, OutlivesAReaderThatIsGone) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        ::signal(SIGPIPE, SIG_IGN);
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        start_logging(Level::info, Format::text);
        write_flood();
        const auto began = steady_clock::now();
        stop_logging(10s);
        ::_exit(steady_clock::now() - began < 5s ? 0 : 1);
    }
    ::close(ends[0]);
    ::close(ends[1]);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(Log, MayBeStoppedWithoutHavingBeenStarted) {
    stop_logging(1s);
}

}  // namespace
}  // namespace tcplock::daemon
