#include "io/look_up.hpp"

#include "io/address.hpp"
#include "io/descriptor.hpp"
#include "io/timeout.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <new>
#include <optional>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace tcplock::io {
namespace {

constexpr std::size_t endpoints_max = 8;

LookUp read(const addrinfo* results) {
    LookUp found;
    for (; results != nullptr && found.endpoints.size() < endpoints_max;
         results = results->ai_next) {
        tcp::endpoint endpoint;
        std::memcpy(endpoint.data(), results->ai_addr, results->ai_addrlen);
        endpoint.resize(results->ai_addrlen);
        found.endpoints.push_back(endpoint);
    }
    return found;
}

}  // namespace

// Between us and the thread that looks up. Whoever comes last lets it go: we may not have waited.
struct NameService::Answer {
    bool has_failed() {
        const std::lock_guard lock(mutex);
        return found && found->endpoints.empty();
    }

    std::mutex mutex;
    std::optional<LookUp> found;
    Descriptor ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

// For as long as the name service takes.
void NameService::ask(std::shared_ptr<Answer> answer, std::string host, std::string port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* results = nullptr;
    const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &results);
    LookUp found;
    try {
        found = error == 0 ? read(results) : LookUp{{}, ::gai_strerror(error)};
    } catch (const std::bad_alloc&) {  // Nothing may leave a thread.
        found = {};
    }
    if (results != nullptr) {
        ::freeaddrinfo(results);
    }
    {
        const std::lock_guard lock(answer->mutex);
        answer->found = std::move(found);
    }
    const std::uint64_t one = 1;
    (void)!::write(answer->ready.get(), &one, sizeof one);  // It cannot be full.
}

boost::asio::awaitable<void> NameService::await(std::shared_ptr<Answer> answer) {
    boost::asio::posix::stream_descriptor ready(co_await boost::asio::this_coro::executor);
    boost::system::error_code error;
    ready.assign(::fcntl(answer->ready.get(), F_DUPFD_CLOEXEC, 0), error);
    if (!error) {
        (void)co_await ready.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                        use_result);
    }
}

boost::asio::awaitable<LookUp> NameService::look_up(std::string service,
                                                    std::chrono::nanoseconds limit) {
    if (const auto numeric = parse_endpoint(service)) {
        co_return LookUp{{*numeric}, {}};
    }
    if (awaited_ && awaited_->has_failed()) {
        awaited_.reset();  // After we had ceased to wait: that is news of then, not of now.
    }
    if (!awaited_) {
        const std::size_t colon = service.rfind(':');
        auto answer = std::make_shared<Answer>();
        if (!answer->ready) {
            co_return LookUp{{}, "no descriptor is left"};
        }
        try {
            std::thread(ask, answer, service.substr(0, colon), service.substr(colon + 1)).detach();
        } catch (const std::system_error& error) {
            co_return LookUp{{}, error.what()};
        }
        awaited_ = std::move(answer);
    }
    (void)co_await with_timeout(await(awaited_), limit);
    std::optional<LookUp> found;
    {
        const std::lock_guard lock(awaited_->mutex);
        found = std::move(awaited_->found);
    }
    if (!found) {
        co_return LookUp{{}, "the name service does not answer"};
    }
    awaited_.reset();
    co_return *found;
}

}  // namespace tcplock::io
