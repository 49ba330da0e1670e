// The interfaces as a C++ compiler lays them out, written down from the slot table: named are the methods
// that the binding calls, every other slot is a gap that reports itself when it is hit. FAKE_MAJOR is 10 or 11.
#pragma once
#include <cstddef>
#include <cstdint>

void reached(char const* interface, char const* method);
[[noreturn]] void stray(char const* interface, int slot);

#if FAKE_MAJOR == 10
#define TEN(x) x
#define ELEVEN(x)
#else
#define TEN(x)
#define ELEVEN(x) x
#endif

struct Dims {
    int32_t count;
    int64_t extent[8];
};

using Text = char const*;
using Stream = void*;

// What a caller implements.

struct Info {
    char const* kind;
    int32_t major;
    int32_t minor;
};

struct Versioned {
    virtual int32_t language() const noexcept = 0;
    virtual Info info() const noexcept = 0;
    virtual ~Versioned() noexcept {}
};

#if FAKE_MAJOR == 10
struct Logger {
    virtual void log(int32_t severity, Text line) noexcept = 0;
    virtual ~Logger() {}
};
#else
struct Logger : Versioned {
    virtual void log(int32_t severity, Text line) noexcept = 0;
};
#endif

struct Recorder : Versioned {
    virtual int32_t count() const noexcept = 0;
    virtual int32_t code(int32_t index) const noexcept = 0;
    virtual Text description(int32_t index) const noexcept = 0;
    virtual bool overflowed() const noexcept = 0;
    virtual void clear() noexcept = 0;
    virtual bool report(int32_t code, Text description) noexcept = 0;
    virtual int32_t increment() noexcept = 0;
    virtual int32_t decrement() noexcept = 0;
};

struct Allocator : Versioned {
    virtual void* allocate(uint64_t size, uint64_t alignment, uint32_t flags) noexcept = 0;
    virtual void* reallocate(void* memory, uint64_t alignment, uint64_t size) noexcept = 0;
    virtual bool deallocate(void* memory) noexcept = 0;
    virtual void* allocateAsync(uint64_t size, uint64_t alignment, uint32_t flags, Stream stream) noexcept = 0;
    virtual bool deallocateAsync(void* memory, Stream stream) noexcept = 0;
};

struct Reader : Versioned {
    virtual int64_t read(void* target, int64_t size, Stream stream) noexcept = 0;
    virtual bool seek(int64_t offset, int32_t position) noexcept = 0;
};

struct Monitor : Versioned {
    virtual void phaseStart(Text phase, Text parent, int32_t steps) noexcept = 0;
    virtual bool stepComplete(Text phase, int32_t step) noexcept = 0;
    virtual void phaseFinish(Text phase) noexcept = 0;
};

// What the library implements. The visible object has a destructor and a pointer to the real one.

struct Public {
    virtual ~Public() {}
};

struct Root {
    virtual ~Root() {}
};

template <class V>
struct Shell : Public {
    V* impl = nullptr;
};

#define GAP(slot) \
    virtual void gap##slot() { stray(NAME, slot); }

struct Runtime;
struct Engine;
struct Context;

#define NAME "VRuntime"
struct VRuntime : Root {
    GAP(2)
    virtual void* deserializeCudaEngine(void const* plan, size_t size) noexcept = 0;
    TEN(GAP(4))
    virtual void setDLACore(int32_t core) noexcept = 0;
    GAP(6) GAP(7)
    virtual void setGpuAllocator(Allocator* allocator) noexcept = 0;
    virtual void setErrorRecorder(Recorder* recorder) noexcept = 0;
    virtual Recorder* getErrorRecorder() const noexcept = 0;
    virtual Logger* getLogger() const noexcept = 0;
    virtual bool setMaxThreads(int32_t threads) noexcept = 0;
    virtual int32_t getMaxThreads() const noexcept = 0;
    virtual void setTemporaryDirectory(Text path) noexcept = 0;
    GAP(15) GAP(16) GAP(17) GAP(18) GAP(19) GAP(20)
    virtual void setEngineHostCodeAllowed(bool allowed) noexcept = 0;
    virtual bool getEngineHostCodeAllowed() const noexcept = 0;
    virtual void* deserializeCudaEngineV2(Reader& reader) noexcept = 0;
};
#undef NAME

#define NAME "VCudaEngine"
struct VCudaEngine : Root {
    GAP(2)
    virtual int32_t getNbLayers() const noexcept = 0;
    virtual void* serialize() const noexcept = 0;
    virtual void* createExecutionContext(int32_t strategy) noexcept = 0;
    TEN(GAP(6) GAP(7))
    virtual bool isRefittable() const noexcept = 0;
    virtual Text getName() const noexcept = 0;
    virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
    TEN(GAP(11))
    GAP(12) GAP(13) GAP(14)
    TEN(GAP(15))
    GAP(16)
    virtual int32_t getProfilingVerbosity() const noexcept = 0;
    virtual void* createEngineInspector() const noexcept = 0;
    virtual Dims getTensorShape(Text name) const noexcept = 0;
    virtual int32_t getTensorDataType(Text name) const noexcept = 0;
    virtual int32_t getTensorLocation(Text name) const noexcept = 0;
    virtual bool isShapeInferenceIO(Text name) const noexcept = 0;
    virtual int32_t getTensorIOMode(Text name) const noexcept = 0;
    GAP(24) GAP(25) GAP(26) GAP(27) GAP(28)
    virtual Dims getProfileShape(Text name, int32_t profile, int32_t which) const noexcept = 0;
    virtual int32_t getNbIOTensors() const noexcept = 0;
    virtual Text getIOTensorName(int32_t index) const noexcept = 0;
    virtual int32_t getHardwareCompatibilityLevel() const noexcept = 0;
    virtual int32_t getNbAuxStreams() const noexcept = 0;
    virtual int32_t getTensorBytesPerComponentV2(Text name, int32_t profile) const noexcept = 0;
    virtual int32_t getTensorComponentsPerElementV2(Text name, int32_t profile) const noexcept = 0;
    virtual int32_t getTensorFormatV2(Text name, int32_t profile) const noexcept = 0;
    virtual Text getTensorFormatDescV2(Text name, int32_t profile) const noexcept = 0;
    virtual int32_t getTensorVectorizedDimV2(Text name, int32_t profile) const noexcept = 0;
    GAP(39) GAP(40)
    TEN(GAP(41))
    GAP(42)
    TEN(GAP(43) GAP(44) GAP(45))
    GAP(46) GAP(47) GAP(48) GAP(49) GAP(50) GAP(51)
    virtual int64_t getDeviceMemorySizeV2() const noexcept = 0;
    virtual int64_t getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept = 0;
    GAP(54) GAP(55) GAP(56)
    virtual int64_t getEngineStat(int32_t which) const noexcept = 0;
    GAP(58)
};
#undef NAME

#define NAME "VExecutionContext"
struct VExecutionContext : Root {
    GAP(2) GAP(3) GAP(4) GAP(5) GAP(6) GAP(7)
    virtual void setName(Text name) noexcept = 0;
    virtual Text getName() const noexcept = 0;
    GAP(10)
    virtual int32_t getOptimizationProfile() const noexcept = 0;
    virtual bool allInputDimensionsSpecified() const noexcept = 0;
    TEN(GAP(13))
    GAP(14) GAP(15) GAP(16)
    virtual bool setOptimizationProfileAsync(int32_t profile, Stream stream) noexcept = 0;
    GAP(18) GAP(19) GAP(20)
    virtual bool setInputShape(Text name, Dims const& dims) noexcept = 0;
    virtual Dims getTensorShape(Text name) const noexcept = 0;
    virtual Dims getTensorStrides(Text name) const noexcept = 0;
    virtual bool setTensorAddress(Text name, void* address) noexcept = 0;
    virtual void const* getTensorAddress(Text name) const noexcept = 0;
    GAP(26) GAP(27)
    virtual int32_t inferShapes(int32_t most, Text* missing) noexcept = 0;
    GAP(29) GAP(30) GAP(31) GAP(32) GAP(33)
    virtual int64_t getMaxOutputSize(Text name) const noexcept = 0;
    GAP(35) GAP(36)
    virtual bool enqueueV3(Stream stream) noexcept = 0;
    GAP(38) GAP(39) GAP(40) GAP(41) GAP(42) GAP(43) GAP(44) GAP(45) GAP(46) GAP(47)
    virtual size_t updateDeviceMemorySizeForShapes() noexcept = 0;
    virtual void setDeviceMemoryV2(void* memory, int64_t size) noexcept = 0;
    GAP(50) GAP(51) GAP(52) GAP(53)
};
#undef NAME

#define NAME "VHostMemory"
struct VHostMemory : Root {
    virtual void* data() const noexcept = 0;
    virtual size_t size() const noexcept = 0;
    virtual int32_t type() const noexcept = 0;
};
#undef NAME

#define NAME "VEngineInspector"
struct VEngineInspector : Root {
    GAP(2)
    virtual bool setExecutionContext(void const* context) noexcept = 0;
    GAP(4)
    virtual Text getLayerInformation(int32_t layer, int32_t format) const noexcept = 0;
    virtual Text getEngineInformation(int32_t format) const noexcept = 0;
    GAP(7) GAP(8)
};
#undef NAME

#define NAME "VBuilder"
struct VBuilder : Root {
    TEN(GAP(2) GAP(3))
    GAP(4)
    virtual int32_t getNbDLACores() const noexcept = 0;
    virtual void setGpuAllocator(Allocator* allocator) noexcept = 0;
    virtual void* createBuilderConfig() noexcept = 0;
    virtual void* createNetworkV2(uint32_t flags) noexcept = 0;
    virtual void* createOptimizationProfile() noexcept = 0;
    virtual void setErrorRecorder(Recorder* recorder) noexcept = 0;
    GAP(11) GAP(12)
    TEN(GAP(13))
    virtual void* buildSerializedNetwork(void* network, void* config) noexcept = 0;
    virtual bool isNetworkSupported(void const* network, void const* config) const noexcept = 0;
    virtual Logger* getLogger() const noexcept = 0;
    virtual bool setMaxThreads(int32_t threads) noexcept = 0;
    GAP(18) GAP(19) GAP(20) GAP(21) GAP(22)
};
#undef NAME

#define NAME "VBuilderConfig"
struct VBuilderConfig : Root {
    GAP(2) GAP(3) GAP(4) GAP(5)
    TEN(GAP(6) GAP(7))
    GAP(8) GAP(9)
    virtual void clearFlag(int32_t flag) noexcept = 0;
    virtual void setFlag(int32_t flag) noexcept = 0;
    virtual bool getFlag(int32_t flag) const noexcept = 0;
    GAP(13) GAP(14) GAP(15) GAP(16) GAP(17)
    virtual void setDLACore(int32_t core) noexcept = 0;
    GAP(19)
    virtual void setDefaultDeviceType(int32_t device) noexcept = 0;
    GAP(21) GAP(22) GAP(23) GAP(24)
    virtual int32_t addOptimizationProfile(void const* profile) noexcept = 0;
    virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
    virtual void setProfilingVerbosity(int32_t verbosity) noexcept = 0;
    GAP(28)
    TEN(GAP(29) GAP(30) GAP(31) GAP(32) GAP(33) GAP(34) GAP(35) GAP(36) GAP(37))
    virtual bool setTacticSources(uint32_t sources) noexcept = 0;
    GAP(39)
    virtual void* createTimingCache(void const* data, size_t size) const noexcept = 0;
    virtual bool setTimingCache(void const* cache, bool ignoreMismatch) noexcept = 0;
    GAP(42)
    virtual void setMemoryPoolLimit(int32_t pool, size_t size) noexcept = 0;
    virtual size_t getMemoryPoolLimit(int32_t pool) const noexcept = 0;
    virtual void setPreviewFeature(int32_t feature, bool on) noexcept = 0;
    GAP(46)
    virtual void setBuilderOptimizationLevel(int32_t level) noexcept = 0;
    GAP(48)
    virtual void setHardwareCompatibilityLevel(int32_t level) noexcept = 0;
    GAP(50) GAP(51) GAP(52) GAP(53)
    TEN(virtual void setMaxAuxStreams(int32_t streams) noexcept = 0;)
    ELEVEN(virtual bool setMaxAuxStreams(int32_t streams) noexcept = 0;)
    GAP(55)
    virtual void setProgressMonitor(Monitor* monitor) noexcept = 0;
    GAP(57) GAP(58) GAP(59) GAP(60) GAP(61) GAP(62) GAP(63) GAP(64) GAP(65) GAP(66) GAP(67)
};
#undef NAME

#define NAME "VNetworkDefinition"
struct VNetworkDefinition : Root {
    GAP(2) GAP(3) GAP(4) GAP(5) GAP(6) GAP(7) GAP(8) GAP(9) GAP(10) GAP(11)
    virtual int32_t getNbLayers() const noexcept = 0;
    GAP(13)
    virtual int32_t getNbInputs() const noexcept = 0;
    virtual void* getInput(int32_t index) const noexcept = 0;
    virtual int32_t getNbOutputs() const noexcept = 0;
    virtual void* getOutput(int32_t index) const noexcept = 0;
    GAP(18) GAP(19) GAP(20) GAP(21) GAP(22) GAP(23) GAP(24) GAP(25) GAP(26) GAP(27) GAP(28) GAP(29)
    virtual void setName(Text name) noexcept = 0;
    virtual Text getName() const noexcept = 0;
    GAP(32) GAP(33) GAP(34) GAP(35) GAP(36) GAP(37) GAP(38) GAP(39) GAP(40) GAP(41) GAP(42) GAP(43)
};
#undef NAME

#define NAME "VTensor"
struct VTensor : Root {
    GAP(2)
    virtual Text getName() const noexcept = 0;
    GAP(4)
    virtual Dims getDimensions() const noexcept = 0;
    TEN(GAP(6))
    virtual int32_t getType() const noexcept = 0;
    TEN(GAP(8))
    GAP(9) GAP(10) GAP(11) GAP(12) GAP(13) GAP(14)
    TEN(GAP(15) GAP(16) GAP(17) GAP(18))
    virtual void setAllowedFormats(uint32_t formats) noexcept = 0;
    GAP(20) GAP(21) GAP(22) GAP(23) GAP(24)
};
#undef NAME

#define NAME "VOptimizationProfile"
struct VOptimizationProfile : Root {
    virtual bool setDimensions(Text input, int32_t which, Dims const& dims) noexcept = 0;
    virtual Dims getDimensions(Text input, int32_t which) const noexcept = 0;
    TEN(GAP(4))
    GAP(5)
    TEN(GAP(6))
    virtual bool setExtraMemoryTarget(float target) noexcept = 0;
    GAP(8)
    virtual bool isValid() const noexcept = 0;
    GAP(10) GAP(11)
};
#undef NAME

#define NAME "VTimingCache"
struct VTimingCache : Root {
    virtual void* serialize() const noexcept = 0;
    virtual bool combine(void const* other, bool ignoreMismatch) noexcept = 0;
    virtual bool reset() noexcept = 0;
};
#undef NAME

#define NAME "IParserError"
struct ParserError {
    virtual int32_t code() const = 0;
    virtual Text desc() const = 0;
    virtual Text file() const = 0;
    virtual int32_t line() const = 0;
    virtual Text func() const = 0;
    virtual int32_t node() const = 0;
    virtual Text nodeName() const = 0;
    virtual Text nodeOperator() const = 0;
    GAP(8) GAP(9)
    virtual ~ParserError() {}
};
#undef NAME

#define NAME "IParser"
struct Parser {
    virtual bool parse(void const* model, size_t size, Text path) noexcept = 0;
    virtual bool parseFromFile(Text path, int verbosity) noexcept = 0;
    TEN(GAP(2) GAP(3))
    GAP(4)
    virtual int32_t getNbErrors() const noexcept = 0;
    virtual ParserError* getError(int32_t index) const noexcept = 0;
    virtual void clearErrors() noexcept = 0;
    virtual ~Parser() noexcept {}
    GAP(10) GAP(11) GAP(12) GAP(13)
    virtual void setFlag(int32_t flag) noexcept = 0;
    virtual bool getFlag(int32_t flag) const noexcept = 0;
    GAP(16) GAP(17) GAP(18) GAP(19) GAP(20) GAP(21) GAP(22)
};
#undef NAME
