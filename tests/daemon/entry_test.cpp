#include "daemon/entry.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using Level = config::LogLevel;

Entry with(std::string_view key, Value value) {
    return {Level::info, "it", {{key, std::move(value)}}};
}

// What a reader makes of one value. A line that is no JSON fails here.
json::value read_back(const std::string& value) {
    return json::parse(as_json(with("key", value))).at("key");
}

TEST(Entry, HasTheSameFieldsInTheSameOrderAsTextAndAsJson) {
    const Entry entry{Level::info,
                        "session closed",
                        {{"client", std::uint64_t{7}},
                         {"instance", std::string("standby")},
                         {"waited", std::chrono::nanoseconds(1310ms)},
                         {"memory", Bytes{std::uint64_t{90} << 20}},
                         {"job", true},
                         {"end", std::string("--")}}};
    EXPECT_EQ(as_text(entry),
              "info session closed client=7 instance=standby waited=1.310s memory=90MiB job=yes "
              "end=--");
    EXPECT_EQ(as_json(entry),
              R"({"level":"info","message":"session closed","client":7,"instance":"standby",)"
              R"("waited_ms":1310,"memory_bytes":94371840,"job":true,"end":"--"})");
}

TEST(Entry, NamesItsLevelAsTheConfigurationDoes) {
    EXPECT_EQ(as_text({Level::debug, "a", {}}), "debug a");
    EXPECT_EQ(as_text({Level::warn, "a", {}}), "warn a");
    EXPECT_EQ(as_json({Level::warn, "a", {}}), R"({"level":"warn","message":"a"})");
    EXPECT_EQ(as_json({Level::error, "a", {}}), R"({"level":"error","message":"a"})");
}

TEST(Entry, RoundsSizesAndSpansInTextOnlyAsFarAsTheyAreWritten) {
    EXPECT_EQ(as_text(with("a", Bytes{(1U << 20) + (1U << 19) - 1})), "info it a=1MiB");
    EXPECT_EQ(as_text(with("a", Bytes{(1U << 20) + (1U << 19)})), "info it a=2MiB");
    EXPECT_EQ(json::parse(as_json(with("a", Bytes{1572864}))).at("a_bytes"), 1572864);
    EXPECT_EQ(as_text(with("a", std::chrono::nanoseconds(1600us))), "info it a=0.002s");
    EXPECT_EQ(json::parse(as_json(with("a", std::chrono::nanoseconds(1600us)))).at("a_ms"), 2);
}

TEST(Entry, WritesTheLargestNumberInFull) {
    const auto most = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(as_json(with("a", most)),
              R"({"level":"info","message":"it","a":18446744073709551615})");
}

TEST(Entry, TellsANumberFromATextOfDigits) {
    EXPECT_EQ(as_json(with("a", std::uint64_t{0})), R"({"level":"info","message":"it","a":0})");
    EXPECT_EQ(as_json(with("a", std::string("0"))), R"({"level":"info","message":"it","a":"0"})");
}

TEST(Entry, IsOneLineOfValidJsonWhateverAStrangerSent) {
    EXPECT_EQ(read_back(R"(say "no" \ {})"), R"(say "no" \ {})");
    EXPECT_EQ(read_back("Büro 🏢"), "Büro 🏢");
    EXPECT_EQ(read_back("a\nb\r"), R"(a\x0ab\x0d)");
    EXPECT_EQ(read_back(std::string("\0\x1b[2J", 5)), R"(\x00\x1b[2J)");
    EXPECT_EQ(read_back("\xff\xc3("), "\xEF\xBF\xBD\xEF\xBF\xBD(");
    EXPECT_EQ(read_back("\xed\xa0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
    EXPECT_EQ(read_back(""), "");
}

TEST(Entry, IsValidJsonForEveryPairOfBytes) {
    for (unsigned pair = 0; pair < 0x10000; ++pair) {
        const std::string value{static_cast<char>(pair >> 8U), static_cast<char>(pair & 0xFFU)};
        const std::string line = as_json(with("key", value));
        EXPECT_EQ(line.find('\n'), std::string::npos) << pair;
        EXPECT_TRUE(json::parse(line).is_object()) << pair;
    }
}

}  // namespace
}  // namespace tcplock::daemon
