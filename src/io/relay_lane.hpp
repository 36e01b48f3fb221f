// One direction of a relay: takes bytes from one socket and gives them to the other, unchanged and
// in order.
//
// What the other does not take at once is kept here, and nothing more is taken until it has gone;
// so what a session holds is bounded, however little is read. Small pieces are copied through a
// buffer that all lanes share; a flood goes through a pipe, in which the system moves pages without
// our touching them. It does not know what an end means. SIGPIPE must be ignored.
#pragma once

#include "io/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace tcplock::io {

// What all relays of a thread share. Must outlive their lanes.
class RelayStore {
public:
    // The pipes that are kept, in descriptors.
    static constexpr std::size_t descriptors_max = 32;
    // As much as is copied at once. Bigger gains nothing, 64 KiB cost a fifth more.
    static constexpr std::size_t buffer_size = std::size_t{256} * 1024;
    // A reader that never reads holds as much, at the most.
    static constexpr std::size_t pipe_size = std::size_t{1024} * 1024;
    // The longest turn, in bytes. With 1 MiB a flood cost a seventh more than with 8.
    static constexpr std::size_t turn_max = std::size_t{4096} * 1024;

    struct Pipe {
        Descriptor out;
        Descriptor in;
    };

    RelayStore();

    std::uint8_t* buffer() { return buffer_.get(); }
    // After so many bytes in a row a lane lets others have their turn: the sooner, the more floods
    // there are, so that those who say little do not wait for all of them.
    std::size_t turn() const;
    void flood_begins() { ++floods_; }
    void flood_ends() { --floods_; }
    // An empty one; none when there are enough, or the system has none.
    std::optional<Pipe> borrow_pipe();
    // Of one that is not empty nothing is kept.
    void give_back(Pipe pipe, bool is_empty);

private:
    // The system lets a user without privileges have 64 of this size.
    static constexpr std::size_t pipes_max = descriptors_max / 2;

    std::unique_ptr<std::uint8_t[]> buffer_;
    std::vector<Pipe> idle_pipes_;
    std::size_t pipes_ = 0;   // idle and borrowed
    std::size_t floods_ = 0;  // with a pipe or without
};

class RelayLane {
public:
    // Each a size; or 0: the end, or nothing was to be given; or an error of errno(3), negative.
    struct Step {
        ssize_t taken = 0;
        ssize_t given = 0;

        std::size_t size() const { return taken > 0 ? static_cast<std::size_t>(taken) : 0; }
    };

    explicit RelayLane(RelayStore& store) : store_(store) {}
    ~RelayLane() { be_no_flood(); }

    RelayLane(const RelayLane&) = delete;
    RelayLane& operator=(const RelayLane&) = delete;

    bool is_empty() const { return held_ == 0; }
    std::uint64_t delivered() const { return delivered_; }

    // Takes some, and gives it at once. It must be empty.
    Step carry(int from, int to);
    // Gives what it holds.
    ssize_t give(int to);
    // Whether the last carry() left nothing to be taken, as far as its size tells.
    bool has_taken_all() const { return has_taken_all_; }

    // From now on what is taken is dropped, and so is what is held.
    void discard();
    bool is_discarding() const { return is_discarding_; }

    // The kernel's pipes stop for ever at a byte that is marked as urgent. What is in one goes
    // first.
    void never_use_pipes() { may_use_pipe_ = false; }

private:
    Step copy(int from, int to);
    Step splice(int from, int to);
    ssize_t give_kept(int to);
    ssize_t give_from_pipe(int to);
    void gave(std::size_t size);
    void choose_way();
    void be_no_flood();
    void keep(const std::uint8_t* bytes, std::size_t size);
    void put_away_pipe();

    RelayStore& store_;
    std::unique_ptr<std::uint8_t[]> kept_;
    std::size_t kept_from_ = 0;
    std::size_t held_ = 0;  // in kept_, or in the pipe
    std::optional<RelayStore::Pipe> pipe_;
    unsigned big_pieces_ = 0;
    unsigned small_pieces_ = 0;
    bool is_flood_ = false;
    bool may_use_pipe_ = true;
    bool has_taken_all_ = false;
    bool is_discarding_ = false;
    std::uint64_t delivered_ = 0;
};

}  // namespace tcplock::io
