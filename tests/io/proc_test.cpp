#include "io/proc.hpp"

#include "io/printable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace tcplock::io {
namespace {

constexpr const char* numbers =
    " S 7 40 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 10 184 1\n";

TEST(ProcessStat, IsReadWhateverTheName) {
    for (const std::string name : {"sh", ") (", "a b", "x) R 1 1 1\n(y", "))", "", "\xff"}) {
        const auto stat = parse_stat("42 (" + name + ")" + numbers);
        ASSERT_TRUE(stat) << name;
        EXPECT_EQ(stat->pid, 42);
        EXPECT_EQ(stat->name, name);
        EXPECT_EQ(stat->state, 'S');
        EXPECT_EQ(stat->parent, 7);
        EXPECT_EQ(stat->group, 40);
        EXPECT_EQ(stat->session, 41);
        EXPECT_EQ(stat->start_time, 98765U);
        EXPECT_EQ(stat->resident_bytes, 10U * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
        EXPECT_EQ(stat->processor_ticks, 5U + 6U + 7U + 8U);
        EXPECT_FALSE(stat->is_kernel_thread);
    }
}

TEST(ProcessStat, IsNothingIfTheTextIsNotOne) {
    for (const std::string text : {"", "42", "42 (sh)", "(sh) S 1", ")(", "42 (sh) S 7 40 41",
                                   "x (sh) S 7 40 41 0 -1 1 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 10"}) {
        EXPECT_FALSE(parse_stat(text)) << text;
    }
}

TEST(ProcessStat, OfOurselvesIsTrue) {
    const auto stat = read_stat(::getpid());
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->parent, ::getppid());
    EXPECT_EQ(stat->session, ::getsid(0));
    EXPECT_GT(stat->resident_bytes, 0U);
    EXPECT_FALSE(read_stat(-5));
}

TEST(Environment, IsComparedByWholeEntries) {
    const std::string environment("A=1\0TCPLOCK=abcd\0X_TCPLOCK=abc\0EMPTY=\0LAST=z", 45);
    EXPECT_TRUE(holds_entry(environment, "TCPLOCK=abcd"));
    EXPECT_TRUE(holds_entry(environment, "A=1"));
    EXPECT_TRUE(holds_entry(environment, "EMPTY="));
    EXPECT_TRUE(holds_entry(environment, "LAST=z"));
    EXPECT_FALSE(holds_entry(environment, "TCPLOCK=abc"));
    EXPECT_FALSE(holds_entry(environment, "TCPLOCK"));
    EXPECT_FALSE(holds_entry("", "A=1"));
}

TEST(Environment, OfTheDeadIsNotToBeRead) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::_exit(0);
    }
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &dead, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(carries(child, "A=1"), Carries::nothing_to_read);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(Printable, LeavesTextAndShowsTheRest) {
    EXPECT_EQ(printable("plain – ünï 漢字 🙂"), "plain – ünï 漢字 🙂");
    EXPECT_EQ(printable(std::string_view("a\0b\x1b[31m\tc\x7f\n", 12)),
              "a\\x00b\\x1b[31m c\\x7f\\x0a");
    EXPECT_EQ(printable("\xc2\x9b"), "\\x9b");
    EXPECT_EQ(printable("\xff|\xc0\xaf|\xed\xa0\x80|\xf5|\xe2\x82"),
              "\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD|\uFFFD|\uFFFD\uFFFD");
}

TEST(Printable, IsCutBetweenCharacters) {
    EXPECT_EQ(whole_characters("abc", 3), "abc");
    EXPECT_EQ(whole_characters("abcd", 3), "abc");
    EXPECT_EQ(whole_characters("aü", 2), "a");
    EXPECT_EQ(whole_characters("🙂x", 3), "");
    EXPECT_EQ(whole_characters("a漢字", 4), "a漢");
    EXPECT_EQ(whole_characters("\x80\x80\x80\x80\x80\x80", 5), "\x80\x80\x80\x80\x80");
}

}  // namespace
}  // namespace tcplock::io
