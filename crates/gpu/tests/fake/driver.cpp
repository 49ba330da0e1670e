// A driver for tests: host memory for a device's, kernels compiled for the host, and work that is put off until
// somebody waits for it, so that what does not wait sees old bytes. Misuse ends the process with a message.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

extern "C" int watchkeeper_host_kernel(const char *name, const unsigned grid[3], const unsigned block[3], void **args);
extern "C" int watchkeeper_host_kernel_parameters(const char *name, size_t *sizes, int room);

namespace {

enum Result { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, NOT_FOUND = 500, NOT_READY = 600 };

// What `fake_control` sets.
enum Control { INIT, VERSION, DEVICES, RETAIN, MEMORY, WRONG, STICKY_AFTER, FULL_AFTER, INTEGRATED, CONTROLS };
long controls[CONTROLS] = {0, 12020, 1, 0, 1l << 30, 0, -1, -1, 0};

struct Work {
    std::function<void()> run;
    std::vector<uintptr_t> memory;  // an address in each block that it touches
};

struct Stream {
    std::deque<Work> work;
    uint64_t put = 0, done = 0;
};

struct Event {
    Stream *stream = nullptr;
    uint64_t at = 0;
};

std::recursive_mutex mutex;
std::map<uintptr_t, size_t> device_memory, host_memory;
std::set<Stream *> streams;
std::set<std::string> functions;
size_t used = 0;
int sticky = 0, launches = 0;
uint64_t calls = 0;
thread_local bool current = false;

void misuse(const char *what) {
    std::fprintf(stderr, "fake driver: %s\n", what);
    std::abort();
}

void step(Stream *s) {
    auto work = std::move(s->work.front());
    s->work.pop_front();
    work.run();
    s->done++;
}

void run_until(Stream *s, uint64_t at) {
    while (s->done < at) step(s);
}

void put(Stream *s, std::function<void()> run, std::vector<uintptr_t> memory = {}) {
    if (!streams.count(s)) misuse("work for a stream that is none");
    s->work.push_back({std::move(run), std::move(memory)});
    s->put++;
}

bool within(const std::map<uintptr_t, size_t> &memory, uintptr_t at, size_t bytes) {
    auto next = memory.upper_bound(at);
    if (next == memory.begin()) return false;
    auto block = std::prev(next);
    return at + bytes <= block->first + block->second;
}

// True for the allocation that is to fail, and all after it.
bool full() { return controls[FULL_AFTER] >= 0 && controls[FULL_AFTER]-- <= 0 && (controls[FULL_AFTER] = 0, true); }

bool on_device(uintptr_t at, size_t bytes) { return within(device_memory, at, bytes) || within(host_memory, at, bytes); }

void nobody_works_on(uintptr_t base, size_t bytes) {
    for (auto *s : streams)
        for (auto &work : s->work)
            for (auto at : work.memory)
                if (at >= base && at < base + bytes) misuse("memory freed that work is waiting for");
}

}  // namespace

#define CALL extern "C" unsigned
#define ENTER                                          \
    std::lock_guard<std::recursive_mutex> lock(mutex); \
    calls++;                                           \
    if (sticky) return sticky;                         \
    if (!current) return 201

CALL fake_control(unsigned which, long value) {
    if (which >= CONTROLS) return INVALID_VALUE;
    controls[which] = value;
    return SUCCESS;
}

// Calls so far of what needs a context.
CALL fake_calls(uint64_t *count) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    return *count = calls, SUCCESS;
}

CALL cuInit(unsigned) { return controls[INIT]; }
CALL cuDriverGetVersion(int *version) { return *version = controls[VERSION], SUCCESS; }
CALL cuDeviceGetCount(int *count) { return *count = controls[DEVICES], SUCCESS; }
CALL cuGetErrorName(unsigned code, const char **name) {
    switch (code) {
        case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
        case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
        case NOT_FOUND: *name = "CUDA_ERROR_NOT_FOUND"; break;
        case 700: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
        case 803: *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; break;
        default: return *name = nullptr, INVALID_VALUE;
    }
    return SUCCESS;
}
CALL cuGetErrorString(unsigned code, const char **text) { return *text = "as asked for", code ? SUCCESS : INVALID_VALUE; }
CALL cuDeviceGet(int *device, int ordinal) { return *device = ordinal, ordinal < controls[DEVICES] ? SUCCESS : 101; }
CALL cuDeviceGetName(char *name, int, int) { return std::strcpy(name, "Fake GPU"), SUCCESS; }
CALL cuDeviceGetUuid_v2(unsigned char *uuid, int) {
    for (int i = 0; i < 16; i++) uuid[i] = 0xf0 + i;
    return SUCCESS;
}
CALL cuDeviceGetAttribute(int *value, unsigned attribute, int) {
    *value = attribute == 75 ? 7 : attribute == 76 ? 5 : attribute == 16 ? 40 : attribute == 18 ? controls[INTEGRATED] : 0;
    return SUCCESS;
}
CALL cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = controls[MEMORY], SUCCESS; }
CALL cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
CALL cuDevicePrimaryCtxRetain(void **context, int) {
    *context = reinterpret_cast<void *>(0x100);
    return controls[RETAIN];
}
CALL cuDevicePrimaryCtxRelease_v2(int) { return calls++, SUCCESS; }
CALL cuCtxSetCurrent(void *context) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    calls++;
    if (context != reinterpret_cast<void *>(0x100)) misuse("a context that is none");
    current = true;
    return sticky;
}
CALL cuMemGetInfo_v2(size_t *free, size_t *total) {
    ENTER;
    *total = controls[MEMORY], *free = controls[MEMORY] - used;
    return SUCCESS;
}
CALL cuMemAlloc_v2(uintptr_t *address, size_t bytes) {
    ENTER;
    if (full() || used + bytes > static_cast<size_t>(controls[MEMORY])) return OUT_OF_MEMORY;
    *address = reinterpret_cast<uintptr_t>(std::malloc(bytes));
    std::memset(reinterpret_cast<void *>(*address), 0xa5, bytes);
    device_memory[*address] = bytes;
    used += bytes;
    return SUCCESS;
}
CALL cuMemFree_v2(uintptr_t address) {
    ENTER;
    auto block = device_memory.find(address);
    if (block == device_memory.end()) misuse("device memory freed that is none");
    nobody_works_on(address, block->second);
    used -= block->second;
    device_memory.erase(block);
    std::free(reinterpret_cast<void *>(address));
    return SUCCESS;
}
CALL cuMemHostAlloc(void **base, size_t bytes, unsigned) {
    ENTER;
    if (full()) return OUT_OF_MEMORY;
    *base = std::malloc(bytes);
    std::memset(*base, 0xa5, bytes);
    host_memory[reinterpret_cast<uintptr_t>(*base)] = bytes;
    return SUCCESS;
}
CALL cuMemHostGetDevicePointer_v2(uintptr_t *address, void *base, unsigned) {
    return *address = reinterpret_cast<uintptr_t>(base), SUCCESS;
}
CALL cuMemFreeHost(void *base) {
    ENTER;
    auto block = host_memory.find(reinterpret_cast<uintptr_t>(base));
    if (block == host_memory.end()) misuse("host memory freed that is none");
    nobody_works_on(block->first, block->second);
    host_memory.erase(block);
    std::free(base);
    return SUCCESS;
}
static unsigned copy(uintptr_t to, uintptr_t from, size_t bytes, Stream *s, bool fits) {
    if (!fits) return INVALID_VALUE;
    put(s, [=] { std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes); }, {to, from});
    return SUCCESS;
}
CALL cuMemcpyHtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, Stream *s) {
    ENTER;
    return copy(to, from, bytes, s, on_device(to, bytes) && within(host_memory, from, bytes));
}
CALL cuMemcpyDtoHAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, Stream *s) {
    ENTER;
    return copy(to, from, bytes, s, on_device(from, bytes) && within(host_memory, to, bytes));
}
CALL cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, Stream *s) {
    ENTER;
    return copy(to, from, bytes, s, on_device(from, bytes) && on_device(to, bytes));
}
CALL cuMemsetD8Async(uintptr_t to, unsigned char byte, size_t bytes, Stream *s) {
    ENTER;
    if (!on_device(to, bytes)) return INVALID_VALUE;
    put(s, [=] { std::memset(reinterpret_cast<void *>(to), byte, bytes); }, {to});
    return SUCCESS;
}
CALL cuStreamCreate(Stream **s, unsigned) {
    ENTER;
    streams.insert(*s = new Stream);
    return SUCCESS;
}
CALL cuStreamDestroy_v2(Stream *s) {
    ENTER;
    if (!streams.count(s)) misuse("stream destroyed that is none");
    if (!s->work.empty()) misuse("stream destroyed with work in it");
    streams.erase(s);  // events may still name it, so it stays
    return SUCCESS;
}
CALL cuStreamSynchronize(Stream *s) {
    ENTER;
    run_until(s, s->put);
    return sticky;
}
// Each question lets one piece of work through.
CALL cuStreamQuery(Stream *s) {
    ENTER;
    if (s->work.empty()) return SUCCESS;
    step(s);
    return sticky ? sticky : s->work.empty() ? SUCCESS : NOT_READY;
}
CALL cuStreamWaitEvent(Stream *s, Event *event, unsigned) {
    ENTER;
    Event at = *event;
    if (at.stream) put(s, [at] { run_until(at.stream, at.at); });
    return SUCCESS;
}
CALL cuEventCreate(Event **event, unsigned) {
    ENTER;
    *event = new Event;
    return SUCCESS;
}
CALL cuEventDestroy_v2(Event *event) {
    ENTER;
    delete event;
    return SUCCESS;
}
CALL cuEventRecord(Event *event, Stream *s) {
    ENTER;
    put(s, [] {});
    event->stream = s, event->at = s->put;
    return SUCCESS;
}
CALL cuEventQuery(Event *event) {
    ENTER;
    return !event->stream || event->stream->done >= event->at ? SUCCESS : NOT_READY;
}
CALL cuEventSynchronize(Event *event) {
    ENTER;
    if (event->stream) run_until(event->stream, event->at);
    return sticky;
}
CALL cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
    ENTER;
    *milliseconds = 1;
    bool passed = start->stream && end->stream && start->stream->done >= start->at && end->stream->done >= end->at;
    return passed ? SUCCESS : NOT_READY;
}
CALL cuModuleLoadDataEx(void **module, const char *text, unsigned, void *, void *) {
    ENTER;
    *module = new std::string(text);
    return SUCCESS;
}
CALL cuModuleUnload(std::string *module) {
    ENTER;
    delete module;
    return SUCCESS;
}
CALL cuModuleGetFunction(const char **function, std::string *module, const char *name) {
    ENTER;
    if (module->find(".entry " + std::string(name) + "(") == std::string::npos) return NOT_FOUND;
    *function = functions.insert(name).first->c_str();
    return SUCCESS;
}
CALL cuLaunchKernel(const char *name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                    unsigned, Stream *s, void **parameters, void **) {
    ENTER;
    if (!gx || !gy || !gz || bx * by * bz > 1024 || gy > 65535 || gz > 65535) return INVALID_VALUE;
    size_t sizes[16];
    int count = watchkeeper_host_kernel_parameters(name, sizes, 16);
    if (count < 0 || count > 16) misuse("a kernel that is none");
    std::vector<std::vector<unsigned char>> values;
    std::vector<uintptr_t> memory;
    for (int i = 0; i < count; i++) {
        auto *from = static_cast<unsigned char *>(parameters[i]);
        values.emplace_back(from, from + sizes[i]);
        for (size_t at = 0; at + sizeof(uintptr_t) <= sizes[i]; at += sizeof(uintptr_t)) {
            uintptr_t word;
            std::memcpy(&word, from + at, sizeof word);
            if (on_device(word, 1)) memory.push_back(word);
        }
    }
    put(s, [=]() mutable {
        if (controls[STICKY_AFTER] >= 0 && launches++ >= controls[STICKY_AFTER]) {
            sticky = 700;
            return;
        }
        std::vector<void *> args;
        for (auto &value : values) args.push_back(value.data());
        unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
        if (watchkeeper_host_kernel(name, grid, block, args.data())) misuse("a kernel that is none");
        if (controls[WRONG]) {
            void *out;
            std::memcpy(&out, values[1].data(), sizeof out);
            static_cast<unsigned *>(out)[17] ^= 1;
        }
    }, memory);
    return SUCCESS;
}
