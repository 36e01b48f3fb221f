#include "config/section.hpp"

#include "config/keys.hpp"

#include <algorithm>
#include <utility>

namespace tcplock::config {
namespace {

// "listen[1].address" -> "listen[].address", as the table of keys has it.
std::string without_numbers(std::string_view path) {
    std::string out;
    bool is_inside = false;
    for (const char c : path) {
        is_inside = is_inside && c != ']';
        if (!is_inside) {
            out += c;
        }
        is_inside = is_inside || c == '[';
    }
    return out;
}

void note_children_of_coming(Reading& reading, const Entry& entry) {
    for (const Entry& child : entry.value->entries) {
        const std::string path = entry.key + "." + child.key;
        reading.note(child.line, path, wrong_key(path));
    }
}

}  // namespace

void Reading::note(int line, std::string_view key, std::string_view message) {
    problems.push_back({positions.file, line, std::string{key}, std::string{message}});
}

void Reading::note(std::string_view key, std::string_view message) {
    note(line_of(positions, key), key, message);
}

std::variant<std::string, Wrong> read_text(const Reading& reading, const Value& node,
                                           std::string_view expected) {
    if (node.kind == Value::Kind::nothing) {
        return Wrong{"has no value, expected " + std::string{expected}};
    }
    if (node.kind != Value::Kind::text) {
        return Wrong{"found " + std::string{describe(node.kind)} + ", expected " +
                     std::string{expected}};
    }
    if (node.encoding == Value::Encoding::base64) {
        return Wrong{"found !!binary, expected " + std::string{expected}};
    }
    return substitute(node.text, reading.environment);
}

Section::Section(Reading& reading, std::string path, ValuePtr node)
    : reading_{&reading}, path_{std::move(path)}, node_{std::move(node)} {
    if (!node_) {
        return;
    }
    if (node_->kind != Value::Kind::map && node_->kind != Value::Kind::nothing) {
        reading_->note(
            path_.empty() ? node_->line : line_of(reading_->positions, path_), path_,
            "found " + std::string{describe(node_->kind)} + ", expected a mapping of keys");
        node_ = nullptr;
        return;
    }
    for (const Entry& entry : node_->entries) {
        const std::string key = path_of(entry.key);
        reading_->positions.lines.emplace(key, entry.line);
        const std::string wrong = wrong_key(without_numbers(key));
        if (wrong.empty()) {
            continue;
        }
        // Of a whole section that is still to come, each key is named.
        if (path_.empty() && !entry.value->entries.empty() &&
            wrong_key(entry.key).starts_with("not available")) {
            note_children_of_coming(*reading_, entry);
            continue;
        }
        reading_->note(entry.line, key, wrong);
    }
}

ValuePtr Section::value(std::string_view name) const {
    if (!node_) {
        return nullptr;
    }
    const auto entry = std::ranges::find(node_->entries, name, &Entry::key);
    return entry == node_->entries.end() ? nullptr : entry->value;
}

bool Section::has(std::string_view name) const {
    return value(name) != nullptr;
}

std::string Section::path_of(std::string_view name) const {
    return path_.empty() ? std::string{name} : path_ + "." + std::string{name};
}

Section Section::section(std::string_view name) const {
    return Section{*reading_, path_of(name), value(name)};
}

std::vector<Section> Section::sections(std::string_view name) const {
    std::vector<Section> found;
    const auto* const items = list(name, "a list of mappings");
    if (items == nullptr) {
        return found;
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        const std::string path = path_of(name) + "[" + std::to_string(i) + "]";
        const ValuePtr& item = (*items)[i];
        reading_->positions.lines.emplace(path, item->line);
        Section section{*reading_, path, item};
        if (section.node_) {
            found.push_back(std::move(section));
        }
    }
    return found;
}

const std::vector<ValuePtr>* Section::list(std::string_view name, std::string_view expected) const {
    const ValuePtr node = value(name);
    if (!node) {
        return nullptr;
    }
    if (node->kind != Value::Kind::list) {
        note(name,
             "found " + std::string{describe(node->kind)} + ", expected " + std::string{expected});
        return nullptr;
    }
    return &node->items;  // The tree outlives this call: node_ holds it.
}

void Section::note_missing(std::string_view name, std::string_view message) const {
    const int line = line_of(reading_->positions, path_of(name));
    reading_->note(line > 0 ? line : line_of(reading_->positions, "protocol"), path_of(name),
                   message);
}

void Section::note(std::string_view name, std::string_view message) const {
    reading_->note(path_of(name), message);
}

}  // namespace tcplock::config
