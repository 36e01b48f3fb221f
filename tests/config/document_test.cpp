#include "config/document.hpp"

#include "config/utf8.hpp"
#include "loading.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tcplock::config {
namespace {

ValuePtr tree(std::string_view text) {
    const Document document = parse_document(text, "f");
    EXPECT_TRUE(document.problems.empty()) << to_text(document.problems.front());
    return document.root;
}

std::vector<std::string> problems(std::string_view text) {
    return test::lines_of(parse_document(text, "f").problems);
}

using Lines = std::vector<std::string>;

TEST(Document, KnowsKindsAndLines) {
    const ValuePtr root = tree("a: 1\nb:\n  - x\n  - 'off'\nc: {d: }\n");
    ASSERT_EQ(root->kind, Value::Kind::map);
    ASSERT_EQ(root->entries.size(), 3U);
    EXPECT_EQ(root->entries[0].value->text, "1");
    EXPECT_EQ(root->entries[1].line, 2);
    EXPECT_EQ(root->entries[1].value->kind, Value::Kind::list);
    EXPECT_EQ(root->entries[1].value->items[1]->text, "off");
    EXPECT_EQ(root->entries[1].value->items[1]->line, 4);
    EXPECT_EQ(root->entries[2].value->entries[0].value->kind, Value::Kind::nothing);
}

TEST(Document, MayBeEmpty) {
    EXPECT_EQ(tree("")->kind, Value::Kind::nothing);
    EXPECT_EQ(tree("# only a comment\n")->kind, Value::Kind::nothing);
    EXPECT_EQ(tree("---\n")->kind, Value::Kind::nothing);
    EXPECT_EQ(tree("\xef\xbb\xbf")->kind, Value::Kind::nothing);
}

TEST(Document, NamesKeysWrittenTwice) {
    EXPECT_EQ(problems("a: 1\nb: 2\na: 3\n"), (Lines{"f:3: a: written twice, first in line 1"}));
    EXPECT_EQ(problems("a:\n  - {x: 1}\n  - {y: 1,\n     y: 2}\n"),
              (Lines{"f:4: a[1].y: written twice, first in line 3"}));
}

TEST(Document, FollowsAliases) {
    const ValuePtr root = tree("a: &x [1, 2]\nb: *x\n");
    EXPECT_EQ(root->entries[0].value, root->entries[1].value);
    EXPECT_EQ(problems("a: *nobody\n").size(), 1U);
}

TEST(Document, IsNeverACircle) {
    EXPECT_EQ(problems("a: &x\n  b: *x\n"),
              (Lines{"f:2: not valid YAML: an alias stands inside of what it names"}));
}

TEST(Document, IsNeverTooDeep) {
    const Lines too_deep{"f:1: not valid YAML: lists and mappings are nested too deeply"};
    EXPECT_EQ(problems(std::string(32, '[') + std::string(32, ']')), Lines{});
    EXPECT_EQ(problems(std::string(33, '[') + std::string(33, ']')), too_deep);
    EXPECT_EQ(problems(std::string(100'000, '[')), too_deep);
    EXPECT_EQ(problems(std::string(100'000, '{')), too_deep);
    std::string nested;
    for (int i = 0; i < 50'000; ++i) {
        nested += "- ";
    }
    EXPECT_EQ(problems(nested), too_deep);
}

TEST(Document, IsNeverMadeDeepByAliases) {
    std::string text = "- &a0 []\n";
    for (int i = 1; i < 8'000; ++i) {
        text += "- &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    }
    EXPECT_EQ(problems(text),
              (Lines{"f:32: not valid YAML: lists and mappings are nested too deeply"}));
}

TEST(Document, IsNotBlownUpByAliases) {
    std::string text = "- &a0 [x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 20; ++i) {
        const std::string alias = "*a" + std::to_string(i - 1);
        text += "- &a" + std::to_string(i) + " [" + alias;
        for (int j = 0; j < 7; ++j) {
            text += ", " + alias;
        }
        text += "]\n";
    }
    EXPECT_EQ(tree(text)->items.size(), 20U);
}

TEST(Document, IsReadInTimeHoweverManyKeysItHas) {
    std::string text;
    for (int i = 0; i < 25'000; ++i) {
        text += "k" + std::to_string(i) + ": 1\n";
    }
    EXPECT_EQ(tree(text)->entries.size(), 25'000U);
}

TEST(Document, IsOneAndOfPlainText) {
    EXPECT_EQ(problems("a: 1\n---\nb: 2\n"),
              (Lines{"f:3: not valid YAML: a second document begins, expected one"}));
    EXPECT_EQ(problems("a: 1\nb: \xff\n"), (Lines{"f:2: is not UTF-8, expected plain text"}));
    EXPECT_EQ(problems("a: 1\n\nb: \x04\n"),
              (Lines{"f:3: \"\\x04\" is a control character, expected plain text or an escape like "
                     "\"\\x04\""}));
    EXPECT_EQ(problems("? [a]\n: 1\n"), (Lines{"f:1: not valid YAML: a key is not plain text"}));
    EXPECT_EQ(problems(std::string(document_bytes_max + 1, '#')),
              (Lines{"f: is larger than 256KiB, expected a configuration file"}));
    EXPECT_EQ(problems(std::string(document_bytes_max, '#')), Lines{});
}

TEST(Document, NamesTheLineOfABrokenOne) {
    EXPECT_EQ(problems("a: 1\nb: [\n"),
              (Lines{"f:3: not valid YAML: end of sequence flow not found"}));
    EXPECT_EQ(problems("a: 1\n  b: 2\n").size(), 1U);
    EXPECT_EQ(problems("a: \"\\q\"\n"),
              (Lines{"f:1: not valid YAML: unknown escape character: q"}));
}

TEST(Utf8, IsOnlyTheShortestForm) {
    EXPECT_FALSE(first_not_utf8("aé€😀\xef\xbf\xbf"));
    EXPECT_EQ(first_not_utf8("a\x80"), 1U);
    EXPECT_EQ(first_not_utf8("\xc0\x80"), 0U);          // overlong
    EXPECT_EQ(first_not_utf8("\xe0\x80\x80"), 0U);      // overlong
    EXPECT_EQ(first_not_utf8("ab\xed\xa0\x80"), 2U);    // a surrogate
    EXPECT_EQ(first_not_utf8("\xf4\x90\x80\x80"), 0U);  // above U+10FFFF
    EXPECT_EQ(first_not_utf8("\xe2\x82"), 0U);          // cut short
    EXPECT_EQ(first_code_point("€uro")->value, 0x20acU);
    EXPECT_EQ(first_code_point("€uro")->length, 3U);
}

}  // namespace
}  // namespace tcplock::config
