#include "uno/block.hpp"

#include "uno/wire.hpp"

#include <algorithm>

namespace tcplock::uno {

std::size_t BlockReader::missing() const {
    if (state_ != State::incomplete) {
        return 0;
    }
    const bool is_in_head = bytes_.size() < block_head_size;
    return (is_in_head ? block_head_size : block_head_size + body_size_) - bytes_.size();
}

BlockReader::State BlockReader::add(Bytes bytes) {
    const Bytes taken = bytes.first(std::min(bytes.size(), missing()));
    const bool was_in_head = bytes_.size() < block_head_size;
    bytes_.insert(bytes_.end(), taken.begin(), taken.end());
    if (was_in_head && bytes_.size() == block_head_size) {
        judge();
    }
    if (state_ == State::incomplete && missing() == 0) {
        state_ = State::whole;
    }
    return state_;
}

void BlockReader::judge() {
    WireReader head{bytes_};
    body_size_ = head.number();
    const std::uint32_t messages = head.number();
    if (messages == 0 || messages > body_size_ || body_size_ > body_max_) {
        state_ = State::impossible;
    }
}

Bytes BlockReader::body() const {
    return Bytes(bytes_).subspan(block_head_size);
}

void BlockReader::next() {
    bytes_.clear();
    body_size_ = 0;
    state_ = State::incomplete;
}

}  // namespace tcplock::uno
