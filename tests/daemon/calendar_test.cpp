#include "daemon/calendar.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace tcplock::daemon {
namespace {

using namespace std::chrono;

class LocalTime : public testing::Test {
protected:
    LocalTime() {
        if (const char* const zone = std::getenv("TZ")) {
            zone_before_ = zone;
        }
    }
    ~LocalTime() override {
        if (zone_before_) {
            ::setenv("TZ", zone_before_->c_str(), 1);
        } else {
            ::unsetenv("TZ");
        }
        ::tzset();
    }

    // How far the calendar's clock is ahead of UTC in this zone.
    static minutes offset_in(const std::string& zone) {
        ::setenv("TZ", zone.c_str(), 1);
        ::tzset();
        const auto before = floor<seconds>(system_clock::now()).time_since_epoch();
        const auto local = Calendar::local_now().time_since_epoch();
        const auto after = floor<seconds>(system_clock::now()).time_since_epoch();
        EXPECT_LE((after - before).count(), 30) << "too busy a machine to tell the time";
        return round<minutes>(local - before);
    }

private:
    std::optional<std::string> zone_before_;
};

// In TZ, what is west of Greenwich is positive (POSIX, environment variable TZ).
TEST_F(LocalTime, IsThatOfTheMachinesZone) {
    EXPECT_EQ(offset_in("UTC0"), 0min);
    EXPECT_EQ(offset_in("HERE-5:30"), 5h + 30min);
    EXPECT_EQ(offset_in("THERE8"), -8h);
}

TEST_F(LocalTime, KnowsSummer) {
    // Summer from the first to the last day of each year, so that the test has no season.
    EXPECT_EQ(offset_in("WINTER-1SUMMER-2,J1/0,J365/23:59:59"), 2h);
}

core::CivilTime at(int hour, int minute) {
    return local_days{2026y / March / 2} + hours{hour} + minutes{minute};  // A Monday.
}

TEST(Calendar, HasNothingDueWithoutLines) {
    EXPECT_EQ(Calendar({}).next(at(12, 0)), std::nullopt);
}

TEST(Calendar, TakesTheEarliestOfItsLines) {
    const Calendar calendar({"30 3 * * *", "0 22 * * *", "15 12 * * 1"});
    EXPECT_EQ(calendar.next(at(3, 0)), at(3, 30));
    EXPECT_EQ(calendar.next(at(4, 0)), at(12, 15));
    EXPECT_EQ(calendar.next(at(13, 0)), at(22, 0));
    EXPECT_EQ(calendar.next(at(22, 0)), at(3, 30) + days{1});
}

TEST(Calendar, LooksStrictlyIntoTheFuture) {
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(3, 30)), at(3, 30) + days{1});
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(3, 30) - seconds{1}), at(3, 30));
}

TEST(Calendar, IsNotKeptFromItsOtherLinesByOneThatIsNeverDue) {
    EXPECT_EQ(Calendar({"0 0 30 2 *"}).next(at(3, 0)), std::nullopt);
    EXPECT_EQ(Calendar({"0 0 30 2 *", "30 3 * * *"}).next(at(3, 0)), at(3, 30));
}

}  // namespace
}  // namespace tcplock::daemon
