// Makes a program of a target: libFuzzer's, with one more way to be called.
//
//   fuzz_<name> --prepare DIRECTORY    writes DIRECTORY/seeds/ and DIRECTORY/dictionary
#include "target.hpp"
#include "uno/block.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace tcplock::fuzz {
namespace {

using uno::WireWriter;

// As it is in a message.
Buffer written(const WireWriter& wire) {
    const Buffer block = wire.in_block();
    const Bytes body = Bytes(block).subspan(uno::block_head_size);
    return {body.begin(), body.end()};
}

// What messages are made of.
std::vector<Buffer> words() {
    namespace flag = uno::flag;
    namespace type_class = uno::type_class;
    namespace name = uno::name;
    constexpr std::uint8_t request = flag::long_header | flag::request;
    constexpr std::uint8_t named = flag::new_type | flag::new_object | flag::new_thread;
    std::vector<Buffer> words{
        {request | named},
        {request | flag::new_object},
        {request | named | flag::more_flags | flag::function_in_16_bits},
        {flag::long_header},
        {flag::long_header | flag::new_thread},
        {flag::long_header | flag::new_thread | flag::exception},
        {type_class::interface},
        {type_class::interface | type_class::name_follows},
        {type_class::exception | type_class::name_follows},
        {0xff, 0xff},        // in no cache
        {0x00, 0x01},        // a number of one that is
        {0x01, 0x00},        // the first number that none has
        {0x00, 0xff, 0xff},  // no object
        {uno::size_in_32_bits, 0x00, 0x00, 0x10, 0x00},
        {0x00, 0x00, 0x00, 0x01},
    };
    for (const std::string_view text :
         {name::properties_type, name::properties_object, name::current_context, name::root_object,
          name::interface, name::component_context, name::desktop, name::runtime_exception}) {
        words.push_back(written(WireWriter().text(text)));
    }
    words.push_back(written(WireWriter().type(type_class::interface, name::interface)));
    words.push_back(written(WireWriter().type(type_class::exception, name::runtime_exception)));
    return words;
}

std::ofstream open(const std::filesystem::path& path) {
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(path, std::ios::binary);
    return file;
}

void prepare(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory / "seeds");
    int number = 0;
    for (const Buffer& seed : seeds()) {
        std::ofstream file = open(directory / "seeds" / ("seed-" + std::to_string(++number)));
        for (const std::uint8_t byte : seed) {
            file.put(static_cast<char>(byte));
        }
    }
    std::ofstream dictionary = open(directory / "dictionary");
    for (const Buffer& word : words()) {
        dictionary << '"';
        for (const std::uint8_t byte : word) {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(byte));
            dictionary << escaped.data();
        }
        dictionary << "\"\n";
    }
}

}  // namespace
}  // namespace tcplock::fuzz

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

int LLVMFuzzerInitialize(int* count, char*** arguments) {
    if (*count == 3 && std::string_view{(*arguments)[1]} == "--prepare") {
        try {
            tcplock::fuzz::prepare((*arguments)[2]);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            std::exit(1);
        }
        std::exit(0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    tcplock::fuzz::try_input({bytes, size});
    return 0;
}
