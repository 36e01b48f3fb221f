#include "io/unix_socket.hpp"

#include "io/descriptor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <ranges>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace tcplock::io {
namespace {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

constexpr std::size_t table_bytes = 64 << 20;  // Some hundred thousand sockets.

std::vector<ListeningPath> all_listening() {
    std::vector<ListeningPath> found;
    const std::string table = read_small_file("/proc/self/net/unix", table_bytes).value_or("");
    for (const auto row : std::views::split(table, '\n')) {
        if (auto socket = parse_listening_path(std::string_view(row.begin(), row.end()))) {
            found.push_back(std::move(*socket));
        }
    }
    return found;
}

}  // namespace

std::optional<Endpoint> unix_endpoint(std::string_view path) {
    sockaddr_un address{};
    if (!path.starts_with('/') || path.size() >= sizeof address.sun_path) {
        return std::nullopt;
    }
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return Endpoint(&address, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

std::error_code connect_at_once(int socket, const Endpoint& endpoint) {
    const auto size = static_cast<socklen_t>(endpoint.size());
    return ::connect(socket, endpoint.data(), size) == 0 ? std::error_code() : last_error();
}

std::variant<Listening, std::error_code> listener_of(int connected_socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connected_socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return last_error();
    }
    return Listening{peer.pid, peer.uid};
}

std::variant<Listening, std::error_code> ask_who_listens(const Endpoint& endpoint) {
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return last_error();
    }
    if (const std::error_code error = connect_at_once(socket.get(), endpoint)) {
        return error;
    }
    return listener_of(socket.get());
}

// "Num: RefCount Protocol Flags Type St Inode Path"; a path may hold blanks.
std::optional<ListeningPath> parse_listening_path(std::string_view line) {
    constexpr std::string_view accepts = "00010000";  // __SO_ACCEPTCON, in hexadecimal
    constexpr std::size_t flags_word = 3;
    constexpr std::size_t inode_word = 6;
    std::array<std::string_view, inode_word + 1> words;
    for (auto& word : words) {
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        word = line.substr(0, line.find(' '));
        line.remove_prefix(word.size());
    }
    const std::string_view path = line.substr(std::min<std::size_t>(1, line.size()));
    const std::string_view digits = words[inode_word];
    std::uint64_t inode = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), inode);
    if (words[flags_word] != accepts || !path.starts_with('/') || error != std::errc() ||
        end != digits.end()) {
        return std::nullopt;
    }
    return ListeningPath{std::string(path), inode};
}

std::vector<std::string> sockets_of(const std::vector<ProcessStat>& processes) {
    std::vector<std::uint64_t> held;
    for (const ProcessStat& process : processes) {
        const auto inodes = sockets_held_by(process.pid).value_or(std::vector<std::uint64_t>());
        held.insert(held.end(), inodes.begin(), inodes.end());
    }
    std::vector<std::string> paths;
    for (ListeningPath& socket : all_listening()) {
        if (std::ranges::find(held, socket.inode) != held.end()) {
            paths.push_back(std::move(socket.path));
        }
    }
    return paths;
}

}  // namespace tcplock::io
