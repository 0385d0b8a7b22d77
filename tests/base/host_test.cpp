// Values of the host: what is there is what the system says, and nothing is made up.
#include "coffer/base/host.hpp"

#include <fstream>
#include <iterator>

#include "catch.hpp"

TEST_CASE("values of the host") {
    using coffer::os::host_value;
    CHECK_FALSE(host_value("shoe-size"));
    CHECK_FALSE(host_value(""));
    CHECK_FALSE(host_value("../hostname"));
    std::ifstream file("/proc/sys/kernel/hostname");
    const std::string name((std::istreambuf_iterator<char>(file)), {});
    CHECK(host_value("hostname") == name);
    std::ifstream id("/etc/machine-id");
    const std::string machine((std::istreambuf_iterator<char>(id)), {});
    if (!machine.empty()) CHECK(host_value("machine-id") == machine);
}
