// The constants of UNO's remote protocol (URP), each with its source in LibreOffice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tcplock::uno {

// How a message begins: binaryurp/source/writer.cxx (sendRequest, sendReply), reader.cxx
// (readMessage). Without the long header it is a request to the object, and from the thread, of the
// request before it.
namespace flag {
inline constexpr std::uint8_t long_header = 0x80;
inline constexpr std::uint8_t request = 0x40;
inline constexpr std::uint8_t new_type = 0x20;   // of a request
inline constexpr std::uint8_t exception = 0x20;  // of a reply
inline constexpr std::uint8_t new_object = 0x10;
inline constexpr std::uint8_t new_thread = 0x08;
inline constexpr std::uint8_t function_in_16_bits = 0x04;
inline constexpr std::uint8_t more_flags = 0x01;
inline constexpr std::uint8_t short_function_in_14_bits = 0x40;
inline constexpr std::uint8_t short_function = 0x3f;
}  // namespace flag

// typelib_TypeClass, include/typelib/typeclass.h.
namespace type_class {
inline constexpr std::uint8_t void_type = 0;
inline constexpr std::uint8_t any = 14;        // the last of those that need no name
inline constexpr std::uint8_t exception = 19;  // here 16 and above, but not all, have a name
inline constexpr std::uint8_t interface = 22;
inline constexpr std::uint8_t name_follows = 0x80;  // binaryurp/source/marshal.cxx (writeType)
}  // namespace type_class

// Types, objects and threads may be given a number when they are named, and be called by it from
// then on: binaryurp/source/cache.hxx.
inline constexpr std::uint16_t cache_size = 256;
inline constexpr std::uint16_t no_cache = 0xffff;

// binaryurp/source/marshal.cxx (writeCompressed): longer sizes take five bytes.
inline constexpr std::uint8_t size_in_32_bits = 0xff;

// The numbers of functions: binaryurp/source/specialfunctionids.hxx, and the order in which the
// interfaces (udkapi/, offapi/) declare them, beginning at 3.
namespace function {
inline constexpr std::uint8_t query_interface = 0;
inline constexpr std::uint8_t request_change = 4;       // XProtocolProperties
inline constexpr std::uint8_t commit_change = 5;        // XProtocolProperties
inline constexpr std::uint8_t get_service_manager = 4;  // XComponentContext
inline constexpr std::uint8_t create_with_context = 3;  // XMultiComponentFactory
inline constexpr std::uint8_t terminate = 3;            // XDesktop
inline constexpr std::uint8_t get_components = 6;       // XDesktop
inline constexpr std::uint8_t get_current_frame = 8;    // XDesktop
inline constexpr std::uint8_t create_enumeration = 5;   // XEnumerationAccess
inline constexpr std::uint8_t has_more_elements = 3;    // XEnumeration
inline constexpr std::uint8_t next_element = 4;         // XEnumeration
}  // namespace function

namespace name {
// binaryurp/source/bridge.cxx (Bridge's constructor, sendCommitChangeRequest).
inline constexpr std::string_view properties_type = "com.sun.star.bridge.XProtocolProperties";
inline constexpr std::string_view properties_object = "UrpProtocolProperties";
inline constexpr std::string_view current_context = "CurrentContext";
// desktop/source/offacc/acceptor.cxx (AccInstanceProvider::getInstance).
inline constexpr std::string_view root_object = "StarOffice.ComponentContext";
inline constexpr std::string_view desktop_service = "com.sun.star.frame.Desktop";

inline constexpr std::string_view interface = "com.sun.star.uno.XInterface";
inline constexpr std::string_view component_context = "com.sun.star.uno.XComponentContext";
inline constexpr std::string_view component_factory = "com.sun.star.lang.XMultiComponentFactory";
inline constexpr std::string_view desktop = "com.sun.star.frame.XDesktop";
inline constexpr std::string_view enumeration_access = "com.sun.star.container.XEnumerationAccess";
inline constexpr std::string_view enumeration = "com.sun.star.container.XEnumeration";
inline constexpr std::string_view runtime_exception = "com.sun.star.uno.RuntimeException";
}  // namespace name

}  // namespace tcplock::uno
