#include "admin/terminal.hpp"

#include "admin/ask.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace tcplock::admin {
namespace {

constexpr int refresh_milliseconds = 1000;

volatile std::sig_atomic_t was_told_to_leave = 0;

// The other screen, without a cursor, with keys that arrive one by one; all as it was at the end.
class Screen {
public:
    Screen() {
        ::tcgetattr(STDIN_FILENO, &before_);
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        std::cout << "\033[?1049h\033[?25l" << std::flush;
    }
    ~Screen() {
        std::cout << "\033[?25h\033[?1049l" << std::flush;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

private:
    termios before_{};
};

struct Size {
    std::size_t lines = 24;
    std::size_t columns = 80;
};

Size size_of_terminal() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        return {};
    }
    return {size.ws_row, size.ws_col};
}

// So many characters of a line; what tells colours apart takes no room.
std::string cut_to(const std::string& line, std::size_t columns) {
    std::string cut;
    std::size_t shown = 0;
    bool is_colour = false;
    for (const char c : line) {
        is_colour = is_colour || c == '\033';
        const bool continues_a_character = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
        if (!is_colour && !continues_a_character && ++shown > columns) {
            break;
        }
        cut += c;
        is_colour = is_colour && c != 'm';
    }
    return cut + "\033[0m";
}

// Drawn over what was there, so that nothing flickers.
void show(const std::vector<std::string>& lines, const Size& size) {
    std::string frame = "\033[H";
    for (std::size_t i = 0; i < lines.size() && i < size.lines; ++i) {
        frame += (i == 0 ? "" : "\r\n") + cut_to(lines[i], size.columns) + "\033[K";
    }
    std::cout << frame << "\033[J" << std::flush;
}

// False if it was the key to leave.
bool await_key_or_time() {
    pollfd keyboard{STDIN_FILENO, POLLIN, 0};
    if (::poll(&keyboard, 1, refresh_milliseconds) <= 0) {
        return true;
    }
    constexpr char control_d = 4;
    std::array<char, 64> keys{};
    const ssize_t count = ::read(STDIN_FILENO, keys.data(), keys.size());
    if (count <= 0) {
        return false;
    }
    for (ssize_t i = 0; i < count; ++i) {
        const char key = keys[static_cast<std::size_t>(i)];
        if (key == 'q' || key == control_d) {
            return false;
        }
    }
    return true;
}

void leave_on_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { was_told_to_leave = 1; };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaction(signal, &action, nullptr);
    }
}

}  // namespace

bool may_use_colour() {
    const char* const no_colour = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

bool watch(const std::function<std::vector<std::string>(const Look&)>& draw) {
    if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
        std::cerr << "status --watch needs a terminal; for programs there is status --json\n";
        return false;
    }
    leave_on_signals();
    const Screen screen;
    do {
        const Size size = size_of_terminal();
        try {
            show(draw({may_use_colour(), size.lines}), size);
        } catch (const NoAnswer& error) {
            show({error.what(), "", "It is tried again every second; q leaves."}, size);
        }
    } while (was_told_to_leave == 0 && await_key_or_time() && was_told_to_leave == 0);
    return true;
}

}  // namespace tcplock::admin
