// Where operators are answered: which paths there are, who may do what, and what a request means.
//
// Whatever changes something is an event of the core's, and is only to be had where operators alone
// can come: on the socket in the file system, whose mode says who they are. Over TCP there is
// nothing but what is read.
#pragma once

#include "admin/http.hpp"
#include "admin/record.hpp"
#include "admin/view.hpp"
#include "core/events.hpp"

#include <functional>
#include <map>
#include <string>

namespace tcplock::admin {

// What became of it: one sentence, or several lines of them.
struct Reloaded {
    bool is_done = false;
    std::string text;
};

enum class Access { read_only, everything };

class Desk {
public:
    struct Callbacks {
        std::function<const View&()> look;
        const Record& record;
        // Told by whom, in words for the log.
        std::function<void(core::Event, const std::string& what, const std::string& by)> order;
        std::function<Reloaded(const std::string& by)> reload;
    };

    explicit Desk(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

    Response answer(const Request& request, Access access, const std::string& by);

private:
    Response read(const Request& request);
    const std::string& body_of(const std::string& path, const View& view);
    Response act(const Request& request, const std::string& by) const;
    Response recycle(const std::string& body, const std::string& by) const;
    Response cut(const std::string& body, const std::string& by) const;
    Response pause(const std::string& by) const;

    Callbacks callbacks_;
    // What was put together of one view is handed out to all who ask while it lasts.
    std::map<std::string, std::string> bodies_;
    core::Instant bodies_of_;
};

}  // namespace tcplock::admin
