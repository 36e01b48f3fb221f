#include "io/socket_owner.hpp"

#include "io/address.hpp"
#include "io/unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <unistd.h>
#include <vector>

namespace tcplock::io {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view state_listen = "0A";  // TCP_LISTEN, in hexadecimal.
constexpr std::string_view listening_row = " 0A ";
constexpr std::size_t table_bytes = 64 << 20;  // Some hundred thousand sockets.

// The words of a table line, by position.
constexpr std::size_t local_address_word = 1;
constexpr std::size_t state_word = 3;
constexpr std::size_t uid_word = 7;
constexpr std::size_t inode_word = 9;

std::array<std::string_view, inode_word + 1> words_of(std::string_view line) {
    std::array<std::string_view, inode_word + 1> words;
    for (auto& word : words) {
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        word = line.substr(0, line.find(' '));
        line.remove_prefix(word.size());
    }
    return words;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// The kernel prints an address as 32-bit words, each as a number of this machine's byte order.
template <class Bytes>
std::optional<Bytes> address_bytes(std::string_view digits) {
    constexpr std::size_t word_digits = 8;
    Bytes bytes{};
    if (digits.size() != bytes.size() * 2) {
        return std::nullopt;
    }
    for (std::size_t word = 0; word * word_digits < digits.size(); ++word) {
        const auto value =
            number<std::uint32_t>(digits.substr(word * word_digits, word_digits), 16);
        if (!value) {
            return std::nullopt;
        }
        std::memcpy(bytes.data() + word * sizeof *value, &*value, sizeof *value);
    }
    return bytes;
}

std::optional<ip::address> parse_address(std::string_view digits, AddressFamily family) {
    if (family == AddressFamily::v4) {
        const auto bytes = address_bytes<ip::address_v4::bytes_type>(digits);
        return bytes ? std::optional<ip::address>(ip::address_v4(*bytes)) : std::nullopt;
    }
    const auto bytes = address_bytes<ip::address_v6::bytes_type>(digits);
    return bytes ? std::optional<ip::address>(ip::address_v6(*bytes)) : std::nullopt;
}

// ::ffff:127.0.0.1 is 127.0.0.1.
ip::address plain(const ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    }
    return address;
}

// All or nothing of them. A table that is not there is a family this machine does not speak. Linux
// tells of those that listen first, and then of all connections (tcp_seq_next() in
// net/ipv4/tcp_ipv4.c): with 10000 clients in the line the whole would take a tenth of a second. A
// piece of it holds twenty rows and more, so it does no harm if one of them is cut.
bool append_listening(const std::string& table, AddressFamily family,
                      std::vector<ListeningSocket>& sockets) {
    const auto text = read_small_file(table, table_bytes, listening_row);
    if (!text) {
        return false;
    }
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto length = std::min(rest.find('\n'), rest.size());
        if (const auto socket = parse_listening_socket(rest.substr(0, length), family)) {
            sockets.push_back(*socket);
        }
        rest.remove_prefix(std::min(length + 1, rest.size()));
    }
    return true;
}

Looked<std::vector<ListeningSocket>> listening_on(const Endpoint& address) {
    const tcp::endpoint endpoint = as_tcp(address);
    std::vector<ListeningSocket> sockets;
    if (!append_listening("/proc/self/net/tcp", AddressFamily::v4, sockets) ||
        !append_listening("/proc/self/net/tcp6", AddressFamily::v6, sockets)) {
        return std::nullopt;
    }
    std::erase_if(sockets,
                  [&endpoint](const auto& socket) { return !covers(socket.address, endpoint); });
    // Of two that cover it the system takes the one of its own family; the other may be IPv6 alone,
    // which the table does not tell.
    const auto is_v4 = [](const auto& socket) { return socket.address.address().is_v4(); };
    if (endpoint.address().is_v4() && std::ranges::any_of(sockets, is_v4)) {
        std::erase_if(sockets, std::not_fn(is_v4));
    }
    return sockets;
}

// The eldest first, so that a listener is named and not one of the children it forked for its
// clients. At ourselves we look last, who have a descriptor for each client.
Looked<std::vector<ProcessStat>> all_by_age() {
    auto processes = all_processes();
    if (processes) {
        std::ranges::stable_sort(*processes, {}, &ProcessStat::start_time);
        const auto is_another = [self = ::getpid()](const auto& one) { return one.pid != self; };
        std::ranges::stable_partition(*processes, is_another);
    }
    return processes;
}

Looked<std::optional<ProcessStat>> first_holder(const std::vector<ProcessStat>& processes,
                                                std::uint64_t inode) {
    for (const auto& process : processes) {
        const auto sockets = sockets_held_by(process.pid);
        if (!sockets) {
            return std::nullopt;
        }
        if (std::ranges::find(*sockets, inode) != sockets->end()) {
            return process;
        }
    }
    return Looked<std::optional<ProcessStat>>(std::in_place);
}

// There is no such name, or a server has left it behind.
bool says_nobody(std::error_code error) {
    return error == std::errc::no_such_file_or_directory || error == std::errc::connection_refused;
}

Looked<std::optional<SocketOwner>> owner_in_file_system(const Endpoint& endpoint) {
    const auto asked = ask_who_listens(endpoint);
    if (const auto* const error = std::get_if<std::error_code>(&asked)) {
        return says_nobody(*error) ? Looked<std::optional<SocketOwner>>(std::in_place)
                                   : std::nullopt;
    }
    const auto& [pid, uid] = std::get<Listening>(asked);
    // Who has listened may have handed the socket on to its children, and have ended.
    const bool is_there = pid > 0 && read_stat(pid).has_value();
    return is_there ? SocketOwner{pid, command_line(pid), uid} : SocketOwner{std::nullopt, {}, uid};
}

Listens listens_in_file_system(const Endpoint& endpoint) {
    const auto asked = ask_who_listens(endpoint);
    const auto* const error = std::get_if<std::error_code>(&asked);
    // Or it may not be asked by us, or its queue is full: that is somebody, too.
    if (!error || *error == std::errc::permission_denied ||
        *error == std::errc::resource_unavailable_try_again) {
        return Listens::yes;
    }
    return says_nobody(*error) ? Listens::no : Listens::could_not_look;
}

}  // namespace

std::optional<ListeningSocket> parse_listening_socket(std::string_view line, AddressFamily family) {
    const auto words = words_of(line);
    if (words[state_word] != state_listen) {
        return std::nullopt;
    }
    const std::string_view local = words[local_address_word];
    const auto colon = local.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto address = parse_address(local.substr(0, colon), family);
    const auto port = number<std::uint16_t>(local.substr(colon + 1), 16);
    const auto uid = number<uid_t>(words[uid_word], 10);
    const auto inode = number<std::uint64_t>(words[inode_word], 10);
    if (!address || !port || !uid || !inode) {
        return std::nullopt;
    }
    return ListeningSocket{tcp::endpoint(*address, *port), *uid, *inode};
}

bool covers(const tcp::endpoint& listening, const tcp::endpoint& wanted) {
    if (listening.port() != wanted.port()) {
        return false;
    }
    const ip::address here = plain(listening.address());
    const ip::address there = plain(wanted.address());
    if (here.is_unspecified()) {
        return here.is_v6() || there.is_v4();
    }
    // Whoever wants the wildcard is in the way of every single address of that family.
    if (there.is_unspecified()) {
        return there.is_v6() || here.is_v4();
    }
    return here == there;
}

std::string in_words(const SocketOwner& owner) {
    if (owner.pid) {
        return "process " + std::to_string(*owner.pid) + " (" + owner.command_line + ")";
    }
    return "a process of user " + std::to_string(owner.uid) + " that we may not look into";
}

Looked<std::optional<SocketOwner>> socket_owner_among(const std::vector<ProcessStat>& processes,
                                                      const Endpoint& endpoint) {
    if (is_in_file_system(endpoint)) {
        return owner_in_file_system(endpoint);
    }
    const auto sockets = listening_on(endpoint);
    if (!sockets) {
        return std::nullopt;
    }
    for (const auto& socket : *sockets) {
        const auto holder = first_holder(processes, socket.inode);
        if (!holder) {
            return std::nullopt;
        }
        if (const auto& process = *holder) {
            return SocketOwner{process->pid, command_line(process->pid), socket.uid};
        }
    }
    if (sockets->empty()) {
        return std::optional<SocketOwner>();
    }
    return SocketOwner{std::nullopt, {}, sockets->front().uid};
}

Looked<std::optional<SocketOwner>> socket_owner(const Endpoint& endpoint) {
    if (is_in_file_system(endpoint)) {
        return owner_in_file_system(endpoint);
    }
    const auto processes = all_by_age();
    return processes ? socket_owner_among(*processes, endpoint) : std::nullopt;
}

Listens listens(const Endpoint& endpoint) {
    if (is_in_file_system(endpoint)) {
        return listens_in_file_system(endpoint);
    }
    const auto sockets = listening_on(endpoint);
    if (!sockets) {
        return Listens::could_not_look;
    }
    return sockets->empty() ? Listens::no : Listens::yes;
}

}  // namespace tcplock::io
