#include "io/look_up.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <string_view>
#include <thread>

namespace {

using namespace std::chrono_literals;

constexpr std::string_view name = "service.test";
constexpr std::uint16_t port = 8100;

// What stands in for the system's name service, for one name: it answers when it is told to, with
// an address or with a failure.
class FakeNames {
public:
    int ask(addrinfo** results) {
        std::unique_lock lock(mutex_);
        ++asked_;
        answers_.wait(lock, [this] { return may_answer_; });
        may_answer_ = false;
        if (!has_address_) {
            return EAI_AGAIN;
        }
        auto* const address = new sockaddr_in{};
        address->sin_family = AF_INET;
        address->sin_port = htons(port);
        address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *results = new addrinfo{};
        (*results)->ai_addr = reinterpret_cast<sockaddr*>(address);
        (*results)->ai_addrlen = sizeof *address;
        return 0;
    }

    void answer(bool has_address) {
        const std::lock_guard lock(mutex_);
        has_address_ = has_address;
        may_answer_ = true;
        answers_.notify_all();
    }

    int asked() const { return asked_; }

private:
    std::mutex mutex_;
    std::condition_variable answers_;
    bool may_answer_ = false;
    bool has_address_ = false;
    std::atomic<int> asked_ = 0;
};

FakeNames* names = nullptr;

}  // namespace

// In place of the C library's.
extern "C" int getaddrinfo(const char* host, const char*, const addrinfo*, addrinfo** results) {
    return names != nullptr && host == name ? names->ask(results) : EAI_NONAME;
}

extern "C" void freeaddrinfo(addrinfo* results) {
    delete reinterpret_cast<sockaddr_in*>(results->ai_addr);
    delete results;
}

namespace tcplock::io {
namespace {

class LookUpTest : public ::testing::Test {
protected:
    LookUpTest() { names = &fake_; }
    ~LookUpTest() override {
        // Its thread may still be asking, or not have come to it yet.
        const auto until = std::chrono::steady_clock::now() + 10s;
        while (threads() > threads_ && std::chrono::steady_clock::now() < until) {
            fake_.answer(false);
            std::this_thread::sleep_for(1ms);
        }
        names = nullptr;
    }

    LookUp look_up(std::string service, std::chrono::milliseconds limit) {
        LookUp found;
        boost::asio::co_spawn(
            io_, service_.look_up(std::move(service), limit),
            [&found](std::exception_ptr, LookUp result) { found = std::move(result); });
        io_.restart();
        io_.run();
        return found;
    }

    LookUp look_up_name(std::chrono::milliseconds limit) {
        return look_up(std::string{name} + ":8100", limit);
    }

    void answer_late(bool has_address) {
        fake_.answer(has_address);
        // The thread that asked is gone when its answer is there.
        const auto until = std::chrono::steady_clock::now() + 10s;
        while (threads() > threads_) {
            ASSERT_LT(std::chrono::steady_clock::now(), until);
            std::this_thread::sleep_for(1ms);
        }
    }

    static std::ptrdiff_t threads() {
        return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
    }

    FakeNames fake_;
    const std::ptrdiff_t threads_ = threads();
    boost::asio::io_context io_;
    NameService service_;
};

TEST_F(LookUpTest, OfANumberAsksNobody) {
    const LookUp found = look_up("127.0.0.1:8100", 1ms);
    ASSERT_EQ(found.endpoints.size(), 1U);
    EXPECT_EQ(found.endpoints.front().port(), port);
    EXPECT_EQ(fake_.asked(), 0);
}

TEST_F(LookUpTest, TellsTheAddressesOfAName) {
    fake_.answer(true);
    const LookUp found = look_up_name(10s);
    ASSERT_EQ(found.endpoints.size(), 1U);
    EXPECT_TRUE(found.endpoints.front().address().is_loopback());
    EXPECT_EQ(found.endpoints.front().port(), port);
}

TEST_F(LookUpTest, TellsWhyThereIsNone) {
    fake_.answer(false);
    const LookUp found = look_up_name(10s);
    EXPECT_TRUE(found.endpoints.empty());
    EXPECT_EQ(found.why, "Temporary failure in name resolution");
}

TEST_F(LookUpTest, IsGivenUpAtTheLimitAndNotAskedTwiceAtOnce) {
    EXPECT_EQ(look_up_name(20ms).why, "the name service does not answer");
    EXPECT_EQ(look_up_name(20ms).why, "the name service does not answer");
    EXPECT_EQ(threads(), threads_ + 1);
}

TEST_F(LookUpTest, TakesASuccessThatCameLate) {
    EXPECT_TRUE(look_up_name(20ms).endpoints.empty());
    answer_late(true);
    EXPECT_EQ(look_up_name(20ms).endpoints.size(), 1U);
    EXPECT_EQ(fake_.asked(), 1);
}

// It was told once more as what had just been asked, and every second try was for nothing.
TEST_F(LookUpTest, DoesNotTakeAFailureThatCameLateForNews) {
    EXPECT_TRUE(look_up_name(20ms).endpoints.empty());
    answer_late(false);
    fake_.answer(true);
    EXPECT_EQ(look_up_name(10s).endpoints.size(), 1U);
    EXPECT_EQ(fake_.asked(), 2);
}

}  // namespace
}  // namespace tcplock::io
