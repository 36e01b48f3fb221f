// The schema against the table of keys and against the reader.

#include "config/schema.hpp"

#include "config/keys.hpp"
#include "loading.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

namespace tcplock::config {
namespace {

namespace json = boost::json;

struct Named {
    std::string path;  // as in the table of keys
    json::object schema;
};

// Every key that the schema has, sections first.
void collect(const json::object& mapping, const std::string& prefix, std::vector<Named>& found) {
    for (const json::key_value_pair& pair : mapping.at("properties").as_object()) {
        const std::string path = prefix + std::string{pair.key()};
        const json::object& schema = pair.value().as_object();
        found.push_back({path, schema});
        if (schema.contains("properties")) {
            collect(schema, path + ".", found);
        }
        if (const json::value* const mapping_there = schema.if_contains("then")) {
            collect(mapping_there->as_object(), path + ".", found);
        }
        const json::value* const items = schema.if_contains("items");
        const json::object* const item = items == nullptr ? nullptr : items->if_object();
        if (item != nullptr && item->contains("properties")) {
            collect(*item, path + "[].", found);
        }
    }
}

std::vector<Named> all_named() {
    std::vector<Named> found;
    collect(json::parse(schema()).as_object(), "", found);
    return found;
}

// A text that has one value at a path, and no other.
std::string text_with(std::string_view path, const std::string& value) {
    std::string text;
    std::size_t depth = 0;
    while (true) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        text += std::string{path.substr(0, dot)} + ": ";
        if (dot == path.size()) {
            return text + value + std::string(depth, '}') + "\n";
        }
        text += "{";
        ++depth;
        path.remove_prefix(dot + 1);
    }
}

// Whether the reader has nothing against this form of a value, whatever it misses elsewhere.
bool is_read(const std::string& path, const std::string& value) {
    const auto lines = test::problems_of(text_with(path, value));
    return std::ranges::none_of(lines, [&](const std::string& line) {
        return line.starts_with("f:1: " + path + ": ") &&
               line.find("has no effect") == std::string::npos &&
               line.find("with protocol") == std::string::npos;
    });
}

TEST(Schema, NamesTheKeysThatAreAvailable) {
    std::vector<std::string> named;
    for (const Named& key : all_named()) {
        named.push_back(key.path);
    }
    std::vector<std::string> available;
    for (const Key& key : keys()) {
        if (key.standing == Key::Standing::available) {
            available.emplace_back(key.path);
        }
    }
    EXPECT_EQ(named, available);
}

TEST(Schema, SaysWhatEachKeyIsFor) {
    for (const Named& key : all_named()) {
        EXPECT_GT(key.schema.at("description").as_string().size(), 5) << key.path;
    }
}

TEST(Schema, HasTheDefaultsOfTheProtocolThatNeedNotBeWritten) {
    const auto named = all_named();
    const auto at = [&](std::string_view path) {
        return std::ranges::find(named, path, &Named::path)->schema;
    };
    EXPECT_EQ(at("protocol").at("default"), "uno");
    EXPECT_EQ(at("gate.queue_limit").at("default"), 100);
    EXPECT_EQ(at("backend.restart_backoff.max").at("default"), "30s");
    EXPECT_EQ(at("probe.path").at("default"), "/");
    EXPECT_EQ(at("recycle.schedule").at("default"), json::array{});
    EXPECT_FALSE(at("probe.expect").contains("default"));
    EXPECT_TRUE(at("probe.admission")
                    .at("description")
                    .as_string()
                    .ends_with(" The default with protocol tcp is off."));
    EXPECT_TRUE(at("backend.command")
                    .at("description")
                    .as_string()
                    .ends_with(" With protocol tcp there is no default."));
}

// So that the two lists of numbers and words, the schema's and the reader's, cannot part.
TEST(Schema, HasTheBoundsAndTheWordsOfTheReader) {
    int bounds = 0;
    int words = 0;
    for (const Named& key : all_named()) {
        const json::value* const alternatives = key.schema.if_contains("anyOf");
        if (alternatives == nullptr || key.path.find("[]") != std::string::npos ||
            key.path == "probe.status") {  // only read with another kind of probe
            continue;
        }
        for (const json::value& alternative : alternatives->as_array()) {
            const json::object& form = alternative.as_object();
            if (form.contains("minimum")) {
                const std::int64_t min = form.at("minimum").as_int64();
                const std::int64_t max = form.at("maximum").as_int64();
                EXPECT_TRUE(is_read(key.path, std::to_string(min))) << key.path;
                EXPECT_TRUE(is_read(key.path, std::to_string(max))) << key.path;
                EXPECT_FALSE(is_read(key.path, std::to_string(min - 1))) << key.path;
                EXPECT_FALSE(is_read(key.path, std::to_string(max + 1))) << key.path;
                ++bounds;
            }
            if (form.contains("enum")) {
                for (const json::value& word : form.at("enum").as_array()) {
                    // YAML's older rules make `off` a truth value, which the reader never sees.
                    EXPECT_TRUE(word == false ||
                                is_read(key.path, json::value_to<std::string>(word)))
                        << key.path << ": " << word;
                    ++words;
                }
            }
        }
    }
    EXPECT_GT(bounds, 8);
    EXPECT_GT(words, 20);
}

}  // namespace
}  // namespace tcplock::config
