// Published test vectors, read where they lie (COFFER_SHARED_DIR/vectors). When they are absent a test says so
// and ends; when they are there, the number of cases it ran is asserted, so that none is lost unnoticed.
#pragma once

#include <concepts>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "coffer/base/bytes.hpp"
#include "crypto/secret.hpp"

namespace coffer::crypto {

using Json = nlohmann::json;

inline std::optional<Json> load_vectors(const std::string& name) {
    std::ifstream file(std::string(COFFER_SHARED_DIR) + "/vectors/" + name);
    if (!file) {
        WARN("skipped: " + name + " is not there");
        return std::nullopt;
    }
    return Json::parse(file);
}

inline std::vector<std::byte> unhex(const std::string& text) {
    std::vector<std::byte> bytes(text.size() / 2);
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
    }
    return bytes;
}
template <std::same_as<Json> T>  // a template, as text would convert to Json too
std::vector<std::byte> unhex(const T& value) {
    return unhex(value.template get<std::string>());
}

template <size_t N>
std::array<std::byte, N> to_array(Bytes bytes) {
    REQUIRE(bytes.size() == N);
    std::array<std::byte, N> out;
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
}

inline std::vector<std::byte> to_vector(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}
inline SecretBytes secret_of(Bytes bytes) {
    return SecretBytes::copy_of(bytes).value();
}

}  // namespace coffer::crypto
