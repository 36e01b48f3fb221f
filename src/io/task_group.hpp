// Owns running coroutines: nothing in this program runs detached.
//
// A task that ends by an exception has a bug; on_failure hears of it. The group must be empty when
// it is destroyed, for a task that is still suspended would touch what has gone: cancel_all(),
// then wait_empty(). Make it the last member of its owner.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <string>

namespace tcplock::io {

class TaskGroup {
public:
    using OnFailure = std::function<void(const std::string& name, std::exception_ptr failure)>;

    TaskGroup(boost::asio::any_io_executor executor, OnFailure on_failure);

    // Ends the program when a task is left, in release builds too.
    ~TaskGroup();

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    enum class Id : std::uint64_t {};

    // Starts it now, up to its first wait.
    Id spawn(std::string name, boost::asio::awaitable<void> task);

    std::size_t size() const { return tasks_.size(); }
    bool is_running(Id id) const;

    // Ends when no task is left; any number may wait.
    boost::asio::awaitable<void> wait_empty();

    // Asks the task to end: what it waits for ends as cancelled. It may have ended before.
    void cancel(Id id);
    void cancel_all();

private:
    struct Task {
        Id id;
        std::string name;
        boost::asio::cancellation_signal signal;
        bool is_cancelled = false;
    };
    using Position = std::list<Task>::iterator;

    static void cancel(Task& task);
    void ended(Position task, std::exception_ptr failure);

    boost::asio::any_io_executor executor_;
    OnFailure on_failure_;
    std::uint64_t last_id_ = 0;
    std::list<Task> tasks_;
    boost::asio::steady_timer became_empty_;  // never expires; cancelled to wake who waits
};

}  // namespace tcplock::io
