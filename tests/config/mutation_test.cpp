#include "config/doubts.hpp"
#include "config/show.hpp"
#include "equality.hpp"
#include "loading.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>

namespace tcplock::config {
namespace {

using namespace std::string_view_literals;

// Whatever the text, there is an answer: problems that can be printed, or a configuration that can
// be shown, doubted and loaded again.
void expect_an_answer(const std::string& text) {
    const Result result = load_text(text, "f", test::variables());
    if (const auto* const problems = std::get_if<std::vector<Problem>>(&result)) {
        EXPECT_FALSE(problems->empty());
        for (const std::string& line : test::lines_of(*problems)) {
            EXPECT_EQ(line.find('\n'), std::string::npos);
        }
        return;
    }
    const auto& config = std::get<Config>(result);
    doubts(config);
    const Result again = load_text(show(config), "f", test::variables());
    ASSERT_TRUE(std::holds_alternative<Config>(again)) << text;
    EXPECT_EQ(std::get<Config>(again), config) << text;
}

// Comments say nothing to the reader of the file, and would take most of the mutations.
std::string without_comments(const std::string& text) {
    std::string out;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size() - 1);
        const std::string line = text.substr(begin, end - begin);
        const std::size_t code =
            line.find_last_not_of(' ', std::min(line.find('#'), line.size()) - 1);
        if (!line.starts_with('#') && code != std::string::npos && line[code] != '#') {
            out += line.substr(0, code + 1) + '\n';
        }
        begin = end + 1;
    }
    return out;
}

TEST(Mutation, SamplesWithoutCommentsStillLoad) {
    for (const std::string& name : test::sample_names) {
        EXPECT_EQ(test::loaded(without_comments(test::sample(name))),
                  test::loaded(test::sample(name)));
    }
}

TEST(Mutation, AnySampleCutAnywhereHasAnAnswer) {
    for (const std::string& name : test::sample_names) {
        const std::string text = without_comments(test::sample(name));
        for (std::size_t length = 0; length < text.size(); ++length) {
            expect_an_answer(text.substr(0, length));
        }
    }
}

TEST(Mutation, AnySampleWithAnyByteChangedHasAnAnswer) {
    constexpr unsigned seed = 20261122;
    constexpr auto odd = "{}[]:,-#&*!|>'\"%@`$\\ \n\t\0\x04\x7f\x80\xff~?=.09azAZ"sv;
    std::mt19937 random{seed};
    std::uniform_int_distribution<std::size_t> which_odd{0, odd.size() - 1};
    for (const std::string& name : test::sample_names) {
        const std::string text = without_comments(test::sample(name));
        for (std::size_t at = 0; at < text.size(); ++at) {
            std::string changed = text;
            switch (random() % 3) {
                case 0:
                    changed[at] = odd[which_odd(random)];
                    break;
                case 1:
                    changed.erase(at, 1);
                    break;
                default:
                    changed.insert(at, 1, odd[which_odd(random)]);
                    break;
            }
            expect_an_answer(changed);
        }
    }
}

}  // namespace
}  // namespace tcplock::config
