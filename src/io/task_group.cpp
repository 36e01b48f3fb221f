#include "io/task_group.hpp"

#include "io/socket.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace tcplock::io {
namespace {

bool is_cancellation(std::exception_ptr failure) {
    try {
        std::rethrow_exception(std::move(failure));
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

// Asio 1.24, of Boost 1.81, waits once more at the end of a coroutine that has never waited, and
// throws from there, past every handler, if what the coroutine did has cancelled it.
boost::asio::awaitable<void> without_a_last_throw(boost::asio::awaitable<void> task) {
    std::exception_ptr failure;
    try {
        co_await std::move(task);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (failure) {
        std::rethrow_exception(failure);
    }
}

}  // namespace

TaskGroup::TaskGroup(boost::asio::any_io_executor executor, OnFailure on_failure)
    : executor_(std::move(executor)),
      on_failure_(std::move(on_failure)),
      became_empty_(executor_, boost::asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() {
    if (!tasks_.empty()) {
        std::fprintf(stderr, "bug: task \"%s\" outlives its group\n", tasks_.front().name.c_str());
        std::abort();
    }
}

TaskGroup::Id TaskGroup::spawn(std::string name, boost::asio::awaitable<void> task) {
    const Id id{++last_id_};
    const Position position = tasks_.emplace(tasks_.end());
    position->id = id;
    position->name = std::move(name);
    // The task may have ended, and its entry be gone, when co_spawn returns.
    boost::asio::co_spawn(
        executor_, without_a_last_throw(std::move(task)),
        boost::asio::bind_cancellation_slot(
            position->signal.slot(),
            [this, position](std::exception_ptr failure) { ended(position, std::move(failure)); }));
    return id;
}

boost::asio::awaitable<void> TaskGroup::wait_empty() {
    while (!tasks_.empty()) {
        (void)co_await became_empty_.async_wait(use_result);
    }
}

bool TaskGroup::is_running(Id id) const {
    return std::ranges::find(tasks_, id, &Task::id) != tasks_.end();
}

void TaskGroup::cancel(Id id) {
    const auto found = std::ranges::find(tasks_, id, &Task::id);
    if (found != tasks_.end()) {
        cancel(*found);
    }
}

void TaskGroup::cancel_all() {
    for (Position next = tasks_.begin(); next != tasks_.end();) {
        const Position task = next++;  // It may end, and its entry go, at once.
        cancel(*task);
    }
}

void TaskGroup::cancel(Task& task) {
    task.is_cancelled = true;
    task.signal.emit(boost::asio::cancellation_type::terminal);
}

void TaskGroup::ended(Position task, std::exception_ptr failure) {
    const std::string name = std::move(task->name);
    const bool was_cancelled = task->is_cancelled;
    tasks_.erase(task);
    if (failure && !(was_cancelled && is_cancellation(failure))) {
        on_failure_(name, failure);
    }
    if (tasks_.empty()) {
        became_empty_.cancel();
    }
}

}  // namespace tcplock::io
