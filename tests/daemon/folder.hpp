// A folder for one test, gone when the test is over.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tcplock::daemon::test {

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "tcplock-XXXXXX").string();
        if (!::mkdtemp(name.data())) {
            throw std::runtime_error("cannot make " + name);
        }
        path_ = std::filesystem::canonical(name);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace tcplock::daemon::test
