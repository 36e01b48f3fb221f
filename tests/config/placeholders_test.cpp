#include "config/placeholders.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

const Placeholders values{.port = "2100",
                          .name = "office",
                          .instance = "0",
                          .generation = "7",
                          .uid = "1000",
                          .directory = "/d{port}",
                          .profile = "/p"};

TEST(Placeholders, AreFilledIn) {
    EXPECT_EQ(fill("", values), "");
    EXPECT_EQ(fill("plain", values), "plain");
    EXPECT_EQ(fill("port={port};", values), "port=2100;");
    EXPECT_EQ(fill("{name}-{instance}-{generation}-{uid}-{profile}", values), "office-0-7-1000-/p");
    EXPECT_EQ(fill("{port}{port}", values), "21002100");
}

TEST(Placeholders, AreNotLookedForInWhatWasFilledIn) {
    EXPECT_EQ(fill("{directory}", values), "/d{port}");
}

TEST(Placeholders, DoubledBracesAreBraces) {
    EXPECT_EQ(fill("{{port}}", values), "{port}");
    EXPECT_EQ(fill("{{{port}}}", values), "{2100}");
    EXPECT_EQ(fill("{{}}", values), "{}");
    EXPECT_FALSE(wrong_placeholder("{{port}} {{{port}}} {{ }}"));
    EXPECT_FALSE(has_placeholder("{{port}}", "port"));
    EXPECT_TRUE(has_placeholder("{{{port}}}", "port"));
    EXPECT_FALSE(has_placeholder("port", "port"));
    EXPECT_FALSE(has_placeholder("{name}", "port"));
}

TEST(Placeholders, AreNamedWhenUnknown) {
    EXPECT_EQ(wrong_placeholder("a {prot} b"),
              "\"a {prot} b\" has the unknown placeholder {prot}, expected {port}, {name}, "
              "{instance}, {generation}, {uid}, {directory} or {profile}, or doubled braces for "
              "plain ones");
    EXPECT_TRUE(wrong_placeholder("{}"));
    EXPECT_TRUE(wrong_placeholder("{ port }"));
    EXPECT_TRUE(wrong_placeholder("{PORT}"));
}

TEST(Placeholders, StrayBracesAreNamed) {
    EXPECT_EQ(wrong_placeholder("a}"),
              "\"a}\" has a stray }, expected }} for the character itself");
    EXPECT_EQ(wrong_placeholder("{"), "\"{\" has a stray {, expected {{ for the character itself");
    EXPECT_TRUE(wrong_placeholder("{port"));
    EXPECT_TRUE(wrong_placeholder("{port}}"));
    EXPECT_TRUE(wrong_placeholder("{po{port}"));
}

}  // namespace
}  // namespace tcplock::config
