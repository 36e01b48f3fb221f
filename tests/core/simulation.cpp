// Runs histories of the hostile world: `simulation [--seeds N] [--from SEED]`, or one of them with
// all its events told: `simulation --seed SEED`. Exit 1 and the seed if a promise was broken.

#include "world.hpp"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <string_view>

namespace {

using tcplock::simulation::Broken;
using tcplock::simulation::World;

struct Arguments {
    std::uint64_t from = 1;
    std::uint64_t seeds = 2000;
    std::optional<std::uint64_t> one;
};

std::optional<std::uint64_t> parse_number(const char* text) {
    std::uint64_t value = 0;
    const char* const end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    return error == std::errc{} && rest == end ? std::optional(value) : std::nullopt;
}

std::optional<Arguments> parse(int count, char** values) {
    Arguments arguments;
    for (int i = 1; i + 1 < count; i += 2) {
        const auto value = parse_number(values[i + 1]);
        const std::string_view name = values[i];
        if (!value) {
            return std::nullopt;
        }
        if (name == "--seeds") {
            arguments.seeds = *value;
        } else if (name == "--from") {
            arguments.from = *value;
        } else if (name == "--seed") {
            arguments.one = value;
        } else {
            return std::nullopt;
        }
    }
    return count % 2 == 1 ? std::optional(arguments) : std::nullopt;
}

int run_one(std::uint64_t seed) {
    World world(seed, &std::cout);
    try {
        world.run();
    } catch (const Broken& broken) {
        std::cout << "seed " << seed << ": broken promise " << broken.what() << '\n';
        return 1;
    }
    std::cout << "seed " << seed << ": kept\n";
    return 0;
}

int run_many(std::uint64_t from, std::uint64_t seeds) {
    const auto began = std::chrono::steady_clock::now();
    std::uint64_t events = 0;
    for (std::uint64_t seed = from; seed < from + seeds; ++seed) {
        World world(seed, nullptr);
        try {
            world.run();
        } catch (const Broken& broken) {
            std::cout << "seed " << seed << ": broken promise " << broken.what()
                      << "\nreplay with: simulation --seed " << seed << '\n';
            return 1;
        }
        events += world.events();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::cout << "histories " << seeds << ", events " << events << ", seconds " << took.count()
              << ": every promise kept\n";
    return 0;
}

}  // namespace

int main(int count, char** values) {
    const auto arguments = parse(count, values);
    if (!arguments) {
        std::cerr << "usage: simulation [--seeds N] [--from SEED] | --seed SEED\n";
        return 2;
    }
    return arguments->one ? run_one(*arguments->one) : run_many(arguments->from, arguments->seeds);
}
