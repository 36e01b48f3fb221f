#include "config/problem.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

TEST(Problem, IsOneLine) {
    EXPECT_EQ(to_text({"f.yaml", 3, "gate.queue_limit", "is odd"}),
              "f.yaml:3: gate.queue_limit: is odd");
    EXPECT_EQ(to_text({"f.yaml", 0, "listen", "missing"}), "f.yaml: listen: missing");
    EXPECT_EQ(to_text({"f.yaml", 0, "", "cannot be read"}), "f.yaml: cannot be read");
    EXPECT_EQ(to_text({"f", 1, "a\nb", "c\x1b[2J"}), "f:1: a\\x0ab: c\\x1b[2J");
}

TEST(Problem, CitesWhatItFound) {
    EXPECT_EQ(cited("x"), "\"x\"");
    EXPECT_EQ(cited(std::string_view{"a\0b\n", 4}), "\"a\\x00b\\x0a\"");
    EXPECT_EQ(cited(std::string(80, 'x')), '"' + std::string(80, 'x') + '"');
    EXPECT_EQ(cited(std::string(81, 'x')), '"' + std::string(80, 'x') + "…\"");
    // A character of two bytes that would be cut is left out.
    EXPECT_EQ(cited(std::string(79, 'x') + "éé"), '"' + std::string(79, 'x') + "…\"");
}

}  // namespace
}  // namespace tcplock::config
