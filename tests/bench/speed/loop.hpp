// epoll, and whom to call when a descriptor is ready. One thread; level-triggered.
//
// A descriptor is forgotten before it is closed: what was told of it in the same turn is dropped.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace tcplock::bench {

class Loop {
public:
    using Ready = std::function<void(std::uint32_t events)>;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void watch(int fd, std::uint32_t events, Ready ready);
    void watch_for(int fd, std::uint32_t events);
    void forget(int fd);

    // Waits for news, at most so long, and tells it.
    void turn(std::chrono::milliseconds longest);
    // Until the condition is met, which is looked at after each turn; throws Failure if it is not
    // within two minutes.
    void turn_until(std::string_view what, const std::function<bool()>& is_met,
                    std::chrono::milliseconds longest_turn = std::chrono::milliseconds{100});

private:
    struct Watched {
        Ready ready;
        std::uint32_t incarnation = 0;  // of the number, which the system gives out again
    };

    void control(int operation, int fd, std::uint32_t events);
    Watched& watched(int fd);

    int epoll_;
    std::vector<Watched> watched_;
};

}  // namespace tcplock::bench
