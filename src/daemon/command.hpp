// A program that is run to its end beside the backends: a probe's command, or a hook. Exit status 0
// is success.
//
// At its time limit it is killed with all it has started. It belongs to no backend's tree.
#pragma once

#include "io/child.hpp"
#include "io/proc.hpp"
#include "io/reaper.hpp"
#include "io/tree.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::daemon {

struct CommandResult {
    bool succeeded = false;
    std::string why;  // not, in words, with the last line it printed; empty when it succeeded
    std::chrono::nanoseconds took{};
};

class Commands {
public:
    // What it has started and left behind, once it has ended in time.
    enum class Outliving {
        killed,
        left_alone,  // it may have started a service
    };
    using Line = std::function<void(std::string_view)>;

    // Both must outlive what runs.
    Commands(boost::asio::io_context& io, io::Reaper& reaper) : io_(io), reaper_(reaper) {}

    // Tells each line it prints, if that is asked for.
    boost::asio::awaitable<CommandResult> run(io::ChildSpec child, std::chrono::nanoseconds limit,
                                              Outliving outliving, Line line = {});

    bool is_any_running() const;
    // Looks at every tree that runs; false if we could not look.
    bool scan() const;
    // As of the last look: whether it belongs to one of them, and whether one could not tell yet.
    bool know(const io::ProcessStat& process) const;
    bool are_undecided_about(const io::ProcessStat& process) const;

    // KILL to every tree that runs, and no look back; or to what can be reached of each without a
    // descriptor or memory.
    void kill_all();
    void kill_unseen();

private:
    boost::asio::io_context& io_;
    io::Reaper& reaper_;
    std::uint64_t runs_ = 0;
    std::vector<std::weak_ptr<io::Tree>> running_;
};

}  // namespace tcplock::daemon
