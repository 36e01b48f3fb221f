#include "config/document.hpp"

#include "config/utf8.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace tcplock::config {
namespace {

using OpenValue = std::shared_ptr<Value>;

int line_of(const YAML::Mark& mark) {
    return mark.line + 1;
}

// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(std::string file) : file_{std::move(file)} {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        add_leaf(make(Value::Kind::nothing, mark), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto known = anchors_.find(anchor);
        if (known == anchors_.end()) {
            throw YAML::ParserException{mark, "an alias stands inside of what it names"};
        }
        if (static_cast<int>(open_.size()) + known->second->height > document_depth_max) {
            throw YAML::ParserException{mark, too_deep};
        }
        add(known->second, line_of(mark));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        const OpenValue node = make(Value::Kind::text, mark);
        node->text = value;
        if (tag == "tag:yaml.org,2002:binary") {
            node->encoding = Value::Encoding::base64;
        }
        add_leaf(node, anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Value::Kind::list, mark, anchor);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Value::Kind::map, mark, anchor);
    }
    void OnMapEnd() override { close(); }

    ValuePtr root() const { return root_; }
    std::vector<Problem> take_problems() { return std::move(problems_); }

private:
    static constexpr const char* too_deep = "lists and mappings are nested too deeply";

    // A list or mapping that is not complete, and the key that waits for its value.
    struct Open {
        OpenValue value;
        YAML::anchor_t anchor;
        std::optional<Entry> entry;
        std::map<std::string, int> first_lines;  // of its keys
    };

    static OpenValue make(Value::Kind kind, const YAML::Mark& mark) {
        auto node = std::make_shared<Value>();
        node->kind = kind;
        node->line = line_of(mark);
        return node;
    }

    void add_leaf(const ValuePtr& node, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor) {
            anchors_[anchor] = node;
        }
        add(node, node->line);
    }

    void open(Value::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (static_cast<int>(open_.size()) >= document_depth_max) {
            throw YAML::ParserException{mark, too_deep};
        }
        open_.push_back({make(kind, mark), anchor, std::nullopt, {}});
    }

    void close() {
        const Open done = std::move(open_.back());
        open_.pop_back();
        if (done.anchor != YAML::NullAnchor) {
            anchors_[done.anchor] = done.value;
        }
        add(done.value, done.value->line);
    }

    void add(const ValuePtr& node, int line) {
        if (open_.empty()) {
            root_ = node;
            return;
        }
        Open& parent = open_.back();
        if (parent.value->kind == Value::Kind::map && !parent.entry) {
            if (node->kind != Value::Kind::text) {
                YAML::Mark mark;
                mark.line = line - 1;
                throw YAML::ParserException{mark, "a key is not plain text"};
            }
            parent.entry = Entry{node->text, line, nullptr};
            return;
        }
        parent.value->height = std::max(parent.value->height, node->height + 1);
        if (parent.value->kind == Value::Kind::list) {
            parent.value->items.push_back(node);
            return;
        }
        parent.entry->value = node;
        add_entry(parent, *std::exchange(parent.entry, std::nullopt));
    }

    void add_entry(Open& map, Entry entry) {
        const auto [first, is_new] = map.first_lines.emplace(entry.key, entry.line);
        if (is_new) {
            map.value->entries.push_back(std::move(entry));
            return;
        }
        problems_.push_back({file_, entry.line, path_of_open_maps() + entry.key,
                             "written twice, first in line " + std::to_string(first->second)});
    }

    std::string path_of_open_maps() const {
        std::string path;
        for (const Open& open : open_) {
            if (open.entry) {
                path += (path.empty() ? "" : ".") + open.entry->key;
            } else if (open.value->kind == Value::Kind::list) {
                path += "[" + std::to_string(open.value->items.size()) + "]";
            }
        }
        return path.empty() ? path : path + ".";
    }

    std::string file_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, ValuePtr> anchors_;
    ValuePtr root_ = std::make_shared<Value>();
    std::vector<Problem> problems_;
};

// Whether a second document follows is all that is asked of it.
class DocumentCounter final : public YAML::EventHandler {
public:
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  const std::string&) override {
        refuse(mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        refuse(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        refuse(mark);
    }
    void OnMapEnd() override {}

private:
    [[noreturn]] static void refuse(const YAML::Mark& mark) {
        throw YAML::ParserException{mark, "a second document begins, expected one"};
    }
};

int line_at(std::string_view text, std::size_t offset) {
    return 1 + static_cast<int>(std::ranges::count(text.substr(0, offset), '\n'));
}

// What the parser would pass over in silence: it takes byte 4 for the end of the file and replaces
// what is not UTF-8.
std::optional<Problem> wrong_bytes(std::string_view text, const std::string& file) {
    if (text.size() > document_bytes_max) {
        return Problem{file, 0, "", "is larger than 256KiB, expected a configuration file"};
    }
    if (const auto offset = first_not_utf8(text)) {
        return Problem{file, line_at(text, *offset), "", "is not UTF-8, expected plain text"};
    }
    const auto control = std::ranges::find_if(text, [](unsigned char c) {
        return c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r');
    });
    if (control != text.end()) {
        const auto offset = static_cast<std::size_t>(control - text.begin());
        return Problem{
            file, line_at(text, offset), "",
            cited(text.substr(offset, 1)) +
                " is a control character, expected plain text or an escape like \"\\x04\""};
    }
    return std::nullopt;
}

Problem not_yaml(const std::string& file, int line, const std::string& why) {
    return Problem{file, line, "", "not valid YAML: " + why};
}

}  // namespace

std::string_view describe(Value::Kind kind) {
    switch (kind) {
        case Value::Kind::nothing:
            return "nothing";
        case Value::Kind::text:
            return "a single value";
        case Value::Kind::list:
            return "a list";
        case Value::Kind::map:
            return "a mapping";
    }
    return "";
}

Document parse_document(std::string_view text, const std::string& file) {
    if (auto problem = wrong_bytes(text, file)) {
        return {nullptr, {std::move(*problem)}};
    }
    try {
        std::istringstream stream{std::string{text}};
        YAML::Parser parser{stream};
        TreeBuilder builder{file};
        DocumentCounter counter;
        parser.HandleNextDocument(builder);
        parser.HandleNextDocument(counter);
        return {builder.root(), builder.take_problems()};
    } catch (const YAML::Exception& exception) {
        return {nullptr, {not_yaml(file, line_of(exception.mark), exception.msg)}};
    } catch (const std::exception& exception) {
        // The parser lets standard exceptions out for some broken escapes and numbers.
        return {nullptr, {not_yaml(file, 0, exception.what())}};
    }
}

}  // namespace tcplock::config
