// What an op is. Each header in this folder defines one struct named exactly as the ONNX op, with
//
//   static constexpr Facts facts{...};                 arity, attributes, tolerance, layout rule
//   static Status infer(InferContext&);                output types and shapes; the only validity check
//   static Status reference(RunContext&);              obvious loops, complete over every allowed type
//   static constexpr Variant variants[] = {...};       optional: fast ways to run it, best first
//   template <class Arch> static constexpr kernels::KernelFn kernels[] = {...};   optional: SIMD entry points
//   template <class Arch> static constexpr kernels::KernelFn byte_kernels[] = {...};   optional: those of the same
//                       slots that multiply bytes, for the rows that add only that; nullptr for the others
//
// and nothing else registers it: cmake lists the folder, and importer, planner, tests, benchmarks and
// `model-pack ops` follow from that list. Ops know neither files nor threads.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "coffer/base/error.hpp"
#include "coffer/base/tensor.hpp"
#include "coffer/graph/graph.hpp"
#include "coffer/kernels/arch.hpp"

namespace coffer::ops {

inline constexpr int kVariadic = 1 << 20;

// An attribute with its default. `required` attributes have none.
struct AttrSpec {
    enum Kind : uint8_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor, kGraph };
    const char* name;
    Kind kind;
    bool required = false;
    int64_t int_default = 0;
    float float_default = 0;
    const char* string_default = "";

    static constexpr AttrSpec i(const char* name, int64_t value) { return {name, kInt, false, value, 0, ""}; }
    static constexpr AttrSpec f(const char* name, float value) { return {name, kFloat, false, 0, value, ""}; }
    static constexpr AttrSpec s(const char* name, const char* value) { return {name, kString, false, 0, 0, value}; }
    static constexpr AttrSpec optional(const char* name, Kind kind) { return {name, kind, false, 0, 0, ""}; }
    static constexpr AttrSpec must(const char* name, Kind kind) { return {name, kind, true, 0, 0, ""}; }
};

// How the op treats a channels-last (N, spatial..., C) physical layout of its data operands.
enum class LayoutRule : uint8_t {
    kPlain,        // wants row-major logical order everywhere
    kElementwise,  // same formula on every element, NumPy broadcasting: any common layout will do
    kAxis,         // has an axis attribute that can be mapped (Concat, Softmax, ...): any layout will do
    kChannels,     // prefers channels-last on input 0 and output 0 when rank >= 3 (Conv, QLinearConv, ...)
    kFollow,       // either layout on input 0 and output 0, whichever input 0 has (pooling, Resize, ...)
};

struct Facts {
    const char* domain;  // "" is ai.onnx
    const char* name;
    int since;                   // opset of the domain whose semantics are implemented (older ones are lifted to it)
    int min_inputs, max_inputs;  // kVariadic for no upper limit
    int min_outputs, max_outputs;
    std::span<const AttrSpec> attrs = {};
    LayoutRule layout = LayoutRule::kPlain;
    // Largest accepted |kernel - reference| <= atol + rtol * |reference| for float32.
    double atol = 1e-6, rtol = 1e-5;
    bool any_kind = false;      // an input may be a sequence or an optional; otherwise each is a tensor
    bool deterministic = true;  // false: RandomNormal..., never folded
    int inplace_input = -1;     // output 0 may share this input's memory (kernels run front to back)
    bool view = false;          // output 0 is input 0 under another shape (Reshape, Squeeze, Identity...)
    bool type_only = false;     // the outputs depend on input types alone (Shape, Size)
};

// Type of one input or output, with numbers for dims. shape_known is false when it depends on data that is
// not known yet; then rank and dims are meaningless.
struct Type {
    ValueKind kind = ValueKind::kTensor;
    DType dtype = DType::kUndefined;
    Shape shape;
    bool shape_known = true;
};

// What every hook can ask about its node. Attribute getters return the node's value or the default in Facts;
// a wrong attribute type was refused before (see check_node).
class NodeContext {
 public:
    NodeContext(const Facts& facts, const graph::Node& node) : facts_(facts), node_(node) {}

    const Facts& facts() const { return facts_; }
    const graph::Node& node() const { return node_; }
    size_t input_count() const { return node_.inputs.size(); }  // trailing absent ones may be counted
    size_t output_count() const { return node_.outputs.size(); }
    bool has_input(size_t i) const { return i < node_.inputs.size() && node_.inputs[i] != graph::kAbsent; }
    bool has_output(size_t i) const { return i < node_.outputs.size() && node_.outputs[i] != graph::kAbsent; }

    bool has_attr(std::string_view name) const { return node_.find(name) != nullptr; }
    int64_t attr_i(std::string_view name) const;
    float attr_f(std::string_view name) const;
    std::string_view attr_s(std::string_view name) const;
    std::span<const int64_t> attr_ints(std::string_view name) const;  // empty when absent
    std::span<const float> attr_floats(std::string_view name) const;
    std::span<const PrivateString> attr_strings(std::string_view name) const;
    const Tensor* attr_tensor(std::string_view name) const;  // nullptr when absent

    // "Conv 'name': " + parts
    template <class... Parts>
    Error fail(const Parts&... parts) const {
        return describe(Code::kInvalidArgument, message({Piece(parts)...}));
    }
    template <class... Parts>
    Error unsupported(const Parts&... parts) const {
        return describe(Code::kUnsupported, message({Piece(parts)...}));
    }

 private:
    Error describe(Code code, std::string text) const;

    const Facts& facts_;
    const graph::Node& node_;
};

// infer() reads input types (all set; absent inputs must not be asked for) and sets every wanted output.
class InferContext : public NodeContext {
 public:
    using NodeContext::NodeContext;

    const Type& input(size_t i) const { return inputs_[i]; }
    DType dtype(size_t i) const { return inputs_[i].dtype; }
    const Shape& shape(size_t i) const { return inputs_[i].shape; }
    // The input's value if it is a constant or was computed at plan time; nullptr otherwise.
    const TensorView* known(size_t i) const { return i < known_.size() ? known_[i] : nullptr; }
    // A known integer input (any integer type) as a list, e.g. axes, shape, pads. False when not known.
    bool known_ints(size_t i, std::span<int64_t> storage, std::span<const int64_t>* out) const;

    void set(size_t i, DType dtype, const Shape& shape) {
        if (has_output(i)) outputs_[i] = {ValueKind::kTensor, dtype, shape, true};
    }
    // The shape depends on data: the reference must allocate() it.
    void set_unknown(size_t i, DType dtype) {
        if (has_output(i)) outputs_[i] = {ValueKind::kTensor, dtype, {}, false};
    }
    void set_kind(size_t i, ValueKind kind, DType dtype) {
        if (has_output(i)) outputs_[i] = {kind, dtype, {}, false};
    }
    // Result types of a subgraph for these input types (If, Loop, Scan).
    virtual Status infer_graph(uint32_t graph, std::span<const Type> inputs, std::span<Type> outputs) = 0;

    std::span<const Type> inputs_;              // set by the planner
    std::span<const TensorView* const> known_;  // one per input, nullptr when not known
    std::span<Type> outputs_;

 protected:
    ~InferContext() = default;
};

// reference() reads inputs and fills outputs. Outputs whose shape infer() knew are allocated already.
class RunContext : public NodeContext {
 public:
    using NodeContext::NodeContext;

    const TensorView& input(size_t i) const { return inputs_[i]; }
    const TensorView& output(size_t i) const { return outputs_[i]; }
    // An output left unknown by infer(); afterwards output(i) is valid.
    virtual Status allocate(size_t i, DType dtype, const Shape& shape) = 0;
    // Temporary memory until reference() returns; 64-byte aligned, not zeroed. Kept by the runner, so that
    // the same run again allocates nothing. Fails with kOutOfMemory or kLimit.
    virtual Result<std::byte*> scratch(size_t bytes) = 0;

    // Sequences, optionals, and tensors as Values (control flow, Sequence ops).
    virtual const Value& input_value(size_t i) const = 0;
    virtual Status set_output_value(size_t i, Value value) = 0;
    // Runs a subgraph: inputs and outputs as Values. Cancel and deadline are checked inside.
    virtual Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) = 0;

    std::span<const TensorView> inputs_;  // data == nullptr where absent or not a tensor
    std::span<TensorView> outputs_;       // data == nullptr where not wanted or not yet allocated

 protected:
    ~RunContext() = default;
};

// ---- planning fast variants ------------------------------------------------------------------------------

enum class Layout : uint8_t { kPlain, kChannelsLast };

// Where a step finds an operand.
struct Operand {
    enum Kind : uint8_t { kInput, kOutput, kWorkspace, kPointer };
    Kind kind;
    uint32_t index = 0;             // of the node's input, output, or a workspace
    const void* pointer = nullptr;  // kPointer: packed weights, constants
    static Operand input(size_t i) { return {kInput, static_cast<uint32_t>(i)}; }
    static Operand output(size_t i) { return {kOutput, static_cast<uint32_t>(i)}; }
    static Operand workspace(uint32_t id) { return {kWorkspace, id}; }
    static Operand at(const void* p) { return {kPointer, 0, p}; }
};

// Tells apart packings of one tensor: a name, and the numbers it depends on. It is compared, never shown.
inline std::string form_of(std::string_view name, std::initializer_list<size_t> numbers) {
    std::string form;
    form.reserve(name.size() + numbers.size() * sizeof(size_t) + 64);  // the shape follows
    return form.append(name).append(reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(size_t));
}

// A variant's plan() sees concrete types, layouts and constants, and emits steps. It runs once per shape
// signature, never in a steady-state run; it may allocate.
class PlanContext : public NodeContext {
 public:
    using NodeContext::NodeContext;

    const Type& input(size_t i) const { return inputs_[i]; }
    const Type& output(size_t i) const { return outputs_[i]; }
    Layout input_layout(size_t i) const { return input_layouts_[i]; }
    Layout output_layout(size_t i) const { return output_layouts_[i]; }
    // Dims in memory order: shape() permuted to (N, spatial..., C) when channels-last.
    Shape input_dims(size_t i) const;
    Shape output_dims(size_t i) const;
    // The bytes of a constant input in plain order, or nullptr when it is not constant.
    virtual const TensorView* constant(size_t i) const = 0;
    // Asks for no bytes: those of a tensor that was packed by moved() need not be there any more.
    virtual bool is_constant(size_t i) const { return constant(i) != nullptr; }

    kernels::ArchId arch() const { return arch_; }
    // Entry `slot` of this op's kernels<Arch> for the chosen arch; nullptr when that arch has none.
    virtual kernels::KernelFn kernel(size_t slot) const = 0;

    // Params live as long as the plan; T is trivially destructible.
    template <class T>
    T* params(const T& value) {
        return new (allocate_params(sizeof(T), alignof(T))) T(value);
    }
    virtual void* allocate_params(size_t size, size_t alignment) = 0;
    // Memory shared by the steps of this node during a run, 64-byte aligned.
    virtual uint32_t workspace(size_t bytes) = 0;
    // Packed form of constant input `i`, made once per model and shared by all runners: `pack` fills
    // `bytes` zeroed bytes. `form` is a form_of().
    virtual Result<const void*> packed(size_t i, std::string_view form, size_t bytes,
                                       Status (*pack)(const TensorView& src, void* dst, const void* arg),
                                       const void* arg) = 0;
    // The same for a `pack` that only moves bytes, or flips bits of them, and leaves zeros between: the model
    // need not keep the tensor itself, since its bytes can be worked out from the packed ones.
    template <class Arg>
    Result<const void*> moved(size_t i, std::string_view form, size_t bytes,
                              Status (*pack)(const TensorView& src, void* dst, const void* arg), const Arg& arg) {
        static_assert(std::is_trivially_copyable_v<Arg>);
        return moved(i, form, bytes, pack, &arg, sizeof(Arg));
    }
    virtual Result<const void*> moved(size_t i, std::string_view form, size_t bytes,
                                      Status (*pack)(const TensorView& src, void* dst, const void* arg),
                                      const void* arg, [[maybe_unused]] size_t arg_bytes) {
        return packed(i, form, bytes, pack, arg);
    }
    // Runs `fn` on units [0, units). `unit_ns` is a rough cost of one unit, for splitting over threads.
    virtual void step(kernels::KernelFn fn, const void* params, std::span<const Operand> operands, size_t units,
                      double unit_ns) = 0;

    std::span<const Type> inputs_, outputs_;
    std::span<const Layout> input_layouts_, output_layouts_;
    kernels::ArchId arch_ = kernels::ArchId::kBaseline;

 protected:
    ~PlanContext() = default;
};

struct Variant {
    const char* name;  // by algorithm and operand types: "igemm_f32"
    // Can this variant run the node? Only types, shapes, attributes and constness may matter. Layouts are
    // what the planner proposes; for LayoutRule::kChannels it proposes channels-last first, then plain.
    bool (*accepts)(const PlanContext&);
    Status (*plan)(PlanContext&);
};

// The op table: one entry per header.
struct Op {
    const Facts* facts = nullptr;
    Status (*infer)(InferContext&) = nullptr;
    Status (*reference)(RunContext&) = nullptr;
    std::span<const Variant> variants;
    uint16_t shard = 0, index = 0;  // where kernels::OpKernels looks up its kernels
};
std::span<const Op> table();
// "Conv", "com.microsoft::FusedConv"; nullptr when unknown.
const Op* find(std::string_view name);
// Arity and attribute kinds against Facts, before any hook is called.
Status check_node(const Op& op, const graph::Node& node);

}  // namespace coffer::ops
