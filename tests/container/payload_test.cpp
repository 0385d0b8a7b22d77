// Chunks: opened once each, only those that are asked for, and never after a failure.
#include <algorithm>
#include <map>

#include "container/payload.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

// An unprotected file shows its key, so its payload can be opened piece by piece.
struct Pieces {
    FileBytes file;
    Header header;
    std::map<uint64_t, int> reads;  // of the payload, by chunk
    std::shared_ptr<Payload> payload;
    OpenOptions serial;

    explicit Pieces(size_t damaged_chunk = SIZE_MAX) {
        WriteOptions options;
        options.unprotected = true;
        options.chunk_log2 = kMinChunkLog2;
        file = pack(model_with_bytes(10 * 16'384 - 64 - 1000), options);
        header = inspect(Source::memory(file))->header;
        if (damaged_chunk != SIZE_MAX) file[header.payload_off + damaged_chunk * header.chunk_size()] ^= std::byte{1};
        Source source =
            Source::reader({[&]() -> Result<uint64_t> { return file.size(); },
                            [&](uint64_t offset, MutableBytes dst) -> Status {
                                std::memcpy(dst.data(), file.data() + offset, dst.size());
                                if (offset < header.payload_off) return {};
                                const uint64_t first = (offset - header.payload_off) / header.chunk_size();
                                const uint64_t n = (dst.size() + header.chunk_size() - 1) / header.chunk_size();
                                for (uint64_t i = first; i < first + n; ++i) ++reads[i];
                                return {};
                            }});
        REQUIRE(source.open().ok());
        const Bytes dek = Bytes(file).subspan(header.body_len + kSlotsHead + kSlotHead, kDekSize);
        const Schedule schedule = Schedule::create(header, dek).value();
        Payload::Setup setup{source, header, read_table(source, header).value(), schedule.payload().value()};
        payload = Payload::create(std::move(setup)).value();
    }
    Status load(uint64_t offset, uint64_t nbytes) { return payload->load(offset, nbytes, serial.parallel); }
};

}  // namespace

TEST_CASE("a range opens its chunks and no others, each once") {
    Pieces p;
    REQUIRE(p.header.n_chunks == 10);
    REQUIRE(p.load(3 * 16'384 + 5, 16'384).ok());
    CHECK(p.reads == std::map<uint64_t, int>{{3, 1}, {4, 1}});
    const Tensor big = model_with_bytes(10 * 16'384 - 64 - 1000).constants[1].tensor;
    CHECK(std::ranges::equal(p.payload->bytes().subspan(4 * 16'384, 100), big.bytes().subspan(4 * 16'384 - 64, 100)));
    REQUIRE(p.load(0, 0).ok());
    REQUIRE(p.load(4 * 16'384, 1).ok());
    CHECK(p.reads.size() == 2);
    REQUIRE(p.load(2 * 16'384 + 16'383, 3 * 16'384).ok());
    CHECK(p.reads == std::map<uint64_t, int>{{2, 1}, {3, 1}, {4, 1}, {5, 1}});
    REQUIRE(p.load(0, p.header.payload_len).ok());
    CHECK(p.reads.size() == 10);
    CHECK(std::ranges::all_of(p.reads, [](const auto& read) { return read.second == 1; }));
    CHECK(std::ranges::equal(p.payload->bytes().subspan(64), big.bytes()));
    CHECK(!p.load(p.header.payload_len, 1).ok());
    CHECK(!p.load(1, p.header.payload_len).ok());
}

TEST_CASE("after a failure everything is wiped and stays closed") {
    Pieces p(7);
    REQUIRE(p.load(0, 16'384).ok());
    CHECK(!std::ranges::all_of(p.payload->bytes().first(16'384), [](std::byte b) { return b == std::byte{0}; }));
    const Status failed = p.load(7 * 16'384, 1);
    REQUIRE(!failed.ok());
    CHECK(Status(p.load(0, 1)).error().detail() == Detail::kTree);
    CHECK(all_zero(p.payload->bytes()));
    const auto reads = p.reads;
    CHECK(!p.load(9 * 16'384, 1).ok());
    CHECK(p.reads == reads);
}

TEST_CASE("the key is let go with the last chunk, and bytes can be given back and written again") {
    Pieces p;
    const size_t size = p.header.payload_len;
    REQUIRE(p.load(0, size - 1).ok());
    REQUIRE(p.payload->complete());
    const FileBytes all(p.payload->bytes().begin(), p.payload->bytes().end());
    p.payload->seal_memory();
    p.payload->discard(4096, 8192);
    CHECK(all_zero(p.payload->bytes().subspan(4096, 8192)));
    CHECK(std::ranges::equal(p.payload->bytes().first(4096), Bytes(all).first(4096)));
    CHECK(std::ranges::equal(p.payload->bytes().subspan(12288), Bytes(all).subspan(12288)));
    REQUIRE(p.payload->allow_writing());
    std::ranges::copy(Bytes(all).subspan(4096, 8192), p.payload->bytes().begin() + 4096);
    CHECK(std::ranges::equal(p.payload->bytes(), all));
    CHECK(p.payload->holds(p.payload->bytes().data()));
    CHECK(!p.payload->holds(all.data()));
    CHECK(!p.payload->holds(p.payload->bytes().data() + size));
}

TEST_CASE("what the last page has left is the caller's") {
    Pieces p;
    const MutableBytes spare = p.payload->spare();
    REQUIRE(spare.data() == p.payload->bytes().data() + p.header.payload_len);
    REQUIRE((p.header.payload_len + spare.size()) % 4096 == 0);
    REQUIRE(spare.size() >= 1000);
    CHECK(!p.payload->holds(spare.data()));
    const auto kept = [&] { return std::ranges::all_of(spare, [](std::byte b) { return b == std::byte{7}; }); };
    std::ranges::fill(spare, std::byte{7});
    REQUIRE(p.load(0, p.header.payload_len).ok());
    CHECK(kept());
    p.payload->seal_memory();
    p.payload->discard(8192, p.header.payload_len - 8192);
    CHECK(kept());
    CHECK(all_zero(p.payload->bytes().subspan(8192)));
    p.payload->fail(error(Code::kInternal, "a test"));
    CHECK(all_zero(spare));
}

TEST_CASE("lazy open reads nothing of the payload, and checks tensors when they come") {
    graph::Model m = model_with_bytes(5 * 16'384 - 64 - 1000);
    Tensor flags = Tensor::create(DType::kBool, Shape{40'000}).value();
    *flags.view().as<uint8_t>() = 2;  // what a careless writer may seal
    m.add_constant(m.graphs[0], "flags", flags);
    m.blobs = {{"labels", PrivateVector<std::byte>(100, std::byte{7})}};
    WriteOptions options;
    options.unprotected = true;
    options.chunk_log2 = kMinChunkLog2;
    const FileBytes file = pack(m, options);
    trust::Policy policy;
    policy.allow_unprotected = policy.allow_unsigned = true;
    CHECK(open_class(file, policy, {}) == Detail::kManifestInvalid);
    OpenOptions lazy;
    lazy.lazy = true;
    const auto opened = open(Source::memory(file), policy, {}, lazy);
    REQUIRE(opened.ok());
    CHECK(!opened->payload->complete());
    CHECK(opened->model.blobs[0].bytes == m.blobs[0].bytes);
    const auto check = [&](const Tensor& t, uint64_t offset) {
        TensorRecord record;
        record.dtype = t.dtype();
        record.offset = offset;
        record.nbytes = t.nbytes();
        return check_tensor(record, opened->payload->bytes());
    };
    const Tensor& big = opened->model.constants[1].tensor;
    const uint64_t at = big.bytes().data() - opened->payload->bytes().data();
    CHECK(all_zero(big.bytes()));
    REQUIRE(opened->payload->load(at, big.nbytes(), {}).ok());
    CHECK(std::ranges::equal(big.bytes(), m.constants[1].tensor.bytes()));
    CHECK(check(big, at).ok());
    const Tensor& bad = opened->model.constants[2].tensor;
    const uint64_t bad_at = bad.bytes().data() - opened->payload->bytes().data();
    REQUIRE(opened->payload->load(bad_at, bad.nbytes(), {}).ok());
    CHECK(check(bad, bad_at).error().detail() == Detail::kManifestInvalid);
    // A digest is of everything.
    lazy.digests = true;
    CHECK(open_class(file, policy, {}, lazy) == Detail::kManifestInvalid);
}

TEST_CASE("a chunk is sealed once") {
    Pieces p;
    Header h = p.header;
    const Schedule schedule = Schedule::create(h, FileBytes(32)).value();
    ChunkSealer sealer = ChunkSealer::create(h, schedule.payload().value()).value();
    Table table(h.n_chunks);
    FileBytes chunk(h.chunk_size());
    REQUIRE(sealer.seal(0, chunk, table).ok());
    CHECK(sealer.seal(0, chunk, table).error().code() == Code::kInternal);
    CHECK(sealer.seal(h.n_chunks, chunk, table).error().code() == Code::kInternal);
    CHECK(sealer.seal(1, chunk, table).ok());
}

}  // namespace coffer::container::test
