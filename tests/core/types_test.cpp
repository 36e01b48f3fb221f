#include "core/types.hpp"

#include <gtest/gtest.h>

namespace tcplock::core {
namespace {

using Maybe = std::optional<int>;

TEST(Earlier, IsTheFirstOfTwo) {
    EXPECT_EQ(earlier(Maybe(1), 2), 1);
    EXPECT_EQ(earlier(Maybe(2), 1), 1);
}

TEST(Earlier, IsTheOtherIfOneIsAbsent) {
    EXPECT_EQ(earlier(Maybe(1), std::nullopt), 1);
    EXPECT_EQ(earlier(Maybe(), 1), 1);
    EXPECT_EQ(earlier(Maybe(), std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace tcplock::core
