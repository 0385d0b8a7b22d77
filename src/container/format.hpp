// The constants of docs/format.md, named as there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "coffer/base/bytes.hpp"

namespace coffer::container {

using Id = std::array<std::byte, 16>;
using Digest = std::array<std::byte, 32>;

// 5.2
inline constexpr std::array<uint8_t, 8> kMagic = {0x89, 'C', 'O', 'F', '\r', '\n', 0x1a, '\n'};
inline constexpr uint16_t kMajor = 1;
inline constexpr uint16_t kMinor = 0;
inline constexpr size_t kHdrSize = 512;
inline constexpr size_t kSigsOffset = 512;
inline constexpr size_t kSigsSize = 3584;
inline constexpr size_t kHeadSize = kHdrSize + kSigsSize;
inline constexpr uint64_t kRegionAlign = 4096;
inline constexpr uint64_t kMinFile = kHeadSize + kRegionAlign + 96;

enum Incompat : uint32_t {
    kSlotsSigned = 0x1,
    kPostQuantumOnly = 0x2,
    kLicenceRequired = 0x4,
    kUnprotected = 0x8,
};
inline constexpr uint32_t kKnownIncompat = kSlotsSigned | kPostQuantumOnly | kLicenceRequired | kUnprotected;

inline constexpr uint16_t kEd25519 = 1;
inline constexpr size_t kEd25519SignatureSize = 64;

// 5.3
inline constexpr size_t kDekSize = 32;

// 5.4
inline constexpr uint8_t kMinChunkLog2 = 14;
inline constexpr uint8_t kMaxChunkLog2 = 20;
inline constexpr uint8_t kDefaultChunkLog2 = 16;
inline constexpr uint8_t kLargeChunkLog2 = 18;
inline constexpr uint64_t kLargePayload = uint64_t{4} << 30;
inline constexpr uint64_t kMaxPayload = uint64_t{1} << 42;
inline constexpr size_t kTagSize = 16;
inline constexpr size_t kTableEntry = 48;
inline constexpr uint64_t kItemAlign = 64;

// 5.7
inline constexpr size_t kSlotsHead = 64;
inline constexpr size_t kSlotHead = 24;
inline constexpr size_t kMacSize = 32;
inline constexpr size_t kSlotsMin = kSlotsHead + kMacSize;
inline constexpr uint64_t kSlotsMax = 1 << 20;
inline constexpr size_t kMaxSlots = 1024;
inline constexpr size_t kMaxSlotBody = 8192;
inline constexpr uint16_t kSlotsVersion = 1;
inline constexpr uint32_t kGrant = 0x1;     // flag of a SLOTS block
inline constexpr uint16_t kCritical = 0x1;  // flag of a slot

// 5.10, 5.13
inline constexpr uint16_t kManifestFormat = 1;
inline constexpr uint32_t kManifestLevel = 1;  // Claims.min_runtime
inline constexpr uint32_t kNone = 0xffffffffu;
inline constexpr uint64_t kMaxManifest = uint64_t{64} << 20;
inline constexpr uint32_t kMaxTables = 200'000;
inline constexpr uint32_t kMaxTableDepth = 32;
inline constexpr size_t kMaxRecords = 1'000'000;  // tensors, nodes, values: each
inline constexpr size_t kMaxAttrs = 256;          // of one node
inline constexpr size_t kMaxStates = 1024;
inline constexpr size_t kMaxName = 1024;
inline constexpr uint64_t kMaxDim = uint64_t{1} << 31;
inline constexpr size_t kMaxInlineList = 64;

}  // namespace coffer::container
