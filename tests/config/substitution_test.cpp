#include "config/substitution.hpp"

#include "loading.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

// The text with its variables put in, or the message why not.
std::string substituted(std::string_view text) {
    const auto parsed = substitute(text, test::variables({{"NAME", "value"},
                                                          {"EMPTY", ""},
                                                          {"MONEY", "$NAME ${NAME} {x}"},
                                                          {"YAML", "[1, 2]: \"x\" # y"},
                                                          {"BYTES", "\xff"}}));
    const auto* const wrong = std::get_if<Wrong>(&parsed);
    return wrong == nullptr ? std::get<std::string>(parsed) : wrong->message;
}

TEST(Substitution, PutsVariablesIn) {
    EXPECT_EQ(substituted(""), "");
    EXPECT_EQ(substituted("plain"), "plain");
    EXPECT_EQ(substituted("${NAME}"), "value");
    EXPECT_EQ(substituted("a${NAME}b${NAME}c"), "avaluebvaluec");
    EXPECT_EQ(substituted("${EMPTY}"), "");
}

TEST(Substitution, TakesTheDefaultForUnsetAndEmpty) {
    EXPECT_EQ(substituted("${NAME:-other}"), "value");
    EXPECT_EQ(substituted("${NONE:-other}"), "other");
    EXPECT_EQ(substituted("${EMPTY:-other}"), "other");
    EXPECT_EQ(substituted("${NONE:-}"), "");
    EXPECT_EQ(substituted("${NONE:-a:-b}"), "a:-b");
    EXPECT_EQ(substituted("${NONE:-127.0.0.1:{port}}!"), "127.0.0.1:{port}!");
}

TEST(Substitution, DoesNotLookAtWhatItPutIn) {
    EXPECT_EQ(substituted("${MONEY}"), "$NAME ${NAME} {x}");
    EXPECT_EQ(substituted("${YAML}"), "[1, 2]: \"x\" # y");
}

TEST(Substitution, DoubledDollarIsADollar) {
    EXPECT_EQ(substituted("$$"), "$");
    EXPECT_EQ(substituted("$${NAME}"), "${NAME}");
    EXPECT_EQ(substituted("$$$$${NAME}"), "$$value");
    EXPECT_EQ(substituted(escape_dollars("$a $$ ${NAME}")), "$a $$ ${NAME}");
}

TEST(Substitution, NamesWhatIsWrong) {
    const std::string form = "${NAME} or ${NAME:-default}, and $$ for a dollar sign";
    EXPECT_EQ(substituted("${NONE}"),
              "the environment variable NONE is not set, expected it or a default: ${NONE:-…}");
    EXPECT_EQ(substituted("$NAME"), "\"$N\" is no variable, expected " + form);
    EXPECT_EQ(substituted("5$"), "\"$\" is no variable, expected " + form);
    EXPECT_EQ(substituted("${}"), "\"${}\" is no variable, expected " + form);
    EXPECT_EQ(substituted("${1A}"), "\"${1A}\" is no variable, expected " + form);
    EXPECT_EQ(substituted("${A-B}"), "\"${A-B}\" is no variable, expected " + form);
    EXPECT_EQ(substituted("a${NAME"), "\"${NAME\" is not closed, expected a } at its end");
    EXPECT_EQ(substituted("${NONE:-{x}"), "\"${NONE:-{x}\" is not closed, expected a } at its end");
    EXPECT_EQ(substituted("${NONE:-${NAME}}"),
              "\"${NONE:-${NAME}}\" has a variable inside a default, expected plain text as a "
              "default");
    EXPECT_EQ(substituted("${BYTES}"),
              "the environment variable BYTES is not UTF-8, expected plain text");
}

}  // namespace
}  // namespace tcplock::config
