// What the tests with real processes share: a reaper that runs, children whose output is collected,
// and waiting for a condition with a deadline. Whatever a test started is killed when it ends.
#pragma once

#include "io/child.hpp"
#include "io/output.hpp"
#include "io/proc.hpp"
#include "io/reaper.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <variant>
#include <vector>

namespace tcplock::io {

inline constexpr std::chrono::seconds patience{20};

inline ChildSpec shell(const std::string& script) {
    return {{"sh", "-c", script}, {{"PATH", "/usr/bin:/bin"}}, {}, {}, 0, 0, {}, {}, {}};
}

inline ChildSpec probe(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CHILD_PROBE);
    return {std::move(arguments), {{"PATH", "/usr/bin:/bin"}}, {}, {}, 0, 0, {}, {}, {}};
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 4096; ++fd) {
        count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

inline std::size_t children_of_ours() {
    return children_of(::getpid()).value().size();
}

inline bool is_gone(pid_t pid) {
    return !read_stat(pid).has_value();
}

class ProcessTest : public ::testing::Test {
protected:
    struct Running {
        pid_t pid = 0;
        std::string output;  // Each line with its end.
        std::uint64_t dropped = 0;
        std::optional<ExitStatus> status;
        std::optional<Output> pipe = {};
        bool is_drained = false;

        bool has_said(const std::string& text) const {
            return output.find(text) != std::string::npos;
        }
        bool has_ended() const { return status.has_value() && is_drained; }
    };

    ProcessTest() { reaper_.start(); }

    ~ProcessTest() override {
        for (const auto& running : started_) {
            if (!running.status) {
                ::kill(-running.pid, SIGKILL);
            }
        }
        until([this] { return children_of_ours() == 0; });
    }

    bool until(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            io_.run_one_for(std::chrono::milliseconds(5));
        }
        return true;
    }

    // The reference stays good; a child that cannot be started fails the test and has pid 0.
    Running& start(const ChildSpec& spec) {
        Running& running = started_.emplace_back();
        auto spawned = spawn(io_, spec);
        if (const auto* failure = std::get_if<SpawnFailure>(&spawned)) {
            ADD_FAILURE() << failure->what;
            return running;
        }
        auto& child = std::get<Child>(spawned);
        running.pid = child.pid;
        reaper_.own(child.pid, [&running](ExitStatus status) { running.status = status; });
        OutputSink sink{
            [&running](std::string_view line) { running.output += std::string(line) + "\n"; },
            [&running](std::uint64_t lines, const std::deque<std::string>&) {
                running.dropped += lines;
            }};
        running.pipe.emplace(std::move(child.output), std::move(sink));
        boost::asio::co_spawn(io_, running.pipe->drain(), [&running](std::exception_ptr error) {
            EXPECT_FALSE(error);
            running.is_drained = true;
        });
        return running;
    }

    std::string output_of(const ChildSpec& spec) {
        Running& running = start(spec);
        EXPECT_TRUE(running.pid == 0 || until([&] { return running.has_ended(); }));
        return running.output;
    }

    SpawnFailure failure_of(const ChildSpec& spec) {
        auto spawned = spawn(io_, spec);
        if (auto* child = std::get_if<Child>(&spawned)) {
            ADD_FAILURE() << "it started";
            ::kill(child->pid, SIGKILL);
            return {};
        }
        return std::get<SpawnFailure>(spawned);
    }

    boost::asio::io_context io_{1};
    Reaper reaper_{io_};
    std::list<Running> started_;
};

}  // namespace tcplock::io
