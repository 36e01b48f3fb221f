#include "io/relay_lane.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace tcplock::io {
namespace {

// A flood: so many pieces of this size in a row. And a trickle is what is told from it by as many
// that are smaller than a page or two, which a pipe carries no cheaper than a copy.
constexpr std::size_t big_piece = std::size_t{64} * 1024;
constexpr std::size_t small_piece = std::size_t{8} * 1024;
constexpr unsigned pieces_to_change = 4;

ssize_t or_error(ssize_t result) {
    return result < 0 ? -errno : result;
}

// What splice(2) says of sockets that cannot be spliced from; nothing of theirs has been taken.
bool is_unfit_for_pipes(ssize_t result) {
    return result == -EINVAL || result == -ENOSYS || result == -EPERM;
}

}  // namespace

RelayStore::RelayStore() : buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(buffer_size)) {}

std::size_t RelayStore::turn() const {
    return std::max(turn_max / std::max(floods_, std::size_t{1}), buffer_size);
}

std::optional<RelayStore::Pipe> RelayStore::borrow_pipe() {
    if (!idle_pipes_.empty()) {
        Pipe pipe = std::move(idle_pipes_.back());
        idle_pipes_.pop_back();
        return pipe;
    }
    std::array<int, 2> ends{};
    if (pipes_ == pipes_max || ::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return std::nullopt;
    }
    Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
    // A small one takes two calls for what a copy takes two for, and a pipe's locks beside.
    if (::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(pipe_size)) < 0) {
        return std::nullopt;
    }
    ++pipes_;
    return pipe;
}

void RelayStore::give_back(Pipe pipe, bool is_empty) {
    if (is_empty) {
        idle_pipes_.push_back(std::move(pipe));
    } else {
        --pipes_;
    }
}

RelayLane::Step RelayLane::carry(int from, int to) {
    choose_way();
    const Step step = pipe_ ? splice(from, to) : copy(from, to);
    if (const std::size_t size = step.size(); size > 0) {
        big_pieces_ = size >= big_piece ? big_pieces_ + 1 : 0;
        small_pieces_ = size <= small_piece ? small_pieces_ + 1 : 0;
    }
    return step;
}

// As it pays for what came last.
void RelayLane::choose_way() {
    if (small_pieces_ >= pieces_to_change) {
        be_no_flood();
    } else if (big_pieces_ >= pieces_to_change && !is_discarding_) {
        if (!std::exchange(is_flood_, true)) {
            store_.flood_begins();
        }
        if (!pipe_ && may_use_pipe_) {
            pipe_ = store_.borrow_pipe();
        }
        big_pieces_ = 0;  // If there was none, it is tried again after some more.
    }
    if (!may_use_pipe_) {
        put_away_pipe();
    }
}

void RelayLane::be_no_flood() {
    put_away_pipe();
    if (std::exchange(is_flood_, false)) {
        store_.flood_ends();
    }
}

RelayLane::Step RelayLane::copy(int from, int to) {
    std::uint8_t* const bytes = store_.buffer();
    Step step;
    step.taken = or_error(::recv(from, bytes, RelayStore::buffer_size, MSG_DONTWAIT));
    if (step.taken <= 0) {
        has_taken_all_ = true;
        return step;
    }
    const std::size_t size = step.size();
    has_taken_all_ = size < RelayStore::buffer_size;
    if (is_discarding_) {
        return step;
    }
    step.given = or_error(::send(to, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL));
    const auto given = static_cast<std::size_t>(std::max<ssize_t>(step.given, 0));
    delivered_ += given;
    keep(bytes + given, size - given);
    return step;
}

RelayLane::Step RelayLane::splice(int from, int to) {
    constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    Step step;
    step.taken =
        or_error(::splice(from, nullptr, pipe_->in.get(), nullptr, RelayStore::pipe_size, flags));
    // Before a byte that is marked as urgent it says that there is nothing more, as at the end.
    if (step.taken == 0 || is_unfit_for_pipes(step.taken)) {
        never_use_pipes();
        return carry(from, to);
    }
    has_taken_all_ = step.taken <= 0;  // Otherwise the pipe may have had no room for more pieces.
    if (step.taken > 0) {
        held_ = step.size();
        step.given = give(to);
    }
    return step;
}

ssize_t RelayLane::give(int to) {
    return pipe_ ? give_from_pipe(to) : give_kept(to);
}

ssize_t RelayLane::give_kept(int to) {
    const ssize_t given =
        or_error(::send(to, kept_.get() + kept_from_, held_, MSG_DONTWAIT | MSG_NOSIGNAL));
    if (given > 0) {
        gave(static_cast<std::size_t>(given));
        kept_from_ += static_cast<std::size_t>(given);
    }
    if (held_ == 0) {
        kept_.reset();
    }
    return given;
}

// A signal ends a splice, with what was given by then or with EINTR. That less than all was given
// means that no more was taken, and we are told when more will be, only if the socket was full.
ssize_t RelayLane::give_from_pipe(int to) {
    ssize_t sum = 0;
    while (held_ > 0) {
        const ssize_t given = or_error(::splice(pipe_->out.get(), nullptr, to, nullptr, held_,
                                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
        if (given == -EINTR) {
            continue;
        }
        if (given <= 0) {
            return sum > 0 && given == -EAGAIN ? sum : given;
        }
        gave(static_cast<std::size_t>(given));
        sum += given;
    }
    return sum;
}

void RelayLane::gave(std::size_t size) {
    held_ -= size;
    delivered_ += size;
}

void RelayLane::keep(const std::uint8_t* bytes, std::size_t size) {
    if (size > 0) {
        kept_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
        std::copy_n(bytes, size, kept_.get());
        kept_from_ = 0;
        held_ = size;
    }
}

void RelayLane::put_away_pipe() {
    if (pipe_) {
        store_.give_back(*std::exchange(pipe_, std::nullopt), held_ == 0);
    }
}

void RelayLane::discard() {
    is_discarding_ = true;
    be_no_flood();
    held_ = 0;
    kept_.reset();
}

}  // namespace tcplock::io
