#include "io/proc.hpp"

#include "io/descriptor.hpp"
#include "io/printable.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <memory>
#include <sstream>
#include <unistd.h>

namespace tcplock::io {
namespace {

constexpr std::size_t stat_bytes = 4096;
constexpr std::size_t environment_bytes =
    4 << 20;  // The kernel allows about as much in all arguments.
constexpr std::size_t command_line_bytes = 1024;          // Enough to recognise a program by.
constexpr std::uint64_t kernel_thread_flag = 0x00200000;  // PF_KTHREAD in linux/sched.h.

std::string path_of(pid_t pid, std::string_view file) {
    return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

// The fields after the name, by their numbers in proc(5): the first of them is 3.
template <std::size_t last_field>
class Fields {
public:
    explicit Fields(std::string_view text) {
        while (count_ < words_.size()) {
            const auto begin = text.find_first_not_of(" \n");
            if (begin == std::string_view::npos) {
                break;
            }
            text.remove_prefix(begin);
            const auto length = std::min(text.find_first_of(" \n"), text.size());
            words_[count_++] = text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    bool complete() const { return count_ == words_.size(); }

    template <class Number>
    bool number(std::size_t field, Number& into) const {
        return parse_number(words_[field - first_field], into);
    }
    char letter(std::size_t field) const { return words_[field - first_field].front(); }

private:
    static constexpr std::size_t first_field = 3;
    std::array<std::string_view, last_field - first_field + 1> words_;
    std::size_t count_ = 0;
};

struct ReadResult {
    std::string text;
    int error = 0;
};

ReadResult read_bounded(const std::string& path, std::size_t limit,
                        std::string_view as_long_as_there_is = {}) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) {
        return {{}, errno};
    }
    std::string text;
    std::array<char, 4096> chunk;
    while (text.size() < limit) {
        const ssize_t size =
            ::read(file.get(), chunk.data(), std::min(chunk.size(), limit - text.size()));
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return {{}, errno};
        }
        if (size == 0) {
            break;
        }
        const std::string_view piece(chunk.data(), static_cast<std::size_t>(size));
        text += piece;
        if (piece.find(as_long_as_there_is) == std::string_view::npos) {
            break;
        }
    }
    return {std::move(text)};
}

Looked<std::string> stat_text(pid_t pid) {
    return read_small_file(path_of(pid, "stat"), stat_bytes);
}

Looked<std::vector<pid_t>> numbers_in(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
    if (!directory) {
        return std::nullopt;
    }
    std::vector<pid_t> pids;
    errno = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
        pid_t pid = 0;
        if (parse_number(std::string_view(entry->d_name), pid)) {
            pids.push_back(pid);
        }
        errno = 0;  // By which the end is told from a failure.
    }
    return errno == 0 ? Looked<std::vector<pid_t>>(std::move(pids)) : std::nullopt;
}

Carries read_environment(pid_t pid, std::string_view entry) {
    const auto [environment, error] = read_bounded(path_of(pid, "environ"), environment_bytes);
    if (error == EACCES || error == EPERM) {
        return Carries::not_allowed;
    }
    if (could_not_look(error)) {
        return Carries::could_not_look;
    }
    if (environment.empty()) {
        return Carries::nothing_to_read;
    }
    return holds_entry(environment, entry) ? Carries::yes : Carries::no;
}

// Linux 3.5 and later tell where the environment lies, to those who may read it. Until an exec has
// laid it out it lies nowhere, as an empty one does; where the code lies is told only after that
// (binfmt_elf.c).
bool was_given_no_environment(pid_t pid) {
    constexpr std::size_t start_code = 26;
    constexpr std::size_t env_start = 50;
    constexpr std::size_t env_end = 51;
    const std::string text = stat_text(pid).value_or(std::string{});
    const Fields<env_end> fields(std::string_view(text).substr(text.rfind(')') + 1));
    std::uint64_t code = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    return fields.complete() && fields.number(start_code, code) && code > 1 &&
           fields.number(env_start, begin) && fields.number(env_end, end) && begin == end;
}

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
    // The name may itself hold ") (": it ends at the last bracket, since only numbers follow.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || open == 0 || close == std::string_view::npos ||
        close < open) {
        return std::nullopt;
    }
    const Fields<24> fields(text.substr(close + 1));
    if (!fields.complete()) {
        return std::nullopt;
    }
    ProcessStat stat;
    std::uint64_t flags = 0;
    std::int64_t pages = 0;
    const bool understood = parse_number(text.substr(0, open - 1), stat.pid) &&
                            fields.number(4, stat.parent) && fields.number(5, stat.group) &&
                            fields.number(6, stat.session) && fields.number(9, flags) &&
                            fields.number(22, stat.start_time) && fields.number(24, pages);
    if (!understood) {
        return std::nullopt;
    }
    stat.state = fields.letter(3);
    stat.is_kernel_thread = (flags & kernel_thread_flag) != 0;
    stat.resident_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(pages, 0)) *
                          static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (const std::size_t field : {14, 15, 16, 17}) {
        std::uint64_t ticks = 0;
        stat.processor_ticks += fields.number(field, ticks) ? ticks : 0;
    }
    stat.name = text.substr(open + 1, close - open - 1);
    return stat;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
    const auto text = stat_text(pid);
    return text ? parse_stat(*text) : std::nullopt;
}

Presence presence_of(pid_t pid, std::uint64_t start_time) {
    const auto text = stat_text(pid);
    if (!text) {
        return Presence::unknown;
    }
    const auto now = parse_stat(*text);
    if (!now || now->start_time != start_time) {
        return Presence::gone;
    }
    return now->is_dead() ? Presence::dead : Presence::alive;
}

Looked<std::vector<ProcessStat>> all_processes() {
    const auto pids = numbers_in("/proc");
    if (!pids) {
        return std::nullopt;
    }
    std::vector<ProcessStat> processes;
    for (const pid_t pid : *pids) {
        const auto text = stat_text(pid);
        if (!text) {
            return std::nullopt;
        }
        if (auto stat = parse_stat(*text)) {
            processes.push_back(std::move(*stat));
        }
    }
    return processes;
}

Looked<std::vector<ProcessStat>> children_of(pid_t parent) {
    auto processes = all_processes();
    if (processes) {
        std::erase_if(*processes,
                      [parent](const auto& process) { return process.parent != parent; });
    }
    return processes;
}

bool has_blocked_thread(pid_t pid) {
    const auto threads = numbers_in(path_of(pid, "task")).value_or(std::vector<pid_t>{});
    return std::any_of(threads.begin(), threads.end(), [pid](pid_t thread) {
        const auto text =
            read_small_file(path_of(pid, "task/" + std::to_string(thread) + "/stat"), stat_bytes);
        const auto stat = parse_stat(text.value_or(std::string{}));
        return stat && stat->state == 'D';
    });
}

std::vector<pid_t> children_at_a_glance(pid_t parent) {
    constexpr std::size_t list_bytes = 65536;
    std::vector<pid_t> children;
    for (const pid_t thread : numbers_in(path_of(parent, "task")).value_or(std::vector<pid_t>{})) {
        const auto list = read_small_file(
            path_of(parent, "task/" + std::to_string(thread) + "/children"), list_bytes);
        std::istringstream numbers(list.value_or(std::string{}));
        children.insert(children.end(), std::istream_iterator<pid_t>(numbers),
                        std::istream_iterator<pid_t>());
    }
    return children;
}

Carries carries(pid_t pid, std::string_view entry) {
    const Carries found = read_environment(pid, entry);
    const bool is_empty = found == Carries::nothing_to_read && was_given_no_environment(pid);
    return is_empty ? Carries::no : found;
}

bool holds_entry(std::string_view environment, std::string_view entry) {
    while (!environment.empty()) {
        const auto length = std::min(environment.find('\0'), environment.size());
        if (environment.substr(0, length) == entry) {
            return true;
        }
        environment.remove_prefix(std::min(length + 1, environment.size()));
    }
    return false;
}

std::string command_line(pid_t pid) {
    auto text = read_small_file(path_of(pid, "cmdline"), command_line_bytes);
    if (!text || text->empty()) {
        const auto stat = read_stat(pid);
        return stat ? "[" + printable(stat->name) + "]" : std::string();
    }
    while (!text->empty() && text->back() == '\0') {
        text->pop_back();
    }
    for (char& byte : *text) {
        if (byte == '\0') {
            byte = ' ';
        }
    }
    return printable(*text);
}

Looked<std::string> read_small_file(const std::string& path, std::size_t limit,
                                    std::string_view as_long_as_there_is) {
    auto [text, error] = read_bounded(path, limit, as_long_as_there_is);
    if (could_not_look(error)) {
        return std::nullopt;
    }
    return std::move(text);
}

Looked<std::vector<std::uint64_t>> sockets_held_by(pid_t pid) {
    const std::string folder = path_of(pid, "fd");
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
    std::vector<std::uint64_t> inodes;
    if (!directory) {
        return could_not_look(errno) ? Looked<std::vector<std::uint64_t>>() : inodes;
    }
    constexpr std::string_view head = "socket:[";
    while (const dirent* entry = ::readdir(directory.get())) {
        std::array<char, 64> link;
        const ssize_t size =
            ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
        const std::string_view target(link.data(),
                                      static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        std::uint64_t inode = 0;
        if (target.starts_with(head) &&
            std::from_chars(target.begin() + head.size(), target.end(), inode).ec == std::errc()) {
            inodes.push_back(inode);
        }
    }
    return inodes;
}

// Whoever is gone, or not for us to see, is an answer. So is any error we do not know: to wait for
// it to pass could be to wait for ever.
bool could_not_look(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

}  // namespace tcplock::io
