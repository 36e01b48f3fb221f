#include "samples.hpp"

#include "config/defaults.hpp"
#include "config/document.hpp"
#include "config/doubts.hpp"
#include "config/keys.hpp"
#include "equality.hpp"
#include "loading.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>

namespace tcplock::config {
namespace {

// The node at a path of the table of keys, the first item standing for a whole list.
ValuePtr node_at(ValuePtr node, std::string_view path) {
    while (node && !path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        std::string_view name = path.substr(0, dot);
        const bool is_list = name.ends_with("[]");
        name.remove_suffix(is_list ? 2 : 0);
        const auto entry = std::ranges::find(node->entries, name, &Entry::key);
        node = entry == node->entries.end() ? nullptr : entry->value;
        if (node && is_list) {
            node = node->items.empty() ? nullptr : node->items.front();
        }
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return node;
}

TEST(Samples, AreAllTested) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{TCPLOCK_SAMPLES}) {
        if (entry.path().extension() == ".yaml") {
            found.push_back(entry.path().filename());
        }
    }
    EXPECT_TRUE(std::ranges::is_permutation(found, test::sample_names));
}

TEST(Samples, LoadWithoutProblemOrDoubt) {
    for (const std::string& name : test::sample_names) {
        const Config config = test::loaded(test::sample(name));
        EXPECT_EQ(test::lines_of(doubts(config)), std::vector<std::string>{}) << name;
    }
}

// Beside it or in the line above; what holds other keys needs none.
TEST(Samples, SayWhatEachKeyIsFor) {
    const std::regex key(R"(\s*(- )?[a-z_]+: .*)");
    for (const std::string& name : test::sample_names) {
        std::istringstream lines(test::sample(name));
        std::string before;
        for (std::string line; std::getline(lines, line); before = line) {
            const std::size_t first = before.find_first_not_of(' ');
            const bool has_line_above = first != std::string::npos && before[first] == '#';
            EXPECT_TRUE(!std::regex_match(line, key) || line.find('#') != std::string::npos ||
                        has_line_above)
                << name << ": " << line;
        }
    }
}

TEST(Samples, OfficeIsWhatAnEmptyFileMeans) {
    EXPECT_EQ(test::loaded(test::sample("tcplock.yaml")), test::loaded(""));
    const Config config = test::loaded(test::sample("tcplock.yaml"),
                                       test::variables({{"STATE_DIRECTORY", "/srv/s"}}));
    EXPECT_EQ(config.backend.state_directory, "/srv/s");
}

TEST(Samples, OfficeNamesEveryKeyThatIsAvailable) {
    const Document document = parse_document(test::sample("tcplock.yaml"), "tcplock.yaml");
    for (const Key& key : keys()) {
        // What belongs to another kind of probe would be a problem there, and hooks are off.
        const bool is_of_other_probe = key.path == "probe.send" || key.path == "probe.expect" ||
                                       key.path == "probe.path" || key.path == "probe.status" ||
                                       key.path == "probe.command";
        const bool is_of_hook = key.path.starts_with("hooks.") &&
                                (key.path.ends_with(".command") || key.path.ends_with(".timeout"));
        const bool is_of_tcp = key.path == "backend.ports";  // An office has a pipe.
        if (key.standing == Key::Standing::available && !is_of_other_probe && !is_of_hook &&
            !is_of_tcp) {
            EXPECT_TRUE(node_at(document.root, key.path)) << key.path;
        }
    }
}

}  // namespace
}  // namespace tcplock::config
