// A vendor, a licensor, a root and a device for trust_test.cpp. Made with the internal headers, which do not go
// together with coffer.hpp in one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace test_world {

using File = std::vector<std::byte>;
inline constexpr int64_t kNow = 1'800'000'000;

std::string vendor_pem();
std::string licensor_pem();
std::string device_identity();

File model(uint64_t version, bool licensed);
// For the device, until kNow + 1000 with a grace of 500; `bound`: to machine-id "m1" and hostname "h1".
File licence(bool bound = false);
// Signed by the root; `min_version` of the model, 0: none.
File bundle(uint64_t number, uint64_t min_version = 0);

}  // namespace test_world
