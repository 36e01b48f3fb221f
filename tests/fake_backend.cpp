// A backend that misbehaves as told, and counts who is inside.
//
// A client sends `<number> [verb [argument]]` and a line feed, is answered `<number> <marker>` and
// a line feed, and is let go when it has shut down its sending side. Whatever happens goes into
// the journal, one record a line, each appended with a single write, so that several generations
// can share one file:
//
//     start <marker> pid=<pid> fds=0,1,2     a generation began, with these descriptors
//     listening <marker>                     it may be reached from here on
//     enter <number> <inside>                a client's line arrived; <inside> counts it too
//     leave <number>                         its connection is about to be closed
//     reset <number>                         the same, but the client had reset it
//     visit <inside>                         somebody came and left without a number
//     stray <pid>                            a process that was left behind on purpose
//     violation <inside>                     more inside than may be: the program aborts
//
// One thread does all the serving, so that the count needs no lock. It looks for newcomers once
// more before it closes anything, so that one who came too early is always found. A client is
// inside until its connection is closed here, also one that has reset it.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <list>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr auto usage = R"(fake_backend --port N [options]
  --journal FILE          append what happens to FILE
  --marker TEXT           said in every answer and in the journal
  --at-most N             so many may be inside (1)
  --ipv6                  listen on ::1 instead of 127.0.0.1
  --close-delay-max MS    wait 0 to MS before closing, at random      --seed N
  --start-delay MS        wait before listening
  --greet TEXT            say TEXT and a line feed to everybody who connects
  --say TEXT              write TEXT and a line feed to standard error at the start
  --hold MIB              use so much memory from the start
  --never-listen          stay, and do nothing
  --forget-reset          count nobody whose connection has been reset
  --ignore-term           ignore SIGTERM
  --double-fork           leave a process outside our session that ignores SIGTERM
  --grandchild-with-port  leave one outside our session that holds the listening socket
  --flood                 write to standard output at full speed
  --exit N                exit with N at once
  --listen-for N          take nobody any more when N clients have come, and serve those
  --exit-after N          exit with 0 after N clients
  --freeze-after N        stop (SIGSTOP) after N clients
verbs of a client's line:
  mute | linger MS | linger for-ever | close | reset | die N | bulk BYTES | bulk-and-close BYTES |
  echo | flooded | fds | leak MIB (before it answers) | grow (by 16 MiB every 50 ms, up to 2 GiB)
)";

struct Options {
    std::map<std::string, std::string, std::less<>> values;
    std::set<std::string, std::less<>> flags;

    bool has(std::string_view name) const { return flags.contains(name); }
    std::string text(std::string_view name) const {
        const auto found = values.find(name);
        return found == values.end() ? std::string{} : found->second;
    }
    std::optional<std::uint64_t> number(std::string_view name) const;
};

void leak(std::size_t mebibytes) {
    static std::mutex mutex;
    static std::vector<std::string> leaked;
    const std::lock_guard lock(mutex);
    leaked.emplace_back(mebibytes << 20, 'x');
}

[[noreturn]] void fail(std::string_view what) {
    std::cerr << "fake_backend: " << what << '\n';
    std::exit(2);
}

[[noreturn]] void fail_with_errno(const char* what) {
    fail(std::string{what} + ": " + std::system_category().message(errno));
}

std::optional<std::uint64_t> to_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

std::optional<std::uint64_t> Options::number(std::string_view name) const {
    const auto found = values.find(name);
    if (found == values.end())
        return std::nullopt;
    const auto value = to_number(found->second);
    if (!value)
        fail("--" + std::string{name} + " wants a number");
    return value;
}

Options parse(int argc, char** argv) {
    const std::set<std::string, std::less<>> with_value{
        "port",    "journal",     "marker",     "close-delay-max",
        "seed",    "start-delay", "greet",      "hold",
        "say",     "exit",        "exit-after", "freeze-after",
        "at-most", "listen-for"};
    const std::set<std::string, std::less<>> alone{
        "never-listen",         "forget-reset", "ignore-term", "double-fork",
        "grandchild-with-port", "flood",        "ipv6"};
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const std::string name = word.starts_with("--") ? word.substr(2) : word;
        if (name == "help") {
            std::cout << usage;
            std::exit(0);
        }
        if (alone.contains(name))
            options.flags.insert(name);
        else if (with_value.contains(name) && i + 1 < argc)
            options.values[name] = argv[++i];
        else
            fail("unknown or unfinished option " + word + "\n" + usage);
    }
    return options;
}

std::string open_descriptors() {
    // Opening the directory takes one itself: the number it gets is not ours to report.
    std::set<int> open;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        open.insert(std::atoi(entry.path().filename().c_str()));
    std::ostringstream text;
    for (const int fd : open) {
        if (::fcntl(fd, F_GETFD) < 0)
            continue;
        text << (text.tellp() > 0 ? "," : "") << fd;
    }
    return text.str();
}

class Journal {
public:
    explicit Journal(const std::string& path) {
        if (path.empty())
            return;
        fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd_ < 0)
            fail_with_errno(path.c_str());
    }

    void write(std::string record) const {
        record += '\n';
        if (fd_ >= 0 && ::write(fd_, record.data(), record.size()) < 0)
            fail_with_errno("journal");
    }

private:
    int fd_ = -1;
};

// One accepted connection, until it is closed.
struct Guest {
    int fd;
    Clock::time_point since = Clock::now();
    std::uint64_t inside;  // how many were inside when this one had come, itself included
    std::string received;
    std::string to_send;
    std::optional<std::uint64_t> number;
    bool line_complete = false;
    bool echoes = false;
    bool close_when_sent = false;
    bool never_closes = false;
    bool was_reset = false;
    std::optional<Milliseconds> close_delay;
    std::optional<Clock::time_point> close_at;
};

std::atomic<std::uint64_t> flooded = 0;

constexpr Milliseconds longest_probe{1500};

class Server {
public:
    Server(const Options& options, const Journal& journal, int listener)
        : options_{options},
          journal_{journal},
          listener_{listener},
          random_{options.number("seed").value_or(1)} {}

    [[noreturn]] void run() {
        for (;;) {
            wait_for_news();
            close_who_is_due();
            accept_newcomers();
        }
    }

private:
    void wait_for_news();
    void accept_newcomers();
    void close_who_is_due();
    void forget_who_gave_up();
    void count_in(int fd);
    void read_from(Guest& guest);
    void obey_line(Guest& guest, const std::string& line);
    void obey_verb(Guest& guest, std::string_view verb, const std::string& argument);
    void send_to(Guest& guest);
    void left(Guest& guest);
    void drop(std::list<Guest>::iterator guest, std::string_view how);
    Milliseconds random_delay();

    const Options& options_;
    const Journal& journal_;
    int listener_;
    std::mt19937_64 random_;
    std::list<Guest> guests_;
    std::uint64_t entered_ = 0;
    std::uint64_t served_ = 0;
};

void set_reset_on_close(int fd) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Milliseconds Server::random_delay() {
    const auto most = options_.number("close-delay-max").value_or(0);
    return Milliseconds{std::uniform_int_distribution<std::uint64_t>{0, most}(random_)};
}

void Server::wait_for_news() {
    std::vector<pollfd> set{{.fd = listener_, .events = POLLIN, .revents = 0}};
    std::optional<Clock::time_point> first;
    for (const auto& guest : guests_) {
        // Who has shut down its sending side would make poll return at once for ever.
        const int events = (guest.close_at || guest.never_closes ? 0 : POLLIN) |
                           (guest.to_send.empty() ? 0 : POLLOUT);
        const int watched = events != 0 ? guest.fd : -1;  // a reset is told unasked, and for ever
        set.push_back({.fd = watched, .events = static_cast<short>(events), .revents = 0});
        if (guest.close_at && guest.to_send.empty())
            first = first ? std::min(*first, *guest.close_at) : *guest.close_at;
    }
    int timeout = -1;
    if (first) {
        const auto left = std::chrono::ceil<Milliseconds>(*first - Clock::now()).count();
        timeout = static_cast<int>(std::max<std::int64_t>(0, left));
    }
    if (::poll(set.data(), set.size(), timeout) < 0 && errno != EINTR)
        fail_with_errno("poll");
    auto polled = set.begin() + 1;
    for (auto guest = guests_.begin(); guest != guests_.end(); ++polled) {
        const auto current = guest++;
        if ((polled->revents & POLLOUT) != 0)
            send_to(*current);
        if ((polled->revents & (POLLIN | POLLERR | POLLHUP)) != 0)
            read_from(*current);
    }
}

void Server::accept_newcomers() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        count_in(fd);
    }
}

// Who came a moment ago, never said a line and has been reset since is nobody: a probe that was
// given up, since we were too slow to close it. A client who says nothing stays for longer, and is
// counted: his end has to be an orderly one. A service that its gate does not own sees the reset of
// whoever was cut and the next one at once, if it is slow to look, and may be told to mind neither.
void Server::forget_who_gave_up() {
    for (auto guest = guests_.begin(); guest != guests_.end();) {
        const auto current = guest++;
        pollfd state{.fd = current->fd, .events = 0, .revents = 0};
        const bool is_reset =
            current->was_reset || (::poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0);
        const bool is_probe = !current->number && Clock::now() - current->since < longest_probe;
        if (is_reset && (is_probe || options_.has("forget-reset")))
            drop(current, "reset");  // a visit, if he has said no line
    }
}

void Server::count_in(int fd) {
    forget_who_gave_up();
    const auto inside = guests_.size() + 1;
    auto& guest = guests_.emplace_back();
    guest.fd = fd;
    guest.inside = inside;
    if (!options_.text("greet").empty())
        guest.to_send = options_.text("greet") + "\n";
    if (inside > options_.number("at-most").value_or(1)) {
        journal_.write("violation " + std::to_string(inside));
        std::cerr << "fake_backend: " << inside << " are inside\n";
        std::abort();
    }
    send_to(guest);
}

void Server::read_from(Guest& guest) {
    char buffer[65536];
    for (;;) {
        const auto size = ::recv(guest.fd, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0) {
            guest.was_reset = true;
            guest.to_send.clear();
            left(guest);
            return;
        }
        if (size == 0) {
            left(guest);
            break;
        }
        if (guest.line_complete && guest.echoes)
            guest.to_send.append(buffer, static_cast<std::size_t>(size));
        else if (!guest.line_complete)
            guest.received.append(buffer, static_cast<std::size_t>(size));
        const auto end = guest.received.find('\n');
        if (!guest.line_complete && end != std::string::npos) {
            guest.line_complete = true;
            const auto rest = guest.received.substr(end + 1);
            obey_line(guest, guest.received.substr(0, end));
            if (guest.echoes)
                guest.to_send += rest;
        }
    }
    send_to(guest);
}

void Server::obey_line(Guest& guest, const std::string& line) {
    std::istringstream words{line};
    std::string first;
    std::string verb;
    std::string argument;
    words >> first >> verb >> argument;
    guest.number = to_number(first);
    if (!guest.number) {  // Somebody who only wants to know whether we are well.
        guest.to_send += first == "ping" ? "pong\n" : "what?\n";
        return;
    }
    const auto number = std::to_string(*guest.number);
    journal_.write("enter " + number + " " + std::to_string(guest.inside));
    if (options_.number("listen-for") == ++entered_)
        ::close(std::exchange(listener_, -1));
    auto answer = number + " " + options_.text("marker");
    if (verb == "flooded")
        answer += " " + std::to_string(flooded.load());
    if (verb == "fds")
        answer += " " + open_descriptors();
    if (verb != "mute")
        guest.to_send += answer + "\n";
    obey_verb(guest, verb, argument);
}

void grow() {
    constexpr std::size_t step = 16;
    constexpr std::size_t enough = 2048;
    for (std::size_t size = 0; size < enough; size += step) {
        leak(step);
        std::this_thread::sleep_for(Milliseconds{50});
    }
}

void Server::obey_verb(Guest& guest, std::string_view verb, const std::string& argument) {
    const auto value = to_number(argument);
    if (verb == "linger" && value)
        guest.close_delay = Milliseconds{*value};
    if (verb == "linger" && !value)
        guest.never_closes = true;
    if (verb == "close" || verb == "bulk-and-close")
        guest.close_when_sent = true;
    if (verb == "echo")
        guest.echoes = true;
    if (verb == "bulk" || verb == "bulk-and-close")
        guest.to_send.append(value.value_or(0), '.');
    if (verb == "leak")
        leak(value.value_or(0));
    if (verb == "grow")
        std::thread(grow).detach();
    if (verb == "die")
        std::_Exit(static_cast<int>(value.value_or(1)));
    if (verb == "reset") {
        set_reset_on_close(guest.fd);
        guest.to_send.clear();
        guest.close_when_sent = true;
    }
}

void Server::send_to(Guest& guest) {
    while (!guest.to_send.empty()) {
        const auto size =
            ::send(guest.fd, guest.to_send.data(), guest.to_send.size(), MSG_NOSIGNAL);
        if (size < 0)
            return;
        guest.to_send.erase(0, static_cast<std::size_t>(size));
    }
    if (guest.close_when_sent && !guest.close_at)
        guest.close_at = Clock::now();
}

void Server::left(Guest& guest) {
    if (!guest.never_closes && !guest.close_at)
        guest.close_at = Clock::now() + guest.close_delay.value_or(random_delay());
}

void Server::close_who_is_due() {
    const auto is_due = [now = Clock::now()](const Guest& guest) {
        return guest.close_at && *guest.close_at <= now && guest.to_send.empty();
    };
    for (;;) {
        if (std::none_of(guests_.begin(), guests_.end(), is_due))
            return;
        accept_newcomers();  // Whoever is there already came while this one was inside.
        const auto due = std::find_if(guests_.begin(), guests_.end(), is_due);
        if (due != guests_.end())
            drop(due, due->was_reset ? "reset" : "leave");
    }
}

void Server::drop(std::list<Guest>::iterator guest, std::string_view how) {
    if (guest->number)
        journal_.write(std::string{how} + " " + std::to_string(*guest->number));
    else
        journal_.write("visit " + std::to_string(guest->inside));
    served_ += guest->number ? 1 : 0;
    ::close(guest->fd);
    const bool counts = guest->number.has_value();
    guests_.erase(guest);
    if (counts && options_.number("exit-after") == served_)
        std::_Exit(0);
    if (counts && options_.number("freeze-after") == served_)
        ::raise(SIGSTOP);
}

template <class Address>
void bind_to(int fd, const Address& address) {
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        fail_with_errno("bind");
}

int listen_on(std::uint16_t port, bool is_ipv6) {
    const int family = is_ipv6 ? AF_INET6 : AF_INET;
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail_with_errno("socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_ipv6) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_addr = in6addr_loopback;
        address.sin6_port = htons(port);
        bind_to(fd, address);
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        bind_to(fd, address);
    }
    if (::listen(fd, SOMAXCONN) < 0)
        fail_with_errno("listen");
    return fd;
}

// Leaves a process with a parent that is gone, in a session of its own, deaf to TERM and HUP.
void leave_a_stray(const Journal& journal) {
    if (::fork() != 0)
        return;
    ::setsid();
    if (::fork() != 0)
        std::_Exit(0);
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    journal.write("stray " + std::to_string(::getpid()));
    for (;;)
        ::pause();
}

void flood() {
    std::string line(99, 'x');
    line += '\n';
    std::string block;
    for (int i = 0; i < 600; ++i)
        block += line;
    for (;;) {
        const auto size = ::write(STDOUT_FILENO, block.data(), block.size());
        if (size > 0)
            flooded += static_cast<std::uint64_t>(size);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto descriptors = open_descriptors();  // before we open any ourselves
    const auto options = parse(argc, argv);
    const Journal journal{options.text("journal")};
    const auto marker = options.text("marker");
    journal.write("start " + marker + " pid=" + std::to_string(::getpid()) + " fds=" + descriptors);
    leak(options.number("hold").value_or(0));
    if (!options.text("say").empty())
        std::cerr << options.text("say") << '\n';
    if (const auto status = options.number("exit"))
        return static_cast<int>(*status);

    std::signal(SIGPIPE, SIG_IGN);
    if (options.has("ignore-term"))
        std::signal(SIGTERM, SIG_IGN);
    if (options.has("double-fork"))
        leave_a_stray(journal);
    if (options.has("flood"))
        std::thread{flood}.detach();
    ::poll(nullptr, 0, static_cast<int>(options.number("start-delay").value_or(0)));
    while (options.has("never-listen"))
        ::pause();

    const int listener = listen_on(static_cast<std::uint16_t>(options.number("port").value_or(0)),
                                   options.has("ipv6"));
    if (options.has("grandchild-with-port"))
        leave_a_stray(journal);
    journal.write("listening " + marker);
    Server{options, journal, listener}.run();
}
