#include "io/probe.hpp"

#include "../uno/recorded.hpp"
#include "io/socket_owner.hpp"
#include "loopback.hpp"

#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <signal.h>
#include <span>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::patience;
using uno::Question;
namespace recorded = uno::recorded;

std::string text_of(std::string_view hex) {
    const uno::Buffer bytes = recorded::bytes_of(hex);
    return {bytes.begin(), bytes.end()};
}

std::string office_greeting() {
    return text_of(recorded::open_documents[0].office);
}

std::string our_reply() {
    return text_of(recorded::open_documents[0].ours);
}

std::string office_agreement() {
    return text_of(recorded::open_documents[1].office);
}

// What a scripted backend does with one client; the pieces are sent one by one.
struct Script {
    enum class Then { wait_for_fin, close, stay_silent, send_for_ever, reset };

    std::vector<std::string> say;
    std::size_t read = 0;                 // then reads so many bytes,
    std::vector<std::string> reply = {};  // then says these,
    Then then = Then::wait_for_fin;
};

std::vector<std::string> byte_by_byte(const std::string& text) {
    std::vector<std::string> pieces;
    for (const char byte : text) {
        pieces.emplace_back(1, byte);
    }
    return pieces;
}

asio::awaitable<void> say(Socket& socket, std::vector<std::string> pieces) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (const std::string& piece : pieces) {
        (void)co_await asio::async_write(socket, asio::buffer(piece), use_result);
        if (pieces.size() > 1) {
            timer.expires_after(100us);
            (void)co_await timer.async_wait(use_result);
        }
    }
}

class Probing : public test::Loopback {
protected:
    ~Probing() override {
        boost::system::error_code ignored;
        acceptor.close(ignored);
        run_until([this] { return tasks.size() == 0; }, 100ms);
        tasks.cancel_all();
        run_until([this] { return tasks.size() == 0; });
    }

    asio::awaitable<void> serve(Script script) {
        auto [accept_error, accepted] = co_await acceptor.async_accept(use_result);
        if (accept_error) {
            co_return;
        }
        Socket socket(std::move(accepted));
        ++inside;
        socket.set_option(tcp::no_delay(true));
        co_await say(socket, script.say);
        std::string bytes(script.read, '\0');
        const auto [read_error, count] =
            co_await asio::async_read(socket, asio::buffer(bytes), use_result);
        heard.assign(bytes, 0, count);
        co_await say(socket, script.reply);
        co_await end(socket, script.then);
        --inside;
    }

    // What a real office said, for as long as we say what we said to it.
    asio::awaitable<void> serve_recorded(std::span<const recorded::Turn> stream, std::size_t turns,
                                         Script::Then then = Script::Then::wait_for_fin) {
        auto [accept_error, accepted] = co_await acceptor.async_accept(use_result);
        if (accept_error) {
            co_return;
        }
        Socket socket(std::move(accepted));
        ++inside;
        for (std::size_t i = 0; i < turns; ++i) {
            const recorded::Turn& turn = stream[i];
            const std::string question = text_of(turn.ours);
            const std::vector<std::string> answer(1, text_of(turn.office));
            co_await say(socket, answer);
            std::string bytes(question.size(), '\0');
            (void)co_await asio::async_read(socket, asio::buffer(bytes), use_result);
            EXPECT_EQ(bytes, question) << "turn " << i;
        }
        co_await end(socket, then);
        --inside;
    }

    asio::awaitable<void> end(Socket& socket, Script::Then then) {
        std::string bytes(65536, 'x');
        boost::system::error_code error;
        while (then == Script::Then::send_for_ever && !error) {
            const auto [write_error, count] =
                co_await socket.async_write_some(asio::buffer(bytes), use_result);
            error = write_error;
        }
        while (then != Script::Then::close && then != Script::Then::reset && !error) {
            const auto [read_error, count] =
                co_await socket.async_read_some(asio::buffer(bytes), use_result);
            error = read_error;
        }
        ended_by_fin = error == asio::error::eof;
        if (then == Script::Then::stay_silent) {
            asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
            (void)co_await timer.async_wait(use_result);
        }
        if (then == Script::Then::reset) {
            abort(socket);
        }
    }

    ProbeResult ask(ProbeSpec spec, Script script, std::chrono::nanoseconds timeout = 5s) {
        tasks.spawn("backend", serve(std::move(script)));
        return await(probe(std::move(spec), acceptor.local_endpoint(), timeout));
    }

    bool backend_is_empty() {
        return run_until([this] { return inside == 0; });
    }

    tcp::endpoint address_nobody_listens_on() {
        tcp::acceptor gone(context, test::any_port());
        return gone.local_endpoint();
    }

    tcp::acceptor acceptor{context, test::any_port()};
    int inside = 0;
    bool ended_by_fin = false;
    std::string heard;
};

using Then = Script::Then;

TEST_F(Probing, AnOfficeThatGreetsAndReplies) {
    const auto result =
        ask(UnoProbe{}, {{office_greeting()}, our_reply().size(), {office_agreement()}});
    EXPECT_TRUE(result.answered) << result.detail;
    EXPECT_EQ(result.detail, "");
    EXPECT_EQ(heard, our_reply());
    EXPECT_GT(result.duration, 0ns);
    EXPECT_LT(result.duration, 5s);
    EXPECT_TRUE(backend_is_empty());
    EXPECT_TRUE(ended_by_fin) << "a probe says goodbye";
}

TEST_F(Probing, AnOfficeWhoseGreetingComesByteByByte) {
    const auto result = ask(UnoProbe{}, {byte_by_byte(office_greeting()), our_reply().size(),
                                         byte_by_byte(office_agreement())});
    EXPECT_TRUE(result.answered) << result.detail;
}

// A real office, as it was recorded; after so many turns it is silent.
TEST_F(Probing, AnOfficeForItsOpenDocuments) {
    tasks.spawn("office",
                serve_recorded(recorded::open_documents, recorded::open_documents.size()));
    const auto result =
        await(probe(UnoProbe{Question::open_documents}, acceptor.local_endpoint(), 5s));
    EXPECT_TRUE(result.answered) << result.detail;
    EXPECT_EQ(result.documents, 1);
    EXPECT_FALSE(result.is_busy);
    EXPECT_TRUE(backend_is_empty());
}

TEST_F(Probing, AnOfficeThatIsBusy) {
    tasks.spawn("office", serve_recorded(recorded::open_documents, recorded::desktop_turn));
    const auto result =
        await(probe(UnoProbe{Question::open_documents}, acceptor.local_endpoint(), 3s));
    EXPECT_FALSE(result.answered);
    EXPECT_TRUE(result.is_busy);
    EXPECT_EQ(result.detail, "answers, but did not give its main lock within 3 s");
}

TEST_F(Probing, AnOfficeThatIsSilentBeforeAnyJobCouldBeTheReason) {
    tasks.spawn("office", serve_recorded(recorded::open_documents, recorded::root_turn));
    const auto result =
        await(probe(UnoProbe{Question::open_documents}, acceptor.local_endpoint(), 3s));
    EXPECT_FALSE(result.is_busy);
    EXPECT_EQ(result.detail, "greeted, but did not answer a call within 3 s");
}

// It was signalled at once, in the middle of cleaning up behind itself.
TEST_F(Probing, AnOfficeThatClosesAsItEndsBeforeItHasSaidThatItWill) {
    constexpr std::size_t last = recorded::termination.size() - 1;
    for (const auto how : {Then::close, Then::reset}) {
        tasks.spawn("office", serve_recorded(recorded::termination, last, how));
        const auto result =
            await(probe(UnoProbe{Question::termination}, acceptor.local_endpoint(), 5s));
        EXPECT_TRUE(result.answered) << result.detail;
        EXPECT_TRUE(backend_is_empty());
    }
    tasks.spawn("office", serve_recorded(recorded::termination, last - 1, Then::close));
    const auto asked_too_little =
        await(probe(UnoProbe{Question::termination}, acceptor.local_endpoint(), 5s));
    EXPECT_FALSE(asked_too_little.answered);
    EXPECT_EQ(asked_too_little.detail, "answers, but did not give its main lock, then closed");
    tasks.spawn("office", serve_recorded(recorded::termination, last));
    const auto silent =
        await(probe(UnoProbe{Question::termination}, acceptor.local_endpoint(), 3s));
    EXPECT_FALSE(silent.answered);
    EXPECT_EQ(silent.detail, "answers, but not whether it will end within 3 s");
}

TEST_F(Probing, AnOfficeThatEndsWhileItIsBusy) {
    tasks.spawn("office",
                serve_recorded(recorded::open_documents, recorded::desktop_turn, Then::close));
    const auto result =
        await(probe(UnoProbe{Question::open_documents}, acceptor.local_endpoint(), 5s));
    EXPECT_FALSE(result.is_busy);
    EXPECT_EQ(result.detail, "answers, but did not give its main lock, then closed");
}

TEST_F(Probing, AnOfficeThatAcceptsAndIsSilent) {
    const auto result = ask(UnoProbe{}, {{}, 0, {}, Then::stay_silent}, 100ms);
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "accepted but sent nothing within 0.1 s");
    EXPECT_GE(result.duration, 100ms);
    EXPECT_LT(result.duration, patience);
}

TEST_F(Probing, AnOfficeThatStopsInTheMiddleOfItsGreeting) {
    const auto result =
        ask(UnoProbe{}, {{office_greeting().substr(0, 50)}, 0, {}, Then::stay_silent}, 3s);
    EXPECT_EQ(result.detail, "sent only 50 bytes and no more within 3 s");
}

TEST_F(Probing, AnOfficeThatGreetsAndIsSilent) {
    const auto result =
        ask(UnoProbe{}, {{office_greeting()}, our_reply().size(), {}, Then::stay_silent}, 3s);
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "greeted, but did not answer our reply within 3 s");
}

TEST_F(Probing, AnOfficeThatGreetsAndCloses) {
    const auto result = ask(UnoProbe{}, {{office_greeting()}, our_reply().size(), {}, Then::close});
    EXPECT_EQ(result.detail, "greeted, but did not answer our reply, then closed");
}

TEST_F(Probing, AnOfficeThatAnswersNonsense) {
    const auto result =
        ask(UnoProbe{}, {{office_greeting()}, our_reply().size(), {std::string(26, 'n')}});
    EXPECT_EQ(result.detail,
              "greeted, but sent 6e 6e 6e 6e 6e 6e 6e 6e instead of a message of UNO's");
}

TEST_F(Probing, SomethingElseInTheOfficesPlace) {
    const auto result = ask(UnoProbe{}, {{"HTTP/1.1 400 Bad Request\r\n\r\n"}});
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "sent 48 54 54 50 2f 31 2e 31 instead of a message of UNO's");
    EXPECT_TRUE(backend_is_empty());
}

TEST_F(Probing, SomethingThatSendsForEver) {
    const auto result = ask(UnoProbe{}, {{}, 0, {}, Then::send_for_ever});
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "sent 78 78 78 78 78 78 78 78 instead of a message of UNO's");
    EXPECT_TRUE(backend_is_empty());
}

TEST_F(Probing, ABackendThatClosesAtOnce) {
    const auto result = ask(UnoProbe{}, {{}, 0, {}, Then::close});
    EXPECT_EQ(result.detail, "accepted but sent nothing, then closed");
}

TEST_F(Probing, ABackendThatResetsAtOnce) {
    const auto result = ask(UnoProbe{}, {{}, 0, {}, Then::reset});
    EXPECT_EQ(result.detail, "accepted but sent nothing, then connection reset by peer");
}

TEST_F(Probing, AnAddressThatRefuses) {
    const auto result = await(probe(ConnectProbe{}, address_nobody_listens_on(), 5s));
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "connection refused");
}

// The system accepts for a backend that is frozen; only an answer tells.
TEST_F(Probing, AFrozenBackend) {
    EXPECT_TRUE(await(probe(ConnectProbe{}, acceptor.local_endpoint(), 100ms)).answered);
    const auto result = await(probe(UnoProbe{}, acceptor.local_endpoint(), 100ms));
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "accepted but sent nothing within 0.1 s");
}

TEST_F(Probing, ABackendThatOnlyHasToAccept) {
    EXPECT_TRUE(ask(ConnectProbe{}, {}).answered);
    EXPECT_TRUE(backend_is_empty());
    EXPECT_TRUE(ended_by_fin);
}

TEST_F(Probing, AnAnswerStandsThoughTheBackendDoesNotClose) {
    const auto began = std::chrono::steady_clock::now();
    const auto result =
        ask(GreetingProbe{"220 "}, {{"220 ready\r\n"}, 0, {}, Then::stay_silent}, 5s);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_TRUE(result.answered);
    EXPECT_LE(result.duration + 190ms, took) << "the goodbye, of 200 ms, is not part of it";
}

TEST_F(Probing, AnAnswerStandsThoughTheBackendSendsForEver) {
    const auto result = ask(GreetingProbe{"xxxx"}, {{}, 0, {}, Then::send_for_ever});
    EXPECT_TRUE(result.answered);
    EXPECT_TRUE(backend_is_empty());
}

TEST_F(Probing, AGreeting) {
    EXPECT_TRUE(ask(GreetingProbe{"220 "}, {{"22", "0", " ready\r\n"}}).answered);
    EXPECT_EQ(ask(GreetingProbe{"220 "}, {{"554 go away\r\n"}}).detail,
              "sent 35 35 34 20 instead of 32 32 30 20");
    EXPECT_EQ(ask(GreetingProbe{"220 "}, {{"22"}, 0, {}, Then::close}).detail,
              "sent only 2 bytes, then closed");
}

TEST_F(Probing, AnExchange) {
    EXPECT_TRUE(ask(ExchangeProbe{"PING\r\n", "+PONG"}, {{}, 6, {"+PONG\r\n"}}).answered);
    EXPECT_EQ(heard, "PING\r\n");
    EXPECT_EQ(ask(ExchangeProbe{"PING\r\n", "+PONG"}, {{}, 6, {"-LOADING\r\n"}}).detail,
              "sent 2d 4c 4f 41 44 instead of 2b 50 4f 4e 47");
}

TEST_F(Probing, AnHttpStatus) {
    EXPECT_TRUE(ask(HttpProbe{"/healthz", 200}, {{}, 30, {"HTTP/1.1 200 OK\r\n\r\n"}}).answered);
    EXPECT_EQ(heard, "GET /healthz HTTP/1.0\r\nHost: 1");
    EXPECT_TRUE(ask(HttpProbe{"/", 204}, {{}, 1, byte_by_byte("HTTP/1.0 204\r\n")}).answered);
    EXPECT_EQ(ask(HttpProbe{"/", 200}, {{}, 1, {"HTTP/1.1 503 No\r\n"}}).detail,
              "HTTP status 503, expected 200");
    EXPECT_EQ(ask(HttpProbe{"/", 200}, {{}, 1, {"hello\n"}}).detail,
              "sent 68 65 6c 6c 6f 0a instead of an HTTP status line");
    EXPECT_EQ(ask(HttpProbe{"/", 200}, {{}, 1, {"HTTP/1.1 2x0 OK\r\n"}}).answered, false);
    EXPECT_EQ(ask(HttpProbe{"/", 200}, {{}, 1, {}, Then::send_for_ever}).detail,
              "sent 78 78 78 78 78 78 78 78 … instead of an HTTP status line");
}

TEST_F(Probing, IsCancelledWithItsCaller) {
    std::optional<ProbeResult> result;
    tasks.spawn("probe", test::store(probe(UnoProbe{}, acceptor.local_endpoint(), 1h), result));
    run_until([] { return false; }, 20ms);
    tasks.cancel_all();
    EXPECT_TRUE(run_until([&] { return tasks.size() == 0; }));
}

TEST_F(Probing, TellsAnAddressThatRefusesFromOneThatAccepts) {
    EXPECT_TRUE(await(accepts(acceptor.local_endpoint(), patience)));
    EXPECT_FALSE(await(accepts(address_nobody_listens_on(), patience)));
}

class Opening : public Probing {
protected:
    std::string open(const tcp::endpoint& address, OpenWay way, std::chrono::nanoseconds limit) {
        return await(open_backend(opened, address, way, limit));
    }

    Socket opened{context};
};

TEST_F(Opening, ABackendGivesASocketThatCarriesBytes) {
    ASSERT_EQ(open(acceptor.local_endpoint(), OpenWay::connect, patience), "");
    Socket backend = acceptor.accept();
    backend.non_blocking(true);
    send(opened, "hello");
    EXPECT_EQ(receive(backend, 5), "hello");
    EXPECT_TRUE(::fcntl(opened.native_handle(), F_GETFD) & FD_CLOEXEC);
    tcp::no_delay no_delay;
    opened.get_option(no_delay);
    EXPECT_TRUE(no_delay.value());
}

TEST_F(Opening, AnOfficeLeavesItsGreetingToBeRead) {
    tasks.spawn("backend", serve({{office_greeting()}, 0, {}, Then::wait_for_fin}));
    ASSERT_EQ(open(acceptor.local_endpoint(), OpenWay::uno_speaks_first, patience), "");
    opened.non_blocking(true);
    EXPECT_EQ(receive(opened, office_greeting().size()), office_greeting());
}

TEST_F(Opening, AFrozenOfficeFails) {
    EXPECT_EQ(open(acceptor.local_endpoint(), OpenWay::uno_speaks_first, 100ms),
              "accepted but sent nothing within 0.1 s");
    EXPECT_FALSE(opened.is_open());
}

TEST_F(Opening, AnOfficeThatClosesFails) {
    tasks.spawn("backend", serve({{}, 0, {}, Then::close}));
    EXPECT_EQ(open(acceptor.local_endpoint(), OpenWay::uno_speaks_first, patience),
              "accepted, then closed without sending anything");
    EXPECT_FALSE(opened.is_open());
}

TEST_F(Opening, WhereNobodyListensFails) {
    EXPECT_EQ(open(address_nobody_listens_on(), OpenWay::connect, patience), "connection refused");
    EXPECT_FALSE(opened.is_open());
}

TEST_F(Opening, EndsAtOnceWhenItsSocketIsAborted) {
    std::optional<std::string> error;
    tasks.spawn("open", test::store(open_backend(opened, acceptor.local_endpoint(),
                                                 OpenWay::uno_speaks_first, 1h),
                                    error));
    ASSERT_TRUE(run_until([this] { return opened.is_open(); }));
    abort(opened);
    ASSERT_TRUE(run_until([&error] { return error.has_value(); }));
    EXPECT_NE(*error, "");
}

// Of whoever listens there, in /proc: soffice.bin, whose launcher soffice itself is.
std::filesystem::path process_at(const tcp::endpoint& address) {
    const auto owner = socket_owner(address);
    if (!owner || !*owner || !(*owner)->pid) {
        ADD_FAILURE() << "nobody listens at " << address;
        return "/proc/self";
    }
    return "/proc/" + std::to_string(*(*owner)->pid);
}

// Each thread of a process takes a signal to stop when it runs next.
bool stands_still(const std::filesystem::path& process) {
    const std::filesystem::directory_iterator threads(process / "task");
    return std::all_of(begin(threads), end(threads), [](const auto& thread) {
        std::string stat;
        std::getline(std::ifstream(thread.path() / "stat"), stat);
        return stat.find(") T ") != std::string::npos;
    });
}

// One real office in a session of its own, ended with everything it started.
class RealOffice : public Probing {
protected:
    void SetUp() override {
        if (!std::filesystem::exists("/usr/bin/soffice")) {
            GTEST_SKIP() << "LibreOffice is not installed";
        }
        std::string pattern =
            (std::filesystem::temp_directory_path() / "probe-office-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        profile = pattern;
        address = free_address();
        std::vector<std::string> command = {
            "/usr/bin/soffice",
            "--headless",
            "--norestore",
            "--nologo",
            "--nodefault",
            "-env:UserInstallation=file://" + profile,
            "--accept=socket,host=127.0.0.1,port=" + std::to_string(address.port()) + ";urp;"};
        std::vector<char*> arguments;
        for (std::string& argument : command) {
            arguments.push_back(argument.data());
        }
        arguments.push_back(nullptr);
        posix_spawnattr_t attributes;
        ::posix_spawnattr_init(&attributes);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
        ASSERT_EQ(
            ::posix_spawn(&pid, arguments[0], nullptr, &attributes, arguments.data(), environ), 0);
        ::posix_spawnattr_destroy(&attributes);
    }

    void TearDown() override {
        if (pid > 0) {
            ::kill(-pid, SIGCONT);
            ::kill(-pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        if (!profile.empty()) {
            std::filesystem::remove_all(profile);
        }
    }

    // Below the range sockets are given by themselves. A name that only one can have keeps another
    // test from taking the same one before our office listens there.
    tcp::endpoint free_address() {
        for (std::uint16_t port = 23500; port < 23600; ++port) {
            const tcp::endpoint candidate(asio::ip::address_v4::loopback(), port);
            const std::string name =
                std::string(1, '\0') + "tcplock-test-office-" + std::to_string(port);
            boost::system::error_code taken;
            mark.open();
            mark.bind(name, taken);
            if (!taken && !await(accepts(candidate, 1s))) {
                return candidate;
            }
            mark.close();
        }
        return {};
    }

    asio::local::datagram_protocol::socket mark{context};
    pid_t pid = 0;
    std::string profile;
    tcp::endpoint address;
};

TEST_F(RealOffice, AnswersUnlessItIsFrozen) {
    ASSERT_TRUE(run_until([this] { return await(probe(UnoProbe{}, address, 2s)).answered; }, 60s));
    // A busy machine may stall an office for seconds; that it answers at all is what counts.
    for (int i = 0; i < 20; ++i) {
        const auto result = await(probe(UnoProbe{}, address, 15s));
        EXPECT_TRUE(result.answered) << result.detail;
    }
    for (const Question question :
         {Question::root_object, Question::main_lock, Question::open_documents}) {
        const auto result = await(probe(UnoProbe{question}, address, 15s));
        EXPECT_TRUE(result.answered) << result.detail;
        EXPECT_EQ(result.documents, 0);
    }
    Socket opened(context);
    EXPECT_EQ(await(open_backend(opened, address, OpenWay::uno_speaks_first, 15s)), "");

    const std::filesystem::path process = process_at(address);
    ::kill(-pid, SIGSTOP);
    ASSERT_TRUE(run_until([&process] { return stands_still(process); }));
    const auto frozen = await(probe(UnoProbe{}, address, 500ms));
    EXPECT_EQ(frozen.detail, "accepted but sent nothing within 0.5 s");
    EXPECT_NE(await(open_backend(opened, address, OpenWay::uno_speaks_first, 500ms)), "");

    ::kill(-pid, SIGCONT);
    EXPECT_TRUE(run_until([this] { return await(probe(UnoProbe{}, address, 2s)).answered; }, 10s));
}

// ---- What probes cost an office ---------------------------------------------------------------

struct Footprint {
    std::uint64_t memory = 0;  // resident bytes
    std::size_t threads = 0;
    std::size_t descriptors = 0;
};

Footprint footprint(const tcp::endpoint& address) {
    const std::filesystem::path process = process_at(address);
    const auto count = [&process](const char* folder) {
        const std::filesystem::directory_iterator entries(process / folder);
        return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
    };
    std::uint64_t pages = 0;
    std::ifstream(process / "statm") >> pages >> pages;
    return {pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), count("task"),
            count("fd")};
}

struct Level {
    Question question;
    const char* name;
};

TEST_F(RealOffice, IsNotWornByThousandsOfProbesOfEachLevel) {
#ifdef __SANITIZE_ADDRESS__
    constexpr std::size_t probes = 1000;
#else
    constexpr std::size_t probes = 10000;
#endif
    constexpr std::uint64_t growth_max = 4 << 20;
    ASSERT_TRUE(run_until([this] { return await(probe(UnoProbe{}, address, 2s)).answered; }, 60s));
    for (const Level level :
         {Level{Question::round_trip, "round_trip"}, Level{Question::root_object, "root_object"},
          Level{Question::main_lock, "main_lock"},
          Level{Question::open_documents, "open_documents"}}) {
        for (int first = 0; first < 100; ++first) {  // The first ones make it load what they need.
            ASSERT_TRUE(await(probe(UnoProbe{level.question}, address, 15s)).answered);
        }
        const Footprint before = footprint(address);
        std::vector<std::chrono::nanoseconds> took;
        for (std::size_t i = 0; i < probes; ++i) {
            const auto result = await(probe(UnoProbe{level.question}, address, 15s));
            ASSERT_TRUE(result.answered) << result.detail;
            took.push_back(result.duration);
        }
        // Its threads end a moment after their connections.
        EXPECT_TRUE(run_until(
            [&] {
                const Footprint now = footprint(address);
                return now.threads <= before.threads && now.descriptors <= before.descriptors;
            },
            10s));
        const Footprint after = footprint(address);
        std::ranges::sort(took);
        const auto milliseconds = [](std::chrono::nanoseconds time) {
            return std::chrono::duration<double, std::milli>(time).count();
        };
        const std::uint64_t growth =
            after.memory > before.memory ? after.memory - before.memory : 0;
        std::printf(
            "RESULT probes_%s: count=%zu median=%.2fms p99=%.2fms memory=+%lluKiB "
            "threads=%zu,%zu descriptors=%zu,%zu\n",
            level.name, probes, milliseconds(took[probes / 2]),
            milliseconds(took[probes * 99 / 100]), static_cast<unsigned long long>(growth / 1024),
            before.threads, after.threads, before.descriptors, after.descriptors);
        EXPECT_LT(growth, growth_max);
    }
}

}  // namespace
}  // namespace tcplock::io
