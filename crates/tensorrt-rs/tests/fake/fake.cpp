// A TensorRT of our own making for the tests: it computes nothing, but it is laid out by a C++ compiler,
// tells which method was called, counts its objects and complains about objects destroyed in the wrong order.
#include "abi.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

std::mutex lock;
std::vector<std::string> journal;
std::map<std::string, int> alive;
std::string complaints;
std::map<std::string, long> knobs;
Logger* globalLogger = nullptr;

long knob(char const* name) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = knobs.find(name);
    return found == knobs.end() ? 0 : found->second;
}

void complain(std::string const& what) {
    std::lock_guard<std::mutex> guard(lock);
    complaints += what + "\n";
}

struct Counted {
    char const* kind;
    explicit Counted(char const* kind) : kind(kind) {
        std::lock_guard<std::mutex> guard(lock);
        alive[kind]++;
    }
    ~Counted() {
        std::lock_guard<std::mutex> guard(lock);
        alive[kind]--;
        journal.push_back(std::string("~") + kind);
    }
    Counted(Counted const&) = delete;
};

int count(char const* kind) {
    std::lock_guard<std::mutex> guard(lock);
    return alive[kind];
}

Dims dims(std::initializer_list<int64_t> extents) {
    Dims d{};
    d.count = int32_t(extents.size());
    int i = 0;
    for (auto e : extents) d.extent[i++] = e;
    return d;
}

Dims const none = [] { Dims d{}; d.count = -1; return d; }();

}  // namespace

void reached(char const* interface, char const* method) {
    std::lock_guard<std::mutex> guard(lock);
    journal.push_back(std::string(interface) + "::" + method);
}

void stray(char const* interface, int slot) {
    std::fprintf(stderr, "the fake's %s was called at slot %d, which nobody uses\n", interface, slot);
    std::abort();
}

#define HERE(interface) reached(interface, __func__)

namespace {

// Makes the visible object with the real one behind it; the visible one's destructor ends both.
template <class Impl>
struct Object : Shell<typename Impl::Interface> {
    Impl body;
    template <class... Arguments>
    explicit Object(Arguments&&... arguments) : body(static_cast<Arguments&&>(arguments)...) {
        this->impl = &body;
    }
};

template <class Impl>
Impl& body(void const* object) {
    using Interface = typename Impl::Interface;
    return *static_cast<Impl*>(static_cast<Shell<Interface> const*>(object)->impl);
}

void say(Logger* logger, int32_t severity, char const* format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    logger->log(severity, line);
}

// With a recorder attached errors go there, and not to the logger.
bool fail(Logger* logger, Recorder* recorder, int32_t code, char const* words) {
    if (recorder) recorder->report(code, words);
    else say(logger, 1, "%s", words);
    return false;
}

struct HostMemoryImpl : VHostMemory {
    using Interface = VHostMemory;
    Counted counted{"host memory"};
    std::string bytes;
    explicit HostMemoryImpl(std::string bytes) : bytes(std::move(bytes)) {}
    void* data() const noexcept override { HERE("VHostMemory"); return const_cast<char*>(bytes.data()); }
    size_t size() const noexcept override { HERE("VHostMemory"); return bytes.size(); }
    int32_t type() const noexcept override { HERE("VHostMemory"); return 2; }
};

void* memory(std::string bytes) { return static_cast<Public*>(new Object<HostMemoryImpl>(std::move(bytes))); }

// An engine with a dynamic input "images", an output "scores", and one of a vectorised layout, "features".
struct Common {
    Logger* logger;
    Recorder* recorder = nullptr;
    Allocator* allocator = nullptr;
};

struct ContextImpl : VExecutionContext {
    using Interface = VExecutionContext;
    Counted counted{"context"};
    Common common;
    int32_t strategy;
    std::string name;
    int32_t profile = 0;
    Dims shape = none;
    std::map<std::string, void*> addresses;
    void* scratch = nullptr;
    void* own = nullptr;
    ContextImpl(Common common, int32_t strategy) : common(common), strategy(strategy) {
        if (common.recorder) common.recorder->increment();
        if (common.allocator && strategy == 0) own = common.allocator->allocateAsync(4096, 256, 0, nullptr);
    }
    ~ContextImpl() override {
        if (own) common.allocator->deallocateAsync(own, nullptr);
        if (common.recorder) common.recorder->decrement();
        if (!count("engine")) complain("a context outlived its engine");
    }
    void setName(Text text) noexcept override { HERE("VExecutionContext"); name = text; }
    Text getName() const noexcept override { HERE("VExecutionContext"); return name.c_str(); }
    int32_t getOptimizationProfile() const noexcept override { HERE("VExecutionContext"); return profile; }
    bool allInputDimensionsSpecified() const noexcept override { HERE("VExecutionContext"); return shape.count >= 0; }
    bool setOptimizationProfileAsync(int32_t index, Stream) noexcept override {
        HERE("VExecutionContext");
        profile = index;
        shape = none;
        return true;
    }
    bool setInputShape(Text tensor, Dims const& wanted) noexcept override {
        HERE("VExecutionContext");
        if (std::strcmp(tensor, "images")) return fail(common.logger, common.recorder, 3, "setInputShape: no such input");
        shape = wanted;
        return true;
    }
    Dims getTensorShape(Text tensor) const noexcept override {
        HERE("VExecutionContext");
        if (!std::strcmp(tensor, "images")) return shape.count < 0 ? dims({-1, 3, 640, 640}) : shape;
        int64_t batch = shape.count < 0 ? -1 : shape.extent[0];
        if (!std::strcmp(tensor, "scores")) return dims({batch, 7, 1LL << 33});
        if (!std::strcmp(tensor, "features")) return dims({batch, 5, 2, 2});
        return none;
    }
    Dims getTensorStrides(Text) const noexcept override {
        HERE("VExecutionContext");
        return dims({3 * 640 * 640, 640 * 640, 640, 1});
    }
    bool setTensorAddress(Text tensor, void* address) noexcept override {
        HERE("VExecutionContext");
        addresses[tensor] = address;
        return true;
    }
    void const* getTensorAddress(Text tensor) const noexcept override {
        HERE("VExecutionContext");
        auto found = addresses.find(tensor);
        return found == addresses.end() ? nullptr : found->second;
    }
    int32_t inferShapes(int32_t most, Text* missing) noexcept override {
        HERE("VExecutionContext");
        if (shape.count >= 0) return 0;
        if (most > 0) missing[0] = "images";
        return 1;
    }
    int64_t getMaxOutputSize(Text tensor) const noexcept override {
        HERE("VExecutionContext");
        return std::strcmp(tensor, "scores") ? -1 : 7777;
    }
    bool enqueueV3(Stream) noexcept override {
        HERE("VExecutionContext");
        if (knob("myelin")) {
            return fail(common.logger, common.recorder, 1,
                        "IExecutionContext::enqueueV3: Error Code 1: Myelin ([executor.cpp:1:load:1] Called with an "
                        "already loaded binary graph.)");
        }
        if (addresses.size() < size_t(knob("tensors"))) {
            return fail(common.logger, common.recorder, 3, "enqueueV3: Error Code 3: an address is not set");
        }
        if (strategy == 2 && !scratch) return fail(common.logger, common.recorder, 9, "enqueueV3: no device memory");
        return true;
    }
    size_t updateDeviceMemorySizeForShapes() noexcept override { HERE("VExecutionContext"); return 1000; }
    void setDeviceMemoryV2(void* memory, int64_t size) noexcept override {
        HERE("VExecutionContext");
        scratch = size >= 1000 ? memory : nullptr;
    }
};

struct InspectorImpl : VEngineInspector {
    using Interface = VEngineInspector;
    Counted counted{"inspector"};
    void const* context = nullptr;
    mutable std::string answer;
    ~InspectorImpl() override {
        if (!count("engine")) complain("an inspector outlived its engine");
    }
    bool setExecutionContext(void const* other) noexcept override { HERE("VEngineInspector"); context = other; return true; }
    Text getLayerInformation(int32_t layer, int32_t format) const noexcept override {
        HERE("VEngineInspector");
        if (layer > 2) return nullptr;
        answer = "{\"layer\":" + std::to_string(layer) + ",\"format\":" + std::to_string(format) + "}";
        return answer.c_str();
    }
    Text getEngineInformation(int32_t format) const noexcept override {
        HERE("VEngineInspector");
        answer = std::string("{\"context\":") + (context ? "true" : "false") + ",\"format\":" + std::to_string(format) + "}";
        return answer.c_str();
    }
};

struct EngineImpl : VCudaEngine {
    using Interface = VCudaEngine;
    Counted counted{"engine"};
    Common common;
    std::string plan;
    void* weights = nullptr;
    EngineImpl(Common common, std::string plan) : common(common), plan(std::move(plan)) {
        if (common.recorder) common.recorder->increment();
        if (common.allocator) weights = common.allocator->allocate(8192, 256, 1);
    }
    ~EngineImpl() override {
        if (weights) common.allocator->deallocate(weights);
        if (common.recorder) common.recorder->decrement();
        if (!count("runtime")) complain("an engine outlived its runtime");
    }
    int32_t getNbLayers() const noexcept override { HERE("VCudaEngine"); return 3; }
    void* serialize() const noexcept override { HERE("VCudaEngine"); return memory(plan); }
    void* createExecutionContext(int32_t strategy) noexcept override {
        HERE("VCudaEngine");
        if (knob("no-context")) {
            fail(common.logger, common.recorder, 5, "createExecutionContext: Error Code 2: OutOfMemory (no device memory)");
            return nullptr;
        }
        return static_cast<Public*>(new Object<ContextImpl>(common, strategy));
    }
    bool isRefittable() const noexcept override { HERE("VCudaEngine"); return true; }
    Text getName() const noexcept override { HERE("VCudaEngine"); return "fake engine"; }
    int32_t getNbOptimizationProfiles() const noexcept override { HERE("VCudaEngine"); return 2; }
    int32_t getProfilingVerbosity() const noexcept override { HERE("VCudaEngine"); return 2; }
    void* createEngineInspector() const noexcept override { HERE("VCudaEngine"); return static_cast<Public*>(new Object<InspectorImpl>()); }
    Dims getTensorShape(Text tensor) const noexcept override {
        HERE("VCudaEngine");
        if (!std::strcmp(tensor, "images")) return dims({-1, 3, 640, 640});
        if (!std::strcmp(tensor, "scores")) return dims({-1, 7, 1LL << 33});
        return dims({-1, 5, 2, 2});
    }
    int32_t getTensorDataType(Text tensor) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "features") ? 2 : 0; }
    int32_t getTensorLocation(Text) const noexcept override { HERE("VCudaEngine"); return int32_t(knob("host-tensors")); }
    bool isShapeInferenceIO(Text) const noexcept override { HERE("VCudaEngine"); return false; }
    int32_t getTensorIOMode(Text tensor) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "images") ? 1 : 2; }
    Dims getProfileShape(Text, int32_t profile, int32_t which) const noexcept override {
        HERE("VCudaEngine");
        return dims({which == 2 ? 4 + profile : 1, 3, 640, 640});
    }
    int32_t getNbIOTensors() const noexcept override { HERE("VCudaEngine"); return 3; }
    Text getIOTensorName(int32_t index) const noexcept override {
        HERE("VCudaEngine");
        static char const* const names[] = {"images", "scores", "features"};
        return index >= 0 && index < 3 ? names[index] : nullptr;
    }
    int32_t getHardwareCompatibilityLevel() const noexcept override { HERE("VCudaEngine"); return 1; }
    int32_t getNbAuxStreams() const noexcept override { HERE("VCudaEngine"); return 4; }
    int32_t getTensorBytesPerComponentV2(Text tensor, int32_t) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "features") ? 1 : -1; }
    int32_t getTensorComponentsPerElementV2(Text tensor, int32_t) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "features") ? 4 : -1; }
    int32_t getTensorFormatV2(Text tensor, int32_t) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "features") ? 3 : 0; }
    Text getTensorFormatDescV2(Text, int32_t) const noexcept override { HERE("VCudaEngine"); return "a layout in words"; }
    int32_t getTensorVectorizedDimV2(Text tensor, int32_t) const noexcept override { HERE("VCudaEngine"); return !std::strcmp(tensor, "features") ? 1 : -1; }
    int64_t getDeviceMemorySizeV2() const noexcept override { HERE("VCudaEngine"); return (1LL << 33) + 5; }
    int64_t getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept override { HERE("VCudaEngine"); return 1000 + profile; }
    int64_t getEngineStat(int32_t which) const noexcept override { HERE("VCudaEngine"); return 50 + which; }
};

struct RuntimeImpl : VRuntime {
    using Interface = VRuntime;
    Counted counted{"runtime"};
    Common common;
    int32_t threads = 1;
    bool hostCode = false;
    explicit RuntimeImpl(Logger* logger) { common.logger = logger; }
    ~RuntimeImpl() override { setErrorRecorderTo(nullptr); }
    void setErrorRecorderTo(Recorder* recorder) {
        if (common.recorder) common.recorder->decrement();
        common.recorder = recorder;
        if (recorder) recorder->increment();
    }
    void* load(std::string plan) {
        if (plan.compare(0, 4, "PLAN")) {
            std::string words = "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (magic tag does not match)";
            if (knob("from-worker")) std::thread([&] { fail(common.logger, common.recorder, 1, words.c_str()); }).join();
            else fail(common.logger, common.recorder, 1, words.c_str());
            return nullptr;
        }
        say(common.logger, 3, "Loaded engine size: %d bytes", int(plan.size()));
        return static_cast<Public*>(new Object<EngineImpl>(common, std::move(plan)));
    }
    void* deserializeCudaEngine(void const* plan, size_t size) noexcept override {
        HERE("VRuntime");
        return load(std::string(static_cast<char const*>(plan), size));
    }
    void setGpuAllocator(Allocator* allocator) noexcept override {
        HERE("VRuntime");
        common.allocator = allocator;
        if (dynamic_cast<Monitor*>(static_cast<Versioned*>(allocator))) complain("an allocator is a monitor");
        if (std::strcmp(allocator->info().kind, "IGpuAllocator")) complain("an allocator of another kind");
    }
    void setErrorRecorder(Recorder* recorder) noexcept override {
        HERE("VRuntime");
        if (recorder && (recorder->language() != 0 || std::strcmp(recorder->info().kind, "IErrorRecorder"))) complain("a recorder of another kind");
        setErrorRecorderTo(recorder);
    }
    Recorder* getErrorRecorder() const noexcept override { HERE("VRuntime"); return common.recorder; }
    Logger* getLogger() const noexcept override {
        HERE("VRuntime");
        return knob("wrong-logger") ? reinterpret_cast<Logger*>(0x12340) : common.logger;
    }
    bool setMaxThreads(int32_t wanted) noexcept override {
        HERE("VRuntime");
        threads = wanted;
        return wanted > 0;
    }
    void setDLACore(int32_t core) noexcept override { HERE("VRuntime"); say(common.logger, 4, "core %d", core); }
    int32_t getMaxThreads() const noexcept override { HERE("VRuntime"); return threads; }
    void setTemporaryDirectory(Text path) noexcept override { HERE("VRuntime"); say(common.logger, 4, "temporary directory %s", path); }
    void setEngineHostCodeAllowed(bool allowed) noexcept override { HERE("VRuntime"); hostCode = allowed; }
    bool getEngineHostCodeAllowed() const noexcept override { HERE("VRuntime"); return hostCode; }
    void* deserializeCudaEngineV2(Reader& reader) noexcept override {
        HERE("VRuntime");
        char head[4];
        if (!reader.seek(0, 2) || !reader.seek(0, 0) || reader.read(head, 4, nullptr) != 4) return load("a reader that fails");
        std::string plan(head, 4);
        char piece[5];
        for (;;) {
            int64_t count = reader.read(piece, sizeof piece, nullptr);
            if (count < 0) return load("a reader that fails");
            if (count == 0) return load(plan);
            plan.append(piece, size_t(count));
        }
    }
};

#include "build.inc"

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int32_t getInferLibVersion() {
    long version = knob("version");
    return version ? int32_t(version) : FAKE_MAJOR == 10 ? 101601 : 110400;
}
EXPORT int32_t getInferLibBuildVersion() { return 42; }
EXPORT Logger* getLogger() { return knob("foreign-logger") ? reinterpret_cast<Logger*>(0x12340) : globalLogger; }

EXPORT void* createInferRuntime_INTERNAL(void* logger, int32_t version) {
    auto* typed = static_cast<Logger*>(logger);
    reached("createInferRuntime", std::to_string(version).c_str());
    if (knob("no-cuda")) {
        say(typed, 1, "createInferRuntime: Error Code 6: API Usage Error (CUDA initialization failure with error: 35)");
        return reinterpret_cast<void*>(0x228);
    }
    globalLogger = typed;
    return static_cast<Public*>(new Object<RuntimeImpl>(typed));
}

EXPORT void* createInferBuilder_INTERNAL(void* logger, int32_t) {
    globalLogger = static_cast<Logger*>(logger);
    return static_cast<Public*>(new Object<BuilderImpl>(globalLogger));
}

EXPORT int getNvOnnxParserVersion() { return FAKE_MAJOR == 10 ? 100 : 200; }
EXPORT void* createNvOnnxParser_INTERNAL(void* network, void* logger, int) {
    return new ParserImpl(network, static_cast<Logger*>(logger));
}
EXPORT bool initLibNvInferPlugins(void* logger, Text space) {
    return logger && space && !*space && !knob("no-plugins");
}

// For the tests.

EXPORT void fake_set(Text name, long value) {
    std::lock_guard<std::mutex> guard(lock);
    knobs[name] = value;
}

// What happened since the last call, one method or "~kind" a line.
EXPORT Text fake_journal() {
    static std::string text;
    std::lock_guard<std::mutex> guard(lock);
    text.clear();
    for (auto const& line : journal) text += line + "\n";
    journal.clear();
    return text.c_str();
}

EXPORT Text fake_complaints() {
    std::lock_guard<std::mutex> guard(lock);
    return complaints.c_str();
}

EXPORT int fake_alive() {
    std::lock_guard<std::mutex> guard(lock);
    int sum = 0;
    for (auto const& kind : alive) sum += kind.second;
    return sum;
}
