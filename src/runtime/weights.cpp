#include "runtime/weights.hpp"

#include <algorithm>
#include <cstring>

#include "coffer/base/checked.hpp"
#include "coffer/ops/op.hpp"
#include "container/errors.hpp"
#include "container/manifest.hpp"

namespace coffer::runtime {
namespace {

constexpr size_t kSmallBlock = size_t{256} << 10, kLargeBlock = size_t{64} << 20;
// Less is not worth a call of the system, nor a huge page that it splits.
constexpr size_t kWorthGivingBack = size_t{256} << 10;
constexpr uintptr_t kPage = 4096;

uintptr_t address(const void* data) {
    return reinterpret_cast<uintptr_t>(data);
}
void* pointer(uintptr_t address) {
    return reinterpret_cast<void*>(address);
}

size_t element_bytes(const container::TensorRecord& record) {
    return TensorView{nullptr, record.dtype, record.shape}.nbytes();
}

// What `pack` makes of a tensor whose byte i is byte(i).
Status pack_bytes(const TensorView& like, size_t bytes, WeightStore::Pack pack, const void* arg, auto&& byte,
                  std::vector<uint8_t>* out) {
    COFFER_TRY_ASSIGN(const Tensor probe, Tensor::create(like.dtype, like.shape));
    auto* src = probe.view().as<uint8_t>();
    for (size_t i = 0; i < probe.nbytes(); ++i) src[i] = byte(i);
    COFFER_TRY_ASSIGN(const Tensor dst, Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}));
    COFFER_TRY(pack(probe.view(), dst.view().data, arg));
    out->assign(dst.span<uint8_t>().begin(), dst.span<uint8_t>().end());
    return {};
}

}  // namespace

void WeightStore::bind(Home home, size_t constant_bytes, uint64_t max_memory) {
    home_ = std::move(home);
    max_memory_ = max_memory;
    constant_bytes_ = constant_bytes;
    lazy_ = home_.payload && !home_.payload->complete();
    for (const auto& [data, record] : home_.decoded.records)
        staging_bytes_ = std::max(staging_bytes_, element_bytes(record));
    if (!home_.payload) return;
    spare_ = home_.payload->spare();
    spare_ = spare_.subspan(std::min<size_t>(spare_.size(), -address(spare_.data()) % container::kItemAlign));
}

Result<WeightStore::Planning> WeightStore::begin(Parallel* parallel) {
    // In a forked child another thread's lock is never let go: ask what may fail first.
    if (home_.payload) COFFER_TRY(home_.payload->usable());
    mutex_.lock();
    Planning planning(this);
    if (planning_++ == 0) parallel_ = parallel;
    COFFER_TRY(failure());
    return planning;
}

void WeightStore::end() {
    if (--planning_ == 0) {
        parallel_ = nullptr;
        staging_ = {};
        give_back();
        for (Block& block : blocks_) block.pages.protect_read_only();
        if (home_.payload) home_.payload->seal_memory();
        if (home_.decoded.pages) home_.decoded.pages->protect_read_only();
    }
    mutex_.unlock();
}

bool WeightStore::holds(const void* data) const {
    return home_.payload && (home_.payload->holds(data) || home_.decoded.records.contains(data));
}

WeightStore::Constant* WeightStore::find(const TensorView& view) {
    if (!holds(view.data)) return nullptr;
    const auto [it, added] = constants_.try_emplace(view.data);
    if (added) {
        it->second.data = view.as<std::byte>();
        it->second.nbytes = view.nbytes();
        const auto record = home_.decoded.records.find(view.data);
        if (record != home_.decoded.records.end()) it->second.narrow = &record->second;
        if (!is_stored(view.data)) it->second.state = Constant::kOpen;
    }
    return &it->second;
}

// What was left as it is stored, before anybody asked for it.
bool WeightStore::is_stored(const void* data) const {
    return lazy_ || home_.decoded.records.contains(data);
}

bool WeightStore::is_open(const TensorView& view) const {
    const std::lock_guard lock(mutex_);
    if (!holds(view.data)) return true;
    const auto it = constants_.find(view.data);
    return it == constants_.end() ? !is_stored(view.data) : it->second.state == Constant::kOpen;
}

Result<TensorView> WeightStore::open(const TensorView& view) {
    const std::lock_guard lock(mutex_);
    return open(view, find(view));
}

Result<TensorView> WeightStore::keep(const TensorView& view) {
    const std::lock_guard lock(mutex_);
    Constant* const constant = find(view);
    if (constant) constant->kept = true;
    return open(view, constant);
}

Result<TensorView> WeightStore::open(const TensorView& view, Constant* constant) {
    if (!constant) return view;
    COFFER_TRY(fetch(view, *constant));
    return TensorView{constant->data, view.dtype, view.shape};
}

Status WeightStore::fetch(const TensorView& view, Constant& constant) {
    if (constant.state == Constant::kOpen) return {};
    if (constant.state == Constant::kReleased) {
        if (take_back(view, constant)) return {};
        return restore(view, constant);
    }
    COFFER_TRY_ASSIGN(const container::TensorRecord record, open_chunks(view, constant));
    if (!constant.narrow) {
        constant.state = Constant::kOpen;
        return {};
    }
    os::Pages& pages = *home_.decoded.pages;
    if (!pages.allow_writing()) return container::weights_read_only();
    constant.state = Constant::kOpen;
    pages.prefer_huge(static_cast<size_t>(constant.data - pages.data()), constant.nbytes);
    container::PayloadAccess access;
    access.drop = [&](uint64_t offset, uint64_t nbytes) { home_.payload->discard(offset, nbytes); };
    container::decode_tensor(record, home_.payload->bytes(), constant.data, access);
    return {};
}

// The stored bytes are there, and sound.
Result<container::TensorRecord> WeightStore::open_chunks(const TensorView& view, const Constant& constant) {
    container::ParallelFor parallel;
    if (parallel_) {
        parallel = {parallel_, [](void* context, size_t count, void (*task)(void*, size_t), void* argument) {
                        static_cast<Parallel*>(context)->run(count, task, argument);
                    }};
    }
    container::TensorRecord record;
    if (constant.narrow) {
        record = *constant.narrow;
    } else {
        record.dtype = view.dtype;
        record.offset = static_cast<uint64_t>(view.as<std::byte>() - home_.payload->bytes().data());
        record.nbytes = constant.nbytes;
    }
    container::Payload& payload = *home_.payload;
    Status status = payload.load(record.offset, record.nbytes, parallel);
    if (status.ok()) {
        status = container::check_tensor(record, payload.bytes());
        if (status.ok()) return record;
        payload.fail(status.error());
    }
    if (!failure().ok()) {
        for (Block& block : blocks_) block.pages.clear();
        if (home_.decoded.pages) home_.decoded.pages->clear();
        staging_ = {};
    }
    return std::move(status).error();
}

// The elements of a constant for packing alone, until the next one is staged: in memory that all of them share.
Result<TensorView> WeightStore::staged(const TensorView& view, const Constant& constant) {
    COFFER_TRY_ASSIGN(const container::TensorRecord record, open_chunks(view, constant));
    if (staging_.size() == 0) {
        // It only takes the pages that are used.
        COFFER_TRY_ASSIGN(staging_, allocate_pages(staging_bytes_));
    }
    container::decode_tensor(record, home_.payload->bytes(), staging_.data(), {});
    most_staged_ = std::max(most_staged_, constant.nbytes);
    return TensorView{staging_.data(), view.dtype, view.shape};
}

Result<os::Pages> WeightStore::allocate_pages(size_t bytes) const {
    COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(bytes, home_.page_flags));
    if ((home_.page_flags & os::Pages::kLock) && !pages.locked()) {
        return error(Code::kLimit, Detail::kLimit, "cannot lock ", pages.size(), " bytes of weights in memory");
    }
    return pages;
}

// Of any content. kInBlocks: for restored tensors, whose address must not be one by which a constant goes.
Result<std::byte*> WeightStore::allocate(size_t bytes, Where where) {
    size_t size;
    if (!checked_round_up<size_t>(std::max<size_t>(bytes, 1), container::kItemAlign, &size)) {
        return error(Code::kOutOfMemory, "cannot allocate ", bytes, " bytes");
    }
    // The smallest place that will do: small forms leave the large places to the large ones.
    auto best = free_.end();
    for (auto range = free_.begin(); range != free_.end(); ++range) {
        const size_t room = range->second - range->first;
        if (room < size || (best != free_.end() && room >= best->second - best->first)) continue;
        if (where == kAnywhere || block_of(pointer(range->first))) best = range;
    }
    if (best != free_.end() && allow_writing(pointer(best->first))) {
        auto* const data = static_cast<std::byte*>(pointer(best->first));
        const uintptr_t rest = best->first + size, end = best->second;
        free_.erase(best);
        if (rest < end) free_.emplace(rest, end);
        return data;
    }
    if (where == kAnywhere && spare_.size() >= size && home_.payload->allow_writing()) {
        std::byte* const data = spare_.data();
        spare_ = spare_.subspan(size);
        return data;
    }
    // A large restored tensor has a block of its own, which goes with it.
    const bool alone = where == kInBlocks && size > kSmallBlock;
    auto block =
        std::ranges::find_if(blocks_, [&](const Block& b) { return !alone && b.pages.size() - b.used >= size; });
    if (block == blocks_.end()) {
        // One block for all that is still to come, when it is known: it only takes the pages that are used.
        size_t wanted = kSmallBlock;
        const bool locked = home_.page_flags & os::Pages::kLock;
        if (!alone && !locked && constant_bytes_ > total_) {
            wanted = std::clamp(constant_bytes_ - total_, wanted, kLargeBlock);
        }
        COFFER_TRY_ASSIGN(os::Pages pages, allocate_pages(alone ? size : std::max(size, wanted)));
        block = blocks_.insert(blocks_.end(), Block{std::move(pages), 0});
    }
    if (!block->pages.allow_writing()) return container::weights_read_only();
    std::byte* data = block->pages.data() + block->used;
    block->used += size;
    return data;
}

Result<WeightStore::Form*> WeightStore::form(const TensorView& src, std::string_view name, size_t bytes, Pack pack,
                                             const void* arg, bool moves) {
    Key key{src.data, ops::form_of(name, {static_cast<size_t>(src.dtype), bytes})};
    const auto dims = std::as_bytes(src.shape.dims());
    key.form.append(reinterpret_cast<const char*>(dims.data()), dims.size());
    if (const auto it = forms_.find(key); it != forms_.end()) return &it->second;
    if (bytes > max_memory_ || total_ > max_memory_ - bytes) {
        return error(Code::kLimit, Detail::kLimit, "packed weights of ", total_, " and ", bytes,
                     " more bytes are over the memory limit of ", max_memory_, " bytes");
    }
    TensorView from;
    Constant* const constant = find(src);
    if (constant && constant->narrow && constant->state == Constant::kStored) {
        COFFER_TRY_ASSIGN(from, staged(src, *constant));
    } else {
        COFFER_TRY_ASSIGN(from, open(src, constant));
    }
    COFFER_TRY_ASSIGN(std::byte * data, allocate(bytes, kAnywhere));
    // What moves every byte into as many writes them all.
    if (!moves || bytes != from.nbytes()) std::memset(data, 0, bytes);
    COFFER_TRY(pack(from, data, arg));
    total_ += bytes;
    return &forms_.emplace(std::move(key), Form{data, bytes, pack, {}}).first->second;
}

Result<const void*> WeightStore::packed(const TensorView& src, std::string_view name, size_t bytes, Pack pack,
                                        const void* arg) {
    const std::lock_guard lock(mutex_);
    COFFER_TRY_ASSIGN(const Form* made, form(src, name, bytes, pack, arg, false));
    return static_cast<const void*>(made->data);
}

Result<const void*> WeightStore::moved(const TensorView& src, std::string_view name, size_t bytes, Pack pack,
                                       const void* arg, size_t arg_bytes) {
    const std::lock_guard lock(mutex_);
    COFFER_TRY_ASSIGN(Form * made, form(src, name, bytes, pack, arg, true));
    if (Constant* const constant = find(src); constant && !constant->moved) {
        const auto* from = static_cast<const std::byte*>(arg);
        made->arg.assign(from, from + arg_bytes);
        constant->moved = made;
    }
    return static_cast<const void*>(made->data);
}

void WeightStore::release(const TensorView& view) {
    const std::lock_guard lock(mutex_);
    Constant* const constant = find(view);
    if (!constant || !constant->moved || constant->kept) return;
    // restore() counts bytes in 32 bits.
    if (constant->nbytes <= kSmall || constant->nbytes > UINT32_MAX) return;
    if (constant->state == Constant::kReleased) return;
    if (constant->state == Constant::kOpen) {
        vacate(constant->data, constant->nbytes);
    } else if (constant->narrow) {  // staged
        vacate(home_.payload->bytes().data() + constant->narrow->offset, constant->narrow->nbytes);
    }
    constant->state = Constant::kReleased;
}

WeightStore::Block* WeightStore::block_of(const void* data) {
    for (Block& block : blocks_) {
        if (address(data) - address(block.pages.data()) < block.pages.size()) return &block;
    }
    return nullptr;
}

// What of the store's memory an address lies in; all but the payload are pages of our own.
std::pair<os::Pages*, Bytes> WeightStore::arena_of(const void* data) {
    os::Pages* pages = nullptr;
    if (Block* const block = block_of(data)) {
        pages = &block->pages;
    } else if (home_.payload->holds(data)) {
        return {nullptr, home_.payload->bytes()};
    } else {
        pages = home_.decoded.pages.get();
    }
    return {pages, Bytes(pages->data(), pages->size())};
}

bool WeightStore::allow_writing(const void* data) {
    os::Pages* const pages = arena_of(data).first;
    return pages ? pages->allow_writing() : home_.payload->allow_writing();
}

// Nobody needs these bytes, nor the zeros up to the next tensor.
void WeightStore::vacate(const std::byte* data, size_t bytes) {
    const uintptr_t begin = address(data), end = round_up<uintptr_t>(begin + bytes, container::kItemAlign);
    const os::Pages* const pages = arena_of(data).first;
    const auto joins = [&](uintptr_t other) { return arena_of(pointer(other)).first == pages; };
    auto range = free_.emplace(begin, end).first;
    if (const auto next = std::next(range); next != free_.end() && next->first == end && joins(end)) {
        range->second = next->second;
        free_.erase(next);
    }
    if (range == free_.begin()) return;
    const auto before = std::prev(range);
    if (before->second != begin || !joins(before->first)) return;
    before->second = range->second;
    free_.erase(range);
}

// Whether nothing was put where the tensor lay at first; then its bytes are there still. Where it was restored to,
// another one may have been meanwhile.
bool WeightStore::take_back(const TensorView& view, Constant& constant) {
    const uintptr_t begin = address(view.data);
    const uintptr_t end = round_up<uintptr_t>(begin + constant.nbytes, container::kItemAlign);
    auto range = free_.upper_bound(begin);
    if (constant.data != view.data || range == free_.begin() || (--range)->second < end) return false;
    if (end < range->second) free_.emplace(end, range->second);
    range->second = begin;
    if (range->first == begin) free_.erase(range);
    constant.state = Constant::kOpen;
    return true;
}

// Whole pages, and whole blocks, in which nothing is left. Called by a destructor: allocates nothing.
void WeightStore::give_back() {
    for (auto range = free_.begin(); range != free_.end();) {
        const auto here = range++;
        const auto [begin, end] = *here;
        if (end - begin < kWorthGivingBack) continue;
        if (Block* const block = block_of(pointer(begin))) {
            // Not parts of it: the next restored tensor takes them.
            if (end - begin < block->used) continue;
            blocks_.erase(blocks_.begin() + (block - blocks_.data()));
            free_.erase(here);
            continue;
        }
        const auto [pages, arena] = arena_of(pointer(begin));
        const uintptr_t start = address(arena.data());
        // The arenas begin on pages. What is left of a last page is not used again.
        const uintptr_t first = round_up(begin, kPage),
                        last = end >= start + arena.size() ? end : end / kPage * kPage;
        if (pages) {
            pages->discard(first - start, last - first);
        } else {
            home_.payload->discard(first - start, last - first);
        }
        here->second = first;
        if (begin == first) free_.erase(here);
    }
}

// Packs tensors whose bytes are the digits of their own positions, which tells where each packed byte came from.
Status WeightStore::restore(const TensorView& view, Constant& constant) {
    const Form& form = *constant.moved;
    const auto packed_as = [&](auto&& byte, std::vector<uint8_t>* out) {
        return pack_bytes(view, form.bytes, form.pack, form.arg.data(), byte, out);
    };
    std::vector<uint8_t> flips, out;
    COFFER_TRY(packed_as([](size_t) { return uint8_t{0}; }, &flips));
    std::vector<uint32_t> from(form.bytes);
    for (int shift = 0; shift < 32 && (uint64_t{constant.nbytes} >> shift) != 0; shift += 8) {
        COFFER_TRY(packed_as([&](size_t i) { return static_cast<uint8_t>(i >> shift); }, &out));
        for (size_t i = 0; i < from.size(); ++i) from[i] |= static_cast<uint32_t>(out[i] ^ flips[i]) << shift;
    }
    COFFER_TRY(packed_as([](size_t) { return uint8_t{0xff}; }, &out));
    COFFER_TRY_ASSIGN(std::byte * bytes, allocate(constant.nbytes, kInBlocks));
    size_t found = 0;
    for (size_t i = 0; i < from.size(); ++i) {
        if ((out[i] ^ flips[i]) != 0xff) continue;  // padding
        if (from[i] >= constant.nbytes)
            return error(Code::kInternal, "a packing moved a byte that is not the tensor's");
        bytes[from[i]] = form.data[i] ^ std::byte{flips[i]};
        ++found;
    }
    if (found != constant.nbytes) {
        return error(Code::kInternal, "a packing lost bytes: ", found, " of ", constant.nbytes);
    }
    constant.data = bytes;
    constant.state = Constant::kOpen;
    return {};
}

size_t WeightStore::packed_bytes() const {
    const std::lock_guard lock(mutex_);
    return total_;
}

size_t WeightStore::staged_bytes() const {
    const std::lock_guard lock(mutex_);
    return most_staged_;
}

size_t WeightStore::own_bytes() const {
    const std::lock_guard lock(mutex_);
    size_t bytes = lazy_ ? 0 : constant_bytes_;
    if (!lazy_) {
        for (const auto& [data, record] : home_.decoded.records) bytes += record.nbytes - element_bytes(record);
    }
    for (const auto& [data, constant] : constants_) {
        if (constant.state == Constant::kStored) continue;
        if (!lazy_) bytes -= constant.narrow ? constant.narrow->nbytes : constant.nbytes;
        if (constant.state == Constant::kOpen) bytes += constant.nbytes;
    }
    return bytes;
}

}  // namespace coffer::runtime
