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

    // Starts it now, up to its first wait.
    void spawn(std::string name, boost::asio::awaitable<void> task);

    std::size_t size() const { return tasks_.size(); }

    // Ends when no task is left; any number may wait.
    boost::asio::awaitable<void> wait_empty();

    // Asks every task to end: what it waits for ends as cancelled.
    void cancel_all();

private:
    struct Task {
        std::string name;
        boost::asio::cancellation_signal signal;
        bool is_cancelled = false;
    };
    using Position = std::list<Task>::iterator;

    void ended(Position task, std::exception_ptr failure);

    boost::asio::any_io_executor executor_;
    OnFailure on_failure_;
    std::list<Task> tasks_;
    boost::asio::steady_timer became_empty_;  // never expires; cancelled to wake who waits
};

}  // namespace tcplock::io
