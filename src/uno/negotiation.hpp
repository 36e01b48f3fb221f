// The agreement with which a connection begins, for the side that agrees to what is asked.
//
// Each side of LibreOffice's asks to change the protocol as soon as it is connected, without
// waiting for the other (that is its greeting), and may do so once it is told "1". What it changes
// is always the same: requests carry the caller's current context from then on. We ask for nothing.
// Source: binaryurp/source/bridge.cxx (sendRequestChangeRequest, handleRequestChangeReply,
// sendCommitChangeRequest); for Java ridljar/com/sun/star/lib/uno/protocols/urp/urp.java.
#pragma once

#include "uno/bytes.hpp"
#include "uno/message.hpp"

namespace tcplock::uno {

class Negotiation {
public:
    enum class Stage {
        silence,  // the peer has not said anything
        greeted,  // it has asked, and was told to go ahead
        agreed,   // the change is made
    };

    // Whether a request belongs here. One that does is answered by answer().
    static bool concerns(const Request& request);

    // What to reply; empty if the request is none that can be made now. Its arguments are read.
    Buffer answer(const Request& request, Incoming& arguments);

    Stage stage() const { return stage_; }
    // That the peer chose for this connection, by chance.
    std::uint32_t number() const { return number_; }

private:
    Stage stage_ = Stage::silence;
    std::uint32_t number_ = 0;
};

}  // namespace tcplock::uno
